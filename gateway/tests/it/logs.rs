//! Where the access log goes: files, receivers of datagrams; and that questions to other services may be in it.

use std::{
    fs,
    net::{Ipv4Addr, UdpSocket},
    path::Path,
    time::Duration,
};

use headgate_config::{LogTarget, ObjectRef, Settings, Snapshot, Syslog};

use crate::{
    external::{Guarded, get, service},
    support::{Table, TestGateway, Upstream, eventually},
};

fn table(upstream: &Upstream, change: impl FnOnce(&mut Settings)) -> Snapshot {
    let table = Table::default().upstream("app", &[upstream.address]).log_format("$request_uri");
    table.prefix("a.test", "/", "app").settings(change).build()
}

fn to_file(upstream: &Upstream, path: &Path) -> Snapshot {
    let target = LogTarget::File(path.display().to_string());
    table(upstream, |settings| settings.log.target = target)
}

/// Whose settings they are.
fn config_map() -> ObjectRef {
    ObjectRef { kind: "ConfigMap".into(), namespace: "sys".into(), name: "conf".into() }
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

#[test]
fn requests_are_logged_to_a_file_that_is_made_anew_when_it_was_moved() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, moved) = (folder.path().join("access.log"), folder.path().join("access.log.1"));
    let upstream = Upstream::echo("ok");
    let gateway = TestGateway::start(to_file(&upstream, &path));
    gateway.get("/one");
    eventually("the request is logged", || text(&path) == "/one\n");
    fs::rename(&path, &moved).expect("moved");
    gateway.get("/two");
    eventually("the next one is logged", || text(&path) == "/two\n");
    assert_eq!(text(&moved), "/one\n");
    gateway.live.publish(table(&upstream, |_| {}));
    gateway.get("/three");
    assert_eq!(gateway.logged(0), "/three");
}

#[test]
fn a_file_that_cannot_be_opened_has_a_verdict_and_its_lines_are_not_lost() {
    let upstream = Upstream::echo("ok");
    let gateway = TestGateway::start(table(&upstream, |settings| {
        settings.log.target = LogTarget::File("/nonexistent/folder/access.log".into());
        settings.log.origin = Some(config_map());
    }));
    let reasons: Vec<_> =
        gateway.live.load().snapshot.verdicts.iter().map(|it| it.reason.clone()).collect();
    assert_eq!(reasons, ["LogNotOpened"]);
    gateway.get("/one");
    assert_eq!(gateway.logged(0), "/one");
}

#[test]
fn a_format_that_cannot_be_used_has_a_verdict() {
    let upstream = Upstream::echo("ok");
    let gateway = TestGateway::start(table(&upstream, |settings| {
        settings.log_format = Some("$statuss".into());
        settings.log.origin = Some(config_map());
    }));
    let verdicts = &gateway.live.load().snapshot.verdicts;
    let messages: Vec<_> = verdicts.iter().map(|verdict| verdict.message.as_str()).collect();
    assert!(messages.len() == 1 && messages[0].contains("log-format-upstream"), "{messages:?}");
}

#[test]
fn requests_are_logged_by_datagrams() {
    let receiver = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    receiver.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    let port = receiver.local_addr().expect("bound").port();
    let upstream = Upstream::echo("ok");
    let gateway = TestGateway::start(table(&upstream, |settings| {
        settings.log.target = LogTarget::Syslog(Syslog::new("127.0.0.1", port));
    }));
    gateway.get("/one");
    let mut buffer = [0; 1024];
    let length = receiver.recv(&mut buffer).expect("a datagram");
    let datagram = String::from_utf8_lossy(&buffer[..length]);
    assert!(datagram.starts_with("<190>") && datagram.ends_with(" nginx: /one"), "{datagram}");
    assert_eq!(gateway.log(), [""; 0]);
}

#[test]
fn questions_have_lines_of_their_own_where_that_is_wanted() {
    let app = Upstream::echo("app");
    let asked = service(200, "");
    let guarded = Guarded::by(&app, asked.address);
    let logged = |questions: bool| {
        let mut snapshot = guarded.table();
        let mut settings = (*snapshot.settings).clone();
        settings.log.questions = questions;
        settings.log_format = Some("$request_uri $status $upstream_addr".into());
        snapshot.settings = settings.into();
        let gateway = TestGateway::start(snapshot);
        get(&gateway, "/x", "");
        gateway.logged(usize::from(questions));
        gateway.log()
    };
    let request = format!("/x 200 {}", app.address);
    assert_eq!(logged(false), std::slice::from_ref(&request));
    assert_eq!(logged(true), [format!("/x 200 {}", asked.address), request]);
}
