use headgate_config::{LogTarget, MessageLevel, Settings, Syslog};

use crate::translate::config::tests::read;

fn settings(data: &[(&str, &str)]) -> Settings {
    let config = read(data);
    assert_eq!(config.verdicts, [], "{data:?}");
    (*config.settings).clone()
}

fn file(path: &str) -> LogTarget {
    LogTarget::File(path.into())
}

#[test]
fn a_path_is_for_both_logs_and_each_may_have_one_of_its_own() {
    let both = settings(&[("access-log-path", "/logs/all")]);
    assert_eq!([both.log.target, both.stream.log_target], [file("/logs/all"), file("/logs/all")]);
    let own = settings(&[
        ("access-log-path", "/logs/all"),
        ("http-access-log-path", "/logs/http"),
        ("stream-access-log-path", "/dev/stdout"),
    ]);
    assert_eq!([own.log.target, own.stream.log_target], [file("/logs/http"), LogTarget::Stdout]);
    assert!(own.log.origin.is_some(), "a file may turn out to be none");
    let off = settings(&[("http-access-log-path", "off")]);
    assert!(!off.access_log && off.stream.access_log);
    assert_eq!(settings(&[("access-log-path", "")]), Settings::default());
}

#[test]
fn syslog_takes_requests_and_messages_and_leaves_streams() {
    let settings = settings(&[
        ("enable-syslog", "true"),
        ("error-log-path", "/logs/errors"),
        ("http-access-log-path", "/logs/http"),
        ("stream-access-log-path", "/logs/streams"),
        ("syslog-host", "logs.test"),
    ]);
    let receiver = LogTarget::Syslog(Syslog::new("logs.test", 514));
    assert_eq!(settings.log.target, receiver);
    assert_eq!(settings.messages.target, Some(receiver));
    assert_eq!(settings.stream.log_target, file("/logs/streams"));
}

#[test]
fn syslog_without_a_receiver_is_said_and_changes_nothing() {
    let config = read(&[("enable-syslog", "true"), ("access-log-path", "/logs/all")]);
    assert!(config.verdicts[0].message.contains("syslog-host"), "{:?}", config.verdicts);
    assert_eq!(config.settings.log.target, file("/logs/all"));
}

#[test]
fn a_path_may_be_a_receiver_as_nginx_has_it() {
    let path = "syslog:server=[::1]:5514,facility=local3,severity=warn,tag=edge,nohostname";
    let expected = Syslog {
        facility: 19,
        severity: 4,
        tag: "edge".into(),
        hostname: false,
        ..Syslog::new("[::1]", 5514)
    };
    let settings = settings(&[("http-access-log-path", path)]);
    assert_eq!(settings.log.target, LogTarget::Syslog(expected));
}

#[test]
fn messages_have_a_level_and_a_path() {
    let settings = settings(&[("error-log-level", "crit"), ("error-log-path", "/logs/errors")]);
    assert_eq!(settings.messages.level, Some(MessageLevel::Error));
    assert_eq!(settings.messages.target, Some(file("/logs/errors")));
}

#[test]
fn what_cannot_be_meant_is_named_and_the_default_stays() {
    for (key, value) in [
        ("access-log-path", "logs/access.log"),
        ("access-log-path", "/logs/$host.log"),
        ("access-log-path", "syslog:server=unix:/dev/log"),
        ("access-log-path", "syslog:server=a,facility=local9"),
        ("access-log-params", "buffer=1k nonsense"),
        ("error-log-path", "off"),
        ("error-log-level", "loud"),
        ("syslog-host", "a b"),
        ("syslog-port", "0"),
    ] {
        let config = read(&[(key, value)]);
        assert!(config.verdicts[0].message.starts_with(key), "{key}: {:?}", config.verdicts);
        assert_eq!(*config.settings, Settings::default(), "{key}: {value}");
    }
}

#[test]
fn words_that_would_change_the_log_are_named() {
    assert_eq!(read(&[("access-log-params", "buffer=16k flush=5s")]).verdicts, []);
    let said = read(&[("access-log-params", "buffer=16k gzip=1")]).verdicts;
    assert!(said[0].message.contains("\"gzip=1\" has no effect"), "{said:?}");
}
