//! Secrets with users, and what changes when they do.

use headgate_config::{Location, protection::Users};

use super::*;

fn listed(text: &str) -> Object {
    typed::<Secret>(json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": { "name": "users", "namespace": "ns" }, "stringData": { "auth": text },
    }))
}

/// The users of each location of a host that asks for a password; none where it is denied.
fn users(plane: &Plane, name: &str) -> Vec<Option<Arc<Users>>> {
    let host = plane.last.hosts.iter().find(|host| host.name == name).unwrap();
    let of = |location: &Arc<Location>| {
        let protection = location.protection.as_ref()?;
        Some(Arc::clone(&protection.password.as_ref()?.users))
    };
    let forwards = |location: &&Arc<Location>| location.action != Action::Deny;
    host.locations.iter().map(|location| Some(location).filter(forwards).and_then(of)).collect()
}

#[test]
fn a_secret_that_appears_changes_and_goes_is_noticed() {
    let mut plane = Plane::new(Options::default());
    let annotations = [("auth-type", "basic"), ("auth-secret", "users")];
    plane.apply(&ingress("one.test", &annotations));
    assert!(users(&plane, "one.test").iter().all(Option::is_none));
    plane.apply(&listed("foo:{PLAIN}one"));
    let first = users(&plane, "one.test");
    let hash = |users: &Option<Arc<Users>>| users.as_ref().unwrap().hash("foo").map(str::to_owned);
    assert!(first.iter().all(|users| hash(users).as_deref() == Some("{PLAIN}one")));
    plane.apply(&listed("foo:{PLAIN}two"));
    let second = users(&plane, "one.test");
    assert!(second.iter().all(|users| hash(users).as_deref() == Some("{PLAIN}two")));
    plane.remove(Kind::Secret, "ns", "users");
    assert!(users(&plane, "one.test").iter().all(Option::is_none));
}

#[test]
fn hosts_with_the_same_users_have_them_once() {
    let mut plane = Plane::new(Options::default());
    let annotations = [("auth-type", "basic"), ("auth-secret", "users")];
    plane.apply(&listed("foo:{PLAIN}one"));
    plane.apply(&ingress("one.test", &annotations));
    let other = [("auth-realm", "another"), annotations[0], annotations[1]];
    plane.apply(&ingress_named("two", "nginx", "two.test", &other, json!({})));
    let both = [users(&plane, "one.test"), users(&plane, "two.test")].concat();
    let all: Vec<_> = both.into_iter().flatten().collect();
    assert!(all.len() >= 2 && all.iter().all(|users| Arc::ptr_eq(users, &all[0])));
}

#[test]
fn a_refused_update_does_not_keep_users_who_were_removed() {
    let mut plane = Plane::new(Options::default());
    let good = [("auth-type", "basic"), ("auth-secret", "users")];
    let bad = [good[0], good[1], ("limit-rps", "10r/s")];
    let names = |plane: &Plane, user: &str| {
        let users = users(plane, "one.test").into_iter().flatten();
        users.filter(|users| users.hash(user).is_some()).count()
    };
    plane.apply(&listed("foo:{PLAIN}one"));
    plane.apply(&ingress("one.test", &good));
    assert!(names(&plane, "foo") > 0);
    plane.apply(&ingress("one.test", &bad));
    assert_eq!(plane.reasons(), [(Effect::Refused, "InvalidAnnotation")]);
    plane.apply(&listed("bar:{PLAIN}two"));
    assert_eq!(names(&plane, "foo"), 0);
    assert!(names(&plane, "bar") > 0);

    plane.remove(Kind::Secret, "ns", "users");
    assert!(users(&plane, "one.test").iter().all(Option::is_none), "nobody is let in");
    let reasons =
        [(Effect::Refused, "InvalidAnnotation"), (Effect::Denied, "AnnotationParsingFailed")];
    assert_eq!(plane.reasons(), reasons);
    plane.apply(&listed("bar:{PLAIN}two"));
    plane.apply(&ingress("one.test", &good));
    assert_eq!(plane.reasons(), []);
}
