//! Folders of manifests and what they mean: `golden/<case>/in.yaml` -> `snapshot.yaml`.
//!
//! `BLESS=1 cargo test -p headgate-controller --test golden` writes what is meant now; the difference is for the
//! reviewer. An `options.yaml` in the case sets start-up options. Fields that have their default are left out.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may fail where it stands"
)]

use std::{env, fs, path::Path, str::FromStr};

use headgate_config::{
    Action, Endpoints, Forward, Host, Location, PathMatch, ProxySettings, Redirect, Settings,
    Snapshot, WhenEmpty,
};
use headgate_controller::{
    NamespacedName, Options, objects::Objects, source::directory::Directory, translate::Translator,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Start-up options of a case.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Flags {
    configmap: Option<String>,
    default_backend_service: Option<String>,
    default_ssl_certificate: Option<String>,
    disable_catch_all: bool,
    disable_svc_external_name: bool,
    resolve_services_by_name: bool,
}

impl From<Flags> for Options {
    fn from(flags: Flags) -> Self {
        let name = |text: Option<String>| text.map(|text| NamespacedName::from_str(&text).unwrap());
        Self {
            configmap: name(flags.configmap),
            default_backend_service: name(flags.default_backend_service),
            default_ssl_certificate: name(flags.default_ssl_certificate),
            disable_catch_all: flags.disable_catch_all,
            disable_svc_external_name: flags.disable_svc_external_name,
            resolve_services_by_name: flags.resolve_services_by_name,
            ..Self::default()
        }
    }
}

#[test]
fn every_case_means_what_it_meant() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let bless = env::var_os("BLESS").is_some();
    let mut cases: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(cases.len() > 10, "the cases are not where they should be");
    let mut wrong = Vec::new();
    for case in cases {
        let expected = case.join("snapshot.yaml");
        let has_services =
            fs::read_to_string(case.join("in.yaml")).unwrap().contains("kind: Service\n");
        let meant = serde_saphyr::to_string(&shown(&translate(&case), has_services)).unwrap();
        if bless {
            fs::write(&expected, meant).unwrap();
        } else if fs::read_to_string(&expected).unwrap_or_default() != meant {
            println!("--- {}\n{meant}", case.display());
            wrong.push(case.file_name().unwrap().to_owned());
        }
    }
    assert!(wrong.is_empty(), "not as in snapshot.yaml: {wrong:?}");
}

fn translate(case: &Path) -> Snapshot {
    let flags = fs::read_to_string(case.join("options.yaml")).unwrap_or_else(|_| "{}".into());
    let flags: Flags = serde_saphyr::from_str(&flags).unwrap();
    let mut objects = Objects::default();
    let mut directory = Directory::open(vec![case.to_owned()]).unwrap();
    directory.rescan(std::time::Instant::now(), &mut objects);
    assert_eq!(directory.verdicts(), [], "{}", case.display());
    Translator::translate_once(flags.into(), &objects)
}

/// A snapshot without what is as always. Cases without Services are about something else: their upstreams are empty.
fn shown(snapshot: &Snapshot, has_services: bool) -> Value {
    let hosts =
        snapshot.hosts.iter().map(|host| shown_host(host)).filter(|host| *host != stock_host());
    let hosts: Vec<_> = hosts.collect();
    let upstreams = snapshot.upstreams.sorted().into_iter().filter(|_| has_services);
    let upstreams = upstreams.map(|upstream| match &upstream.endpoints {
        Endpoints::Addresses(addresses) => format!("{}: {addresses:?}", upstream.id),
        Endpoints::Name { name, port, remote_only } => {
            let remote_only = if *remote_only { " elsewhere" } else { "" };
            format!("{}: {name} {port}{remote_only}", upstream.id)
        }
    });
    let upstreams: Vec<_> = upstreams.collect();
    let unusual = unusual(value(&snapshot.settings), &value(&Settings::default()));
    let verdicts = snapshot.verdicts.iter();
    let verdicts = verdicts.filter(|verdict| has_services || verdict.reason != "ServiceNotFound");
    let verdicts = verdicts.map(|verdict| {
        format!("{} {:?} {}: {}", verdict.object, verdict.effect, verdict.reason, verdict.message)
    });
    let verdicts: Vec<_> = verdicts.collect();
    let mut tls = value(&snapshot.tls);
    without(&mut tls, &[("names", json!({})), ("certificates", json!({}))]);
    let mut shown = json!({
        "hosts": hosts, "upstreams": upstreams, "tls": tls, "settings": unusual, "verdicts": verdicts,
    });
    let empty = [("hosts", json!([])), ("upstreams", json!([])), ("verdicts", json!([]))];
    without(&mut shown, &empty);
    without(&mut shown, &[("tls", json!({})), ("settings", json!({}))]);
    shown
}

/// The default host of a configuration that says nothing about it.
fn stock_host() -> Value {
    let snapshot = Translator::translate_once(Options::default(), &Objects::default());
    shown_host(&snapshot.hosts[0])
}

fn shown_host(host: &Host) -> Value {
    let mut shown = value(host);
    shown["origin"] = host.origin.as_ref().map(ToString::to_string).into();
    if let Some(object) = &host.alias_origin {
        shown["alias_origin"] = object.to_string().into();
    }
    shown["locations"] = host.locations.iter().map(|location| shown_location(location)).collect();
    without(&mut shown, &[("aliases", json!([]))]);
    shown
}

fn shown_location(location: &Location) -> Value {
    let origin = &location.origin;
    let object = origin.object.as_ref().map_or_else(|| "built in".into(), ToString::to_string);
    let to = match &location.action {
        Action::Forward(Forward { upstream, when_empty: WhenEmpty::Respond(status) }) => {
            format!("{upstream} or {status}")
        }
        Action::Forward(Forward { upstream, when_empty: WhenEmpty::Fallback(other) }) => {
            format!("{upstream} or {other}")
        }
        Action::Respond(status) => status.to_string(),
        action => format!("{action:?}"),
    };
    let mut shown = value(location);
    for name in ["matcher", "action", "origin"] {
        shown.as_object_mut().unwrap().remove(name);
    }
    shown["is"] = match &location.matcher {
        PathMatch::Exact(path) => format!("exact {path} -> {to}"),
        PathMatch::Prefix(path) => format!("prefix {path} -> {to}"),
        PathMatch::Pattern(path) => format!("pattern {path} -> {to}"),
    }
    .into();
    shown["of"] =
        format!("{object} {} {} {}", origin.path, origin.service, origin.port).trim().into();
    shown["proxy"] = unusual(value(&location.proxy), &value(&ProxySettings::default()));
    without(
        &mut shown,
        &[
            ("slash_redirect", json!(false)),
            ("body_limit", json!(1024 * 1024)),
            ("https_redirect", json!("ifCertificate")),
            ("redirect", value(&Redirect::default())),
            ("proxy", json!({})),
            ("access_log", json!(true)),
        ],
    );
    shown
}

/// The fields that differ from the defaults.
fn unusual(mut shown: Value, defaults: &Value) -> Value {
    shown.as_object_mut().unwrap().retain(|name, value| defaults[name] != *value);
    shown
}

/// Removes fields that are null or have these values.
fn without(value: &mut Value, defaults: &[(&str, Value)]) {
    let fields = value.as_object_mut().unwrap();
    fields.retain(|name, value| !value.is_null() || name == "body_limit");
    for (name, default) in defaults {
        if fields.get(*name) == Some(default) {
            fields.remove(*name);
        }
    }
}

fn value<T: Serialize>(of: &T) -> Value {
    serde_json::to_value(of).unwrap()
}
