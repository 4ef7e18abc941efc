//! The Prometheus text format, as the reference's client library writes it: labels in alphabetical order, bounds in
//! the shortest `%g` form.

use std::fmt::{self, Display, Write};

use smallvec::SmallVec;

use super::Instance;

/// Prefix of the names of all metrics that the reference has.
pub const PREFIX: &str = "nginx_ingress_controller_";

/// Type of a metric family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Buckets, sum and count.
    Histogram,
}

/// A text exposition in the making: a family's head, then its samples, then the next family.
#[derive(Debug)]
pub struct Exposition {
    text: String,
    constant_labels: [(&'static str, String); 3],
}

impl Exposition {
    pub(super) fn new(instance: &Instance) -> Self {
        Self {
            text: String::new(),
            constant_labels: [
                ("controller_class", instance.class.clone()),
                ("controller_namespace", instance.namespace.clone()),
                ("controller_pod", instance.pod.clone()),
            ],
        }
    }

    /// Begins a family. `name` is the full name.
    pub fn family(&mut self, name: &str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        self.put(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    }

    /// A sample with exactly these labels.
    pub fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels = Labels(labels.iter().copied().collect());
        self.put(format_args!("{name}{labels} {value}\n"));
    }

    /// A sample with these and the constant labels (class, namespace and pod of this instance).
    pub fn instance_sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels = self.with_constants(labels).to_string();
        self.put(format_args!("{name}{labels} {value}\n"));
    }

    /// The labels in a form that more can be appended to: `a="b",c="d"`, the constant ones included.
    pub(super) fn inner_labels(&self, labels: &[(&str, &str)]) -> String {
        let text = self.with_constants(labels).to_string();
        text[1..text.len() - 1].to_owned()
    }

    /// Appends text that is in the format already.
    pub(super) fn put(&mut self, text: fmt::Arguments<'_>) {
        self.text.write_fmt(text).expect("a String takes everything");
    }

    /// Bytes written and not yet taken.
    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    /// Takes what was written so far.
    pub(super) fn take(&mut self) -> String {
        std::mem::take(&mut self.text)
    }

    fn with_constants<'a>(&'a self, labels: &[(&'a str, &'a str)]) -> Labels<'a> {
        let constants = self.constant_labels.iter();
        let constants = constants.map(|(name, value)| (*name, value.as_str()));
        let mut labels: SmallVec<_> = labels.iter().copied().chain(constants).collect();
        labels.sort_unstable();
        Labels(labels)
    }
}

struct Labels<'a>(SmallVec<[(&'a str, &'a str); 12]>);

impl Display for Labels<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = '{';
        for (name, value) in &self.0 {
            write!(f, "{separator}{name}=\"")?;
            escape(f, value)?;
            f.write_char('"')?;
            separator = ',';
        }
        match separator {
            ',' => f.write_char('}'),
            _ => Ok(()),
        }
    }
}

fn escape(f: &mut fmt::Formatter<'_>, mut value: &str) -> fmt::Result {
    while let Some(at) = value.find(['\\', '"', '\n']) {
        f.write_str(&value[..at])?;
        f.write_str(match value.as_bytes()[at] {
            b'\\' => "\\\\",
            b'"' => "\\\"",
            _ => "\\n",
        })?;
        value = &value[at + 1..];
    }
    f.write_str(value)
}

/// A bound as in `le`: the shortest form, with an exponent below 1e-4 and from a million on (`1e+06`).
pub(super) fn bound(value: f64) -> String {
    let scientific = format!("{value:e}");
    let parts = scientific.split_once('e');
    let parts = parts.and_then(|(digits, exponent)| Some((digits, exponent.parse::<i32>().ok()?)));
    match parts {
        Some((digits, exponent)) if !(-4..6).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.abs())
        }
        _ => format!("{value}"),
    }
}

/// Nanoseconds as seconds.
pub(super) struct Seconds(pub(super) u64);

impl Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, rest) = (self.0 / 1_000_000_000, self.0 % 1_000_000_000);
        match rest {
            0 => write!(f, "{seconds}"),
            _ => write!(f, "{seconds}.{rest:09}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exposition() -> Exposition {
        Exposition::new(&Instance {
            class: "c".into(),
            namespace: "n".into(),
            pod: "p".into(),
            ..Instance::default()
        })
    }

    #[test]
    fn labels_are_sorted_and_escaped() {
        let mut text = exposition();
        text.instance_sample("m", &[("host", "a\"b\\c\nd"), ("canary", "")], 7);
        assert_eq!(
            text.take(),
            "m{canary=\"\",controller_class=\"c\",controller_namespace=\"n\",controller_pod=\"p\",\
             host=\"a\\\"b\\\\c\\nd\"} 7\n"
        );
    }

    #[test]
    fn a_sample_without_labels_has_no_braces() {
        let mut text = exposition();
        text.family("up", Kind::Gauge, "Whether it is.");
        text.sample("up", &[], 1);
        assert_eq!(text.take(), "# HELP up Whether it is.\n# TYPE up gauge\nup 1\n");
    }

    #[test]
    fn bounds_are_written_in_the_shortest_general_form() {
        for (value, text) in [
            (0.005, "0.005"),
            (0.00001, "1e-05"),
            (2.5, "2.5"),
            (10.0, "10"),
            (100_000.0, "100000"),
            (1_000_000.0, "1e+06"),
            (10_000_000.0, "1e+07"),
            (1_500_000.0, "1.5e+06"),
            (1_048_576.0, "1.048576e+06"),
        ] {
            assert_eq!(bound(value), text);
        }
    }

    #[test]
    fn seconds_keep_nanoseconds() {
        assert_eq!(Seconds(1_500_000_000).to_string(), "1.500000000");
        assert_eq!(Seconds(2_000_000_000).to_string(), "2");
        assert_eq!(Seconds(7).to_string(), "0.000000007");
    }
}
