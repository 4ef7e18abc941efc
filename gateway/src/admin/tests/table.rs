//! What the table says, and to what it can be narrowed.

use super::*;

#[test]
fn the_table_shows_hosts_locations_endpoints_and_verdicts() {
    with_server(Limits::default(), Some(snapshot()), |server| async move {
        let table = server.json("/api/routes").await;
        assert_eq!(names(&table), ["*.b.test", "_", "a.test"]);
        let host = &table["hosts"][2];
        assert_eq!(host["certificate"]["named"], "shop/tls");
        assert_eq!(host["mode"], "literal");
        assert_eq!(host["aliases"][0]["anyDepth"], "alias.test");
        let location = &host["locations"][0];
        assert_eq!(location["matcher"]["prefix"], "/");
        assert_eq!(location["body_limit"], 1 << 20);
        assert_eq!(location["upstream"]["endpoints"]["addresses"][0], "10.0.0.7:8080");
        assert_eq!(table["hosts"][0]["certificate"], "default");
        assert_eq!(table["hosts"][1]["certificate"], "none");
        assert_eq!(table["certificates"][0]["names"][0], "a.test");
        assert_eq!(table["settings"]["redirect_status"], 308);
        assert_eq!(table["verdicts"][0]["message"], "because");
    });
}

#[test]
fn the_table_shows_no_secret() {
    with_server(Limits::default(), Some(snapshot()), |server| async move {
        let (_, body) = server.get("/api/routes").await;
        assert!(!body.contains("TOP-SECRET") && !body.contains("84,79,80"), "{body}");
        assert!(!body.contains("chain"), "{body}");
    });
}

#[test]
fn the_table_can_be_narrowed_to_the_hosts_that_a_name_reaches() {
    with_server(Limits::default(), Some(snapshot()), |server| async move {
        for (query, expected) in [
            ("a.test", vec!["a.test"]),
            ("A.Test", vec!["a.test"]),
            ("x.b.test", vec!["*.b.test"]),
            ("%2A.b.test", vec!["*.b.test"]),
            ("x.y.b.test", vec![]),
            ("_", vec!["_"]),
            ("x.alias.test", vec!["*.b.test", "_", "a.test"]),
        ] {
            let table = server.json(&format!("/api/routes?host={query}")).await;
            assert_eq!(names(&table), expected, "{query}");
        }
    });
}

/// Two Ingresses of two namespaces at one host, a verdict about each, and a third that is nowhere served.
fn shared_host() -> Snapshot {
    let object = |kind: &str, namespace: &str, name: &str| headgate_config::ObjectRef {
        kind: kind.into(),
        namespace: namespace.into(),
        name: name.into(),
    };
    let at = |namespace: &str, name: &str| {
        let before = host("shared.test", HostPattern::Exact("shared.test".into()), Action::Deny);
        let origin = Origin {
            object: Some(object("Ingress", namespace, name)),
            path: format!("/{name}"),
            ..Origin::default()
        };
        let location = Location::clone(&before.locations[0]);
        Arc::new(Location { origin: Arc::new(origin), ..location })
    };
    let shared = host("shared.test", HostPattern::Exact("shared.test".into()), Action::Deny);
    let locations = vec![at("shop", "cart"), at("blog", "posts")];
    let shared = Host { locations, aliases: Vec::new(), ..Host::clone(&shared) };
    let mut snapshot = snapshot();
    let mut hosts = snapshot.hosts.to_vec();
    hosts.push(Arc::new(shared));
    snapshot.hosts = hosts.into();
    let verdict = |object, reason: &str| Verdict {
        object,
        effect: Effect::Refused,
        reason: reason.into(),
        message: "because".into(),
    };
    let mut verdicts = vec![
        verdict(object("ConfigMap", "sys", "conf"), "Settings"),
        verdict(object("Ingress", "blog", "posts"), "Posts"),
        verdict(object("Ingress", "shop", "cart"), "Cart"),
        verdict(object("Ingress", "shop", "lost"), "Lost"),
        verdict(object("Secret", "blog", "tls"), "Certificate"),
        verdict(object("Secret", "other", "tls"), "Other"),
    ];
    verdicts.sort();
    snapshot.verdicts = Arc::new(verdicts);
    snapshot
}

fn reasons(table: &serde_json::Value) -> Vec<&str> {
    let verdicts = table["verdicts"].as_array().unwrap();
    verdicts.iter().map(|verdict| verdict["reason"].as_str().unwrap()).collect()
}

#[test]
fn the_table_can_be_narrowed_to_a_namespace_and_to_an_ingress() {
    with_server(Limits::default(), Some(shared_host()), |server| async move {
        let table = server.json("/api/routes?namespace=shop").await;
        assert_eq!(names(&table), ["shared.test"]);
        let locations = table["hosts"][0]["locations"].as_array().unwrap();
        assert_eq!(locations.len(), 1);
        assert_eq!(locations[0]["origin"]["path"], "/cart");
        assert_eq!(reasons(&table), ["Cart", "Lost"]);
        assert_eq!(table["verdicts_left_out"], 4);
        assert!(table.get("settings").is_none());

        let table = server.json("/api/routes?ingress=blog/posts").await;
        assert_eq!(table["hosts"][0]["locations"][0]["origin"]["path"], "/posts");
        assert_eq!(reasons(&table), ["Posts"]);
        let table = server.json("/api/routes?ingress=shop/lost").await;
        assert_eq!((names(&table), reasons(&table)), (vec![], vec!["Lost"]));
    });
}

#[test]
fn a_host_comes_with_the_verdicts_and_certificates_that_concern_it() {
    with_server(Limits::default(), Some(shared_host()), |server| async move {
        let table = server.json("/api/routes?host=shared.test").await;
        assert_eq!(reasons(&table), ["Settings", "Posts", "Cart", "Certificate"]);
        assert_eq!(table["verdicts_left_out"], 2);
        assert_eq!(table["certificates"], serde_json::json!([]));
        let table = server.json("/api/routes?host=a.test").await;
        assert_eq!(table["certificates"][0]["id"], "shop/tls");
    });
}

#[test]
fn verdicts_come_first_and_can_be_had_alone() {
    with_server(Limits::default(), Some(shared_host()), |server| async move {
        let (_, text) = server.get("/api/routes").await;
        assert!(text.starts_with("{\"verdicts\":["), "{text}");
        let table = server.json("/api/routes?verdicts").await;
        assert_eq!(reasons(&table).len(), 6);
        assert!(table.get("hosts").is_none());
        let table = server.json("/api/routes?verdicts&namespace=shop").await;
        assert_eq!(reasons(&table), ["Cart", "Lost"]);
    });
}
