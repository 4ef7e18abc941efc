mod limits;
mod orphans;

use std::collections::BTreeMap;

use headgate_config::{
    ClientCertificates, Endpoints, HostPattern, ObjectRef, PathMatch, PathMode, Upstream,
    client_certificates::{Authorities, Mode, Verification},
};

use super::*;
use crate::{live::LiveAction, observe::metrics::MetricsSettings};

fn compiler(runtime: &tokio::runtime::Runtime) -> Compiler {
    let metrics = Metrics::new(MetricsSettings::default());
    Compiler::new(Resolver::new(runtime.handle().clone()), metrics)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn id(number: u16) -> UpstreamId {
    UpstreamId { namespace: "ns".into(), service: format!("s{number:03}"), port: "80".into() }
}

fn upstream(number: u16, port: u16) -> Arc<Upstream> {
    let address = ([10, 0, 0, 1], port).into();
    let endpoints = Endpoints::Addresses(vec![address]);
    Arc::new(Upstream::new(id(number), endpoints))
}

fn host(name: &str) -> Arc<Host> {
    Arc::new(Host {
        name: name.into(),
        pattern: HostPattern::Exact(name.into()),
        aliases: Vec::new(),
        alias_origin: None,
        mode: PathMode::Literal,
        locations: Vec::new(),
        app_root: None,
        redirect_to: None,
        client_certificates: None,
        snippet: None,
        ciphers: None,
        origin: None,
    })
}

fn snapshot(hosts: &[Arc<Host>], upstreams: &[Arc<Upstream>]) -> Snapshot {
    let upstreams = upstreams.iter().cloned().collect();
    Snapshot { hosts: hosts.into(), upstreams, ..Snapshot::default() }
}

#[test]
fn a_change_of_endpoints_leaves_the_table_of_hosts_alone() {
    let runtime = runtime();
    let mut compiler = compiler(&runtime);
    let hosts = [host("a.example"), host("b.example")];
    let first = compiler.compile(snapshot(&hosts, &[upstream(1, 1), upstream(2, 1)]), 1);
    let second = compiler.compile(snapshot(&hosts, &[upstream(1, 1), upstream(2, 2)]), 2);
    assert!(Arc::ptr_eq(&first.hosts, &second.hosts));
    let addresses = compiler.registry.find(&id(2)).unwrap().addresses();
    assert_eq!(addresses[0].port(), 2);

    let changed = [hosts[0].clone(), host("c.example")];
    let third = compiler.compile(snapshot(&changed, &[upstream(1, 1)]), 3);
    assert!(third.hosts.find(b"c.example").is_some() && third.hosts.find(b"b.example").is_none());
    let same = (first.hosts.find(b"a.example"), third.hosts.find(b"a.example"));
    assert!(
        Arc::ptr_eq(same.0.unwrap(), same.1.unwrap()),
        "a host that is the same is compiled anew"
    );
}

#[test]
fn upstreams_come_change_and_go_with_the_snapshot() {
    let runtime = runtime();
    let mut compiler = compiler(&runtime);
    let mut random = fastrand::Rng::with_seed(7);
    let mut now: BTreeMap<u16, (u16, Arc<Upstream>)> = BTreeMap::new();
    for revision in 1..300 {
        for _ in 0..random.usize(0..8) {
            let (number, port) = (random.u16(0..30), random.u16(1..4));
            match random.bool() {
                true => drop(now.insert(number, (port, upstream(number, port)))),
                false => drop(now.remove(&number)),
            }
        }
        let upstreams: Vec<_> = now.values().map(|(_, upstream)| upstream.clone()).collect();
        compiler.compile(snapshot(&[], &upstreams), revision);
        compiler.forget_unused();
        for number in 0..30 {
            let found =
                compiler.registry.find(&id(number)).map(|found| found.addresses()[0].port());
            assert_eq!(found, now.get(&number).map(|(port, _)| *port), "{number} in {revision}");
        }
    }
}

#[test]
fn a_finding_about_a_host_stays_while_the_host_does() {
    let runtime = runtime();
    let mut compiler = compiler(&runtime);
    let object = headgate_config::ObjectRef {
        kind: "Ingress".into(),
        namespace: "ns".into(),
        name: "i".into(),
    };
    let mut broken = Host::clone(&host("a.example"));
    broken.aliases.push(HostPattern::Regex("(".into()));
    broken.alias_origin = Some(Arc::new(object));
    let hosts = [Arc::new(broken)];
    for (revision, port) in [(1, 1), (2, 2)] {
        let live = compiler.compile(snapshot(&hosts, &[upstream(1, port)]), revision);
        assert_eq!(live.snapshot.verdicts.len(), 1, "{revision}");
    }
    let live = compiler.compile(snapshot(&[host("a.example")], &[upstream(1, 2)]), 3);
    assert!(live.snapshot.verdicts.is_empty());
}

#[test]
fn the_place_of_an_unusable_pattern_denies_all_that_it_might_have_meant() {
    use crate::route::{path::Found, sample};

    for (pattern, paths) in [
        ("/admin(?<=a+)", ["/admin", "/admi", "/admin/x"]),
        ("/admin|/private(?<=a+)", ["/admin", "/private/x", "/other"]),
        ("(?<=a+)/admin", ["/admin", "/b", "/"]),
    ] {
        let bad = sample::location(PathMatch::Pattern(pattern.into()));
        let root = sample::location(PathMatch::Pattern("/".into()));
        let host = sample::host(PathMode::Pattern, vec![Arc::new(bad), Arc::new(root)]);
        let live = compiler(&runtime()).host(&Arc::new(host));
        for path in paths {
            let Found::Location(index) = live.table.find(path.as_bytes()) else {
                panic!("{pattern}: nothing has {path}");
            };
            let action = &live.locations[index].action;
            assert!(matches!(action, LiveAction::Deny), "{pattern}: {path} is not denied");
        }
    }
}

/// A host that asks its clients for certificates.
fn asking(name: &str, authorities: &Authorities, depth: u32) -> Arc<Host> {
    let verification = Verification {
        authorities: Arc::new(authorities.clone()),
        mode: Mode::Required,
        depth,
        subject: None,
        error_page: None,
        pass_certificate: false,
        origin: ObjectRef { kind: "Ingress".into(), namespace: "ns".into(), name: "i".into() },
    };
    let certificates = ClientCertificates::Verify(verification);
    Arc::new(Host { client_certificates: Some(Arc::new(certificates)), ..Host::clone(&host(name)) })
}

#[test]
fn authorities_are_prepared_once_for_all_hosts_and_kept_when_a_host_changes() {
    let authorities = |name: &str| {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        let certificates = vec![made.cert.der().to_vec()];
        Authorities { certificates, revocation_lists: Vec::new() }
    };
    let trust = |live: &LiveConfig, name: &str| {
        let host = live.hosts.find(name.as_bytes()).unwrap();
        Arc::clone(host.client_certificates.as_ref().unwrap().asks().unwrap())
    };
    let (one, other) = (authorities("one"), authorities("other"));
    let runtime = runtime();
    let mut compiler = compiler(&runtime);
    let hosts = [
        asking("a.example", &one, 1),
        asking("b.example", &one, 2),
        asking("c.example", &other, 1),
    ];
    let first = compiler.compile(snapshot(&hosts, &[]), 1);
    let kept = trust(&first, "a.example");
    assert!(Arc::ptr_eq(&kept, &trust(&first, "b.example")));
    assert!(!Arc::ptr_eq(&kept, &trust(&first, "c.example")));

    // All of them are other objects now, and the second one asks for something else.
    let hosts = [
        asking("a.example", &one, 5),
        asking("b.example", &other, 2),
        asking("c.example", &other, 1),
    ];
    let second = compiler.compile(snapshot(&hosts, &[]), 2);
    assert!(Arc::ptr_eq(&kept, &trust(&second, "a.example")));
    assert!(Arc::ptr_eq(&trust(&first, "c.example"), &trust(&second, "b.example")));
    assert!(Arc::ptr_eq(&trust(&first, "c.example"), &trust(&second, "c.example")));
}
