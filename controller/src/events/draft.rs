//! An event before it is posted: what it says, and the name that makes it exist once.

use std::fmt::{self, Write};

use headgate_config::ObjectRef;
use k8s_openapi::{
    api::core::v1::{Event, EventSource, ObjectReference},
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
    jiff::Timestamp,
};

use crate::source::cluster::Meta;

/// Who posts events. The reference's name, which dashboards and scripts look for.
const COMPONENT: &str = "nginx-ingress-controller";
/// What the names of objects may be long.
const LONGEST_NAME: usize = 253;
/// What a message may be long, in bytes.
const LONGEST_MESSAGE: usize = 1024;

/// How much an event matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// Something went as it should.
    Normal,
    /// Something did not.
    Warning,
}

/// An event that may be posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// What it is about.
    pub object: ObjectRef,
    /// What is known of that object.
    pub meta: Meta,
    /// Which content of the object it is about, from [`fingerprint`].
    pub content: u64,
    /// How much it matters.
    pub weight: Weight,
    /// One word.
    pub reason: String,
    /// One sentence.
    pub message: String,
}

impl Draft {
    /// The namespace that it belongs to.
    pub fn namespace(&self) -> &str {
        if self.object.namespace.is_empty() { "default" } else { &self.object.namespace }
    }

    /// Its name: the same for the same finding about the same version of the same object, whoever posts it and when.
    pub fn name(&self) -> String {
        let Self { object, meta, content, reason, message, .. } = self;
        let identity = (&object.kind, &meta.uid, meta.edited, content, reason, message);
        let hash = format!(".{:016x}", fingerprint(&identity));
        let name = object.name.get(..LONGEST_NAME - hash.len()).unwrap_or(&object.name);
        format!("{}{hash}", name.trim_end_matches(['.', '-']))
    }

    /// The event.
    pub fn event(&self, now: Timestamp) -> Event {
        let Self { object, meta, .. } = self;
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let api_version = match object.kind.as_str() {
            "Ingress" | "IngressClass" => "networking.k8s.io/v1",
            _ => "v1",
        };
        Event {
            metadata: ObjectMeta {
                name: Some(self.name()),
                namespace: some(self.namespace()),
                ..ObjectMeta::default()
            },
            involved_object: ObjectReference {
                api_version: some(api_version),
                kind: some(&object.kind),
                namespace: some(&object.namespace),
                name: some(&object.name),
                uid: some(&meta.uid),
                resource_version: some(&meta.resource_version),
                ..ObjectReference::default()
            },
            type_: some(match self.weight {
                Weight::Normal => "Normal",
                Weight::Warning => "Warning",
            }),
            reason: some(&self.reason),
            message: some(shortened(&self.message)),
            source: Some(EventSource { component: some(COMPONENT), host: None }),
            reporting_component: some(COMPONENT),
            first_timestamp: Some(Time(now)),
            last_timestamp: Some(Time(now)),
            count: Some(1),
            ..Event::default()
        }
    }
}

/// A number that stands for what an object says: FNV-1a over its debug text. It does not depend on the process, so that
/// two replicas get the same.
pub fn fingerprint(object: &impl fmt::Debug) -> u64 {
    let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
    write!(hash, "{object:?}").expect("a hash takes everything");
    hash.0
}

struct Fnv(u64);

impl Write for Fnv {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        Ok(())
    }
}

fn shortened(message: &str) -> &str {
    let mut end = message.len().min(LONGEST_MESSAGE);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    &message[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft() -> Draft {
        Draft {
            object: ObjectRef {
                kind: "Ingress".into(),
                namespace: "a".into(),
                name: "shop".into(),
            },
            meta: Meta { uid: "1-2".into(), resource_version: "7".into(), created: 1, edited: 2 },
            content: fingerprint(&["shop.test"]),
            weight: Weight::Warning,
            reason: "AnnotationParsingFailed".into(),
            message: "Error parsing annotations: no".into(),
        }
    }

    #[test]
    fn the_name_depends_on_finding_and_version_only() {
        let name = draft().name();
        assert_eq!(name, "shop.7800e3180e6308a1");
        let later = Meta { resource_version: "9".into(), ..draft().meta };
        assert_eq!(Draft { meta: later, ..draft() }.name(), name, "a status was written");
        for other in [
            Draft { meta: Meta { uid: "1-3".into(), ..draft().meta }, ..draft() },
            Draft { meta: Meta { edited: 3, ..draft().meta }, ..draft() },
            Draft { content: fingerprint(&["shop.test", ""]), ..draft() },
            Draft { reason: "Sync".into(), ..draft() },
            Draft { message: "Error parsing annotations: yes".into(), ..draft() },
        ] {
            assert_ne!(other.name(), name, "{other:?}");
        }
    }

    #[test]
    fn long_names_are_cut_where_a_name_may_end() {
        let name = format!("{}-.{}", "n".repeat(234), "x".repeat(17));
        let object = ObjectRef { name, ..draft().object };
        let name = Draft { object, ..draft() }.name();
        assert_eq!(name.len(), 234 + 17);
        assert!(name.starts_with("nnn") && name[234..].starts_with('.'));
    }

    #[test]
    fn an_event_names_its_object_and_who_posts_it() {
        let event = draft().event(Timestamp::UNIX_EPOCH);
        let object = &event.involved_object;
        assert_eq!(object.api_version.as_deref(), Some("networking.k8s.io/v1"));
        assert_eq!(object.uid.as_deref(), Some("1-2"));
        assert_eq!(event.metadata.namespace.as_deref(), Some("a"));
        assert_eq!(event.type_.as_deref(), Some("Warning"));
        assert_eq!(event.source.unwrap().component.as_deref(), Some("nginx-ingress-controller"));
        let class =
            ObjectRef { kind: "IngressClass".into(), namespace: "".into(), name: "n".into() };
        let event = Draft { object: class, ..draft() }.event(Timestamp::UNIX_EPOCH);
        assert_eq!(event.metadata.namespace.as_deref(), Some("default"));
        assert_eq!(event.involved_object.namespace, None);
    }

    #[test]
    fn long_messages_are_cut_between_characters() {
        let message = "é".repeat(600) + "x";
        let event =
            Draft { message: format!("x{message}"), ..draft() }.event(Timestamp::UNIX_EPOCH);
        assert_eq!(event.message.unwrap().len(), 1023);
    }
}
