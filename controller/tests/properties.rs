//! What must hold for any set of objects: order does not matter, increments add up, tables agree with a naive model.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail where it stands")]

#[path = "properties/model.rs"]
mod model;
#[path = "properties/sets.rs"]
mod sets;

use std::{collections::BTreeMap, sync::Arc};

use headgate_config::{Action, Host, PathMatch, PathMode, Snapshot, WhenEmpty};
use headgate_controller::{
    Options,
    objects::{Object, Objects},
    translate::Translator,
};
use proptest::prelude::*;

use sets::{Spec, Step};

fn options() -> Options {
    Options {
        configmap: Some("ns/conf".parse().unwrap()),
        default_ssl_certificate: Some("ns/rsa".parse().unwrap()),
        ..Options::default()
    }
}

fn once<'a>(objects: impl IntoIterator<Item = &'a Object>) -> Snapshot {
    let mut all = Objects::default();
    for object in objects {
        all.apply(object);
    }
    Translator::translate_once(options(), &all)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_objects_does_not_matter(objects in sets::objects(), seed in any::<u64>()) {
        let mut shuffled = objects.clone();
        shuffled.sort_by_key(|object| {
            let text = object.reference().to_string();
            text.bytes().fold(seed, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)))
        });
        // Of an object that is there twice the last version counts, so only the first of each is taken.
        let first = |objects: Vec<Object>| {
            let mut seen = Vec::new();
            objects.into_iter().filter(move |object| {
                let is_new = !seen.contains(&object.reference());
                seen.push(object.reference());
                is_new
            }).collect::<Vec<_>>()
        };
        let objects = first(objects);
        let shuffled: Vec<_> = shuffled.into_iter().filter(|object| objects.contains(object)).collect();
        prop_assert_eq!(once(&objects), once(&shuffled));
    }

    #[test]
    fn increments_add_up(steps in sets::steps()) {
        let mut objects = Objects::default();
        let mut translator = Translator::new(options());
        let changes = objects.take_changes();
        let mut last = translator.translate(&objects, &changes).unwrap();
        for step in steps {
            match &step {
                Step::Apply(object) => drop(objects.apply(object)),
                Step::Remove(kind, key) => drop(objects.remove(*kind, key)),
            }
            let changes = objects.take_changes();
            let next = translator.translate(&objects, &changes);
            let next = next.unwrap_or_else(|| last.clone());
            prop_assert_eq!(&next, &Translator::translate_once(options(), &objects), "after {:?}", step);
            unchanged_parts_are_kept(&last, &next)?;
            last = next;
        }
    }

    #[test]
    fn tables_agree_with_the_naive_model(specs in sets::specs()) {
        let objects: Vec<_> = std::iter::once(sets::class()).chain(specs.iter().map(Spec::object)).collect();
        let snapshot = once(&objects);
        let hosts: BTreeMap<&str, &Host> = snapshot.hosts.iter().map(|host| (host.name.as_str(), &**host)).collect();
        let model = model::servers(&specs);
        prop_assert_eq!(hosts.keys().copied().collect::<Vec<_>>(), model.keys().map(String::as_str).collect::<Vec<_>>());
        for (name, server) in &model {
            let host = hosts[name.as_str()];
            prop_assert_eq!(host.mode == PathMode::Pattern, server.is_regex(), "mode of {}", name);
            prop_assert_eq!(table(host), server.table(), "table of {}", name);
        }
    }

    #[test]
    fn snapshots_are_whole(objects in sets::objects()) {
        let snapshot = once(&objects);
        let names: Vec<_> = snapshot.hosts.iter().map(|host| &host.name).collect();
        prop_assert!(names.is_sorted() && names.iter().any(|name| *name == "_"));
        for location in snapshot.hosts.iter().flat_map(|host| &host.locations) {
            if let Action::Forward(forward) = &location.action {
                prop_assert!(snapshot.upstreams.contains(&forward.upstream));
                if let WhenEmpty::Fallback(other) = &forward.when_empty {
                    prop_assert!(snapshot.upstreams.contains(other));
                }
            }
        }
        for host in snapshot.hosts.iter() {
            let roots = host.locations.iter().filter(|location| matches!(&location.matcher, PathMatch::Prefix(path) | PathMatch::Pattern(path) if path == "/"));
            prop_assert_eq!(roots.count(), 1, "{} answers everything", host.name);
        }
        let tls = &snapshot.tls;
        for id in tls.names.values().flatten().chain(&tls.default) {
            prop_assert!(tls.certificates.contains_key(id));
        }
    }
}

/// What is equal in two snapshots is the same in memory.
fn unchanged_parts_are_kept(before: &Snapshot, after: &Snapshot) -> Result<(), TestCaseError> {
    let hosts: BTreeMap<_, _> = before.hosts.iter().map(|host| (&host.name, host)).collect();
    for host in after.hosts.iter() {
        let Some(old) = hosts.get(&host.name) else { continue };
        prop_assert_eq!(Arc::ptr_eq(old, host), **old == *host, "host {}", host.name);
        for location in &host.locations {
            let old = old.locations.iter().find(|old| old.matcher == location.matcher);
            if let Some(old) = old.filter(|old| *old == location) {
                prop_assert!(Arc::ptr_eq(old, location), "location {:?}", location.matcher);
            }
        }
    }
    let same_hosts = before.hosts.iter().eq(after.hosts.iter());
    prop_assert_eq!(Arc::ptr_eq(&before.hosts, &after.hosts), same_hosts, "the list of hosts");
    for upstream in after.upstreams.sorted() {
        if let Some(old) = before.upstreams.get(&upstream.id) {
            prop_assert_eq!(Arc::ptr_eq(old, upstream), old == upstream, "{}", &upstream.id);
        }
    }
    prop_assert_eq!(Arc::ptr_eq(&before.tls, &after.tls), before.tls == after.tls, "tls");
    prop_assert_eq!(
        Arc::ptr_eq(&before.settings, &after.settings),
        before.settings == after.settings
    );
    prop_assert_eq!(
        Arc::ptr_eq(&before.verdicts, &after.verdicts),
        before.verdicts == after.verdicts
    );
    Ok(())
}

/// A host's table in the form of the model's.
fn table(host: &Host) -> Vec<(PathMatch, String, String)> {
    let is_own = |action: &Action| matches!(action, Action::Health | Action::ConnectionStatus);
    let rows = host.locations.iter().filter(|location| !is_own(&location.action));
    let rows = rows.map(|location| {
        let to = match &location.action {
            Action::Forward(forward) => forward.upstream.service.clone(),
            _ => String::new(),
        };
        let target = location.rewrite.as_ref().map(|rewrite| rewrite.target.clone());
        (location.matcher.clone(), to, target.unwrap_or_default())
    });
    let mut rows: Vec<_> = rows.collect();
    if host.mode == PathMode::Literal {
        rows.sort();
    }
    rows
}
