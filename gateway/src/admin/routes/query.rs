//! What of the table somebody asks for.

use headgate_config::{Host, HostPattern, Location, ObjectRef, Verdict};

/// The parameters, with what each may be.
pub const PARAMETERS: &str = "host=NAME, namespace=NAME, ingress=NAMESPACE/NAME and verdicts";

/// What is asked for; by default everything.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Only hosts that this name reaches.
    host: Option<String>,
    /// Only what comes from objects of this namespace.
    namespace: Option<String>,
    /// Only what comes from this Ingress, by namespace and name.
    ingress: Option<(String, String)>,
    /// Only verdicts.
    pub verdicts_only: bool,
}

impl Query {
    /// Reads the query of a request.
    ///
    /// # Errors
    ///
    /// If it has a parameter that there is none of, or one twice, or one without a usable value; the text says what
    /// there is.
    pub fn parse(query: Option<&str>) -> Result<Self, String> {
        let mut asked = Self::default();
        let mut seen = Vec::new();
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (percent_decoded(name), percent_decoded(value));
            if seen.contains(&name) {
                return Err(format!("{name:?} is given twice"));
            }
            asked.set(&name, value)?;
            seen.push(name);
        }
        Ok(asked)
    }

    fn set(&mut self, name: &str, value: String) -> Result<(), String> {
        let needed = |value: String| match value.is_empty() {
            true => Err(format!("{name:?} needs a value; there are {PARAMETERS}")),
            false => Ok(Some(value)),
        };
        match name {
            "host" => self.host = needed(asked_name(&value))?,
            "namespace" => self.namespace = needed(value)?,
            "ingress" => {
                let parts = value.split_once('/');
                let parts = parts.filter(|(namespace, name)| {
                    !namespace.is_empty() && !name.is_empty() && !name.contains('/')
                });
                let Some((namespace, name)) = parts else {
                    return Err(format!(
                        "{value:?} is no Ingress; ingress=NAMESPACE/NAME names one"
                    ));
                };
                self.ingress = Some((namespace.into(), name.into()));
            }
            "verdicts" if matches!(&*value, "" | "true" | "only") => self.verdicts_only = true,
            "verdicts" => {
                return Err("\"verdicts\" needs no value: with it, only verdicts are shown".into());
            }
            _ => return Err(format!("there is no parameter {name:?}; there are {PARAMETERS}")),
        }
        Ok(())
    }

    /// Whether some hosts, or some verdicts, are not asked for.
    pub fn narrows(&self) -> bool {
        self.host.is_some() || self.is_about_objects()
    }

    /// Whether it is asked for what comes from certain objects.
    fn is_about_objects(&self) -> bool {
        self.namespace.is_some() || self.ingress.is_some()
    }

    /// Whether a host is asked for.
    pub fn has_host(&self, host: &Host) -> bool {
        let is_named = self.host.as_ref().is_none_or(|wanted| {
            let mut patterns = std::iter::once(&host.pattern).chain(&host.aliases);
            host.name == *wanted || patterns.any(|pattern| covers(pattern, wanted))
        });
        is_named
            && (!self.is_about_objects()
                || host.origin.as_ref().is_some_and(|object| self.has_object(object))
                || host.locations.iter().any(|location| self.has_location(location)))
    }

    /// Whether a location of a host that is asked for is.
    pub fn has_location(&self, location: &Location) -> bool {
        !self.is_about_objects()
            || location.origin.object.as_ref().is_some_and(|object| self.has_object(object))
    }

    /// Whether a verdict is asked for; `involved` are the objects behind the hosts that are shown. With a
    /// host these are what it comes from, and whatever may be the reason for what it lacks: files, the settings, and
    /// all but Ingresses of the same namespaces.
    pub fn has_verdict(&self, verdict: &Verdict, involved: &Involved) -> bool {
        let object = &verdict.object;
        self.has_object(object)
            && (self.host.is_none()
                || involved.objects.contains(object)
                || matches!(&*object.kind, "ConfigMap" | "File")
                || object.kind != "Ingress" && involved.has_namespace(&object.namespace))
    }

    fn has_object(&self, object: &ObjectRef) -> bool {
        let is_there = |namespace: &String| object.namespace == *namespace;
        self.namespace.as_ref().is_none_or(is_there)
            && self.ingress.as_ref().is_none_or(|(namespace, name)| {
                object.kind == "Ingress" && is_there(namespace) && object.name == *name
            })
    }
}

/// The objects that what is shown comes from.
#[derive(Debug, Default)]
pub struct Involved {
    objects: std::collections::BTreeSet<ObjectRef>,
}

impl Involved {
    /// Adds those of a host.
    pub fn add(&mut self, host: &Host) {
        let locations =
            host.locations.iter().filter_map(|location| location.origin.object.as_ref());
        for object in locations.chain(&host.origin) {
            if !self.objects.contains(object) {
                self.objects.insert(object.clone());
            }
        }
    }

    fn has_namespace(&self, namespace: &str) -> bool {
        self.objects.iter().any(|object| object.namespace == namespace)
    }
}

/// A name as somebody may have copied it out of a URL: in lower case, without port and trailing dot.
fn asked_name(text: &str) -> String {
    let text = match text.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => text,
    };
    text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase()
}

/// Whether a pattern matches a lower-case name. Regular expressions do not take part: evaluating them is the route
/// table's business, and their hosts are found by name.
fn covers(pattern: &HostPattern, name: &str) -> bool {
    let above = |parent: &str| {
        let label = name.strip_suffix(parent).and_then(|label| label.strip_suffix('.'));
        label.map(str::len)
    };
    match pattern {
        HostPattern::Exact(exact) => exact == name,
        HostPattern::OneLabel(parent) => {
            above(parent).is_some_and(|length| length > 0 && !name[..length].contains('.'))
        }
        HostPattern::AnyDepth(parent) => above(parent).is_some(),
        HostPattern::SelfAndBelow(parent) => name == parent || above(parent).is_some(),
        HostPattern::Trailing(text) => {
            name.strip_prefix(text.as_str()).is_some_and(|rest| rest.starts_with('.'))
        }
        HostPattern::Regex(_) | HostPattern::Default => false,
    }
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        rest = behind;
        let digits = rest.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let decoded = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match decoded.filter(|_| first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &rest[2..];
            }
            None => bytes.push(first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read() {
        let query = Query::parse(Some("host=A.Test.:8080&namespace=shop&verdicts")).unwrap();
        let expected = Query {
            host: Some("a.test".into()),
            namespace: Some("shop".into()),
            ingress: None,
            verdicts_only: true,
        };
        assert_eq!(query, expected);
        let query = Query::parse(Some("ingress=shop%2Fweb&verdicts=only")).unwrap();
        assert_eq!(query.ingress, Some(("shop".into(), "web".into())));
        assert_eq!(Query::parse(None), Ok(Query::default()));
        assert_eq!(Query::parse(Some("")), Ok(Query::default()));
    }

    #[test]
    fn what_cannot_be_understood_is_refused_with_what_can_be() {
        for (query, words) in [
            ("x=1", &["\"x\"", PARAMETERS][..]),
            ("hosts=a.test", &["\"hosts\"", PARAMETERS]),
            ("host=", &["\"host\"", PARAMETERS]),
            ("host=a&host=b", &["twice"]),
            ("ingress=web", &["\"web\"", "NAMESPACE/NAME"]),
            ("ingress=a/b/c", &["NAMESPACE/NAME"]),
            ("verdicts=no", &["only verdicts"]),
            ("%0A=1", &["\"\\n\""]),
        ] {
            let refusal = Query::parse(Some(query)).unwrap_err();
            assert!(words.iter().all(|word| refusal.contains(word)), "{query}: {refusal}");
        }
    }
}
