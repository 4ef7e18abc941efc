//! What was measured, line by line, with the limits.

use std::fmt::Write as _;

use headgate_tests::stats::{Sample, milliseconds};

/// The lines, in the order in which they were measured.
#[derive(Default)]
pub(crate) struct Table {
    lines: Vec<Line>,
}

struct Line {
    what: String,
    value: String,
    limit: String,
    passed: bool,
}

impl Table {
    /// A sample of durations; its p99 is what is limited, in milliseconds.
    pub(crate) fn sample(&mut self, what: &str, sample: &Sample, limit: Option<f64>) {
        let [p50, p90, p99, max] =
            [50, 90, 99, 100].map(|percent| milliseconds(sample.percentile(percent)));
        let count = sample.count();
        let value =
            format!("p50 {p50:7.2}  p90 {p90:7.2}  p99 {p99:7.2}  max {max:7.2} ms  n {count}");
        self.line(what, value, limit.map(|limit| (p99, limit, "p99, ms")));
    }

    /// One figure.
    pub(crate) fn figure(&mut self, what: &str, value: f64, unit: &str, limit: Option<f64>) {
        self.line(what, format!("{value:.2} {unit}"), limit.map(|limit| (value, limit, unit)));
    }

    /// Something that explains the figures above it.
    pub(crate) fn note(&mut self, what: &str, text: String) {
        self.line(what, text, None);
    }

    fn line(&mut self, what: &str, value: String, limit: Option<(f64, f64, &str)>) {
        let passed = limit.is_none_or(|(value, limit, _)| value <= limit);
        let limit = limit.map_or_else(String::new, |(_, limit, unit)| format!("<= {limit} {unit}"));
        eprintln!("  {what}: {value}");
        self.lines.push(Line { what: what.into(), value, limit, passed });
    }

    /// Whether all limits are kept.
    pub(crate) fn passed(&self) -> bool {
        self.lines.iter().all(|line| line.passed)
    }

    /// Prints everything.
    #[expect(clippy::print_stdout, reason = "this is what the program is for")]
    pub(crate) fn print(&self) {
        let widest =
            |text: fn(&Line) -> &String| self.lines.iter().map(|line| text(line).len()).max();
        let (what, value) = (widest(|line| &line.what), widest(|line| &line.value));
        let (what, value) = (what.unwrap_or(0), value.unwrap_or(0));
        let mut text = String::new();
        for line in &self.lines {
            let verdict = match (line.limit.is_empty(), line.passed) {
                (true, _) => "",
                (false, true) => "kept",
                (false, false) => "MISSED",
            };
            let _ = writeln!(
                text,
                "{:what$} | {:value$} | {:15} | {verdict}",
                line.what, line.value, line.limit
            );
        }
        print!("{text}");
    }
}
