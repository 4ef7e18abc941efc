//! TLS with clients, and what is forwarded below HTTP.

use headgate_config::{
    HostCiphers, KeyGroup, LogTarget, StreamSettings, TicketKey, TlsSettings, TlsSuite, TlsVersions,
};

use super::*;

#[test]
fn tls_is_spoken_as_the_keys_say() {
    let config = read(&[
        ("ssl-buffer-size", "4k"),
        ("ssl-ciphers", "ECDHE-RSA-AES256-GCM-SHA384"),
        ("ssl-ecdh-curve", "X25519:P-256"),
        ("ssl-protocols", "TLSv1.3"),
        ("ssl-reject-handshake", "true"),
        ("ssl-session-cache", "false"),
        ("ssl-session-ticket-key", &format!("{}\n", "QUJD".repeat(16))),
        ("ssl-session-tickets", "true"),
        ("ssl-session-timeout", "1h"),
    ]);
    let expected = TlsSettings {
        versions: TlsVersions::Tls13,
        ciphers: HostCiphers {
            suites: [TlsSuite::EcdheRsaAes256GcmSha384].into(),
            own_order: true,
        },
        groups: vec![KeyGroup::X25519, KeyGroup::P256],
        session_cache: false,
        tickets: true,
        ticket_key: Some(TicketKey::new(&b"ABC".repeat(16))),
        session_timeout: Duration::from_secs(3600),
        record_size: Some(4096),
        rejects_unknown_names: true,
    };
    assert_eq!(config.settings.tls, expected);
    assert_eq!(config.verdicts, []);
}

#[test]
fn what_tls_cannot_do_is_named_and_the_default_stays() {
    for (key, value, named) in [
        ("ssl-ciphers", "DHE-RSA-AES128-GCM-SHA256:HIGH", "DHE-RSA-AES128-GCM-SHA256"),
        ("ssl-dh-param", "ns/dh", "ns/dh"),
        ("ssl-early-data", "true", "ssl-early-data"),
        ("ssl-ecdh-curve", "secp521r1", "secp521r1"),
        ("ssl-protocols", "TLSv1 TLSv1.1", "TLSv1, TLSv1.1"),
        ("ssl-session-ticket-key", "c2hvcnQ=", "48 or 80 bytes"),
        ("ssl-session-timeout", "long", "\"long\""),
    ] {
        let config = read(&[(key, value)]);
        let said = &config.verdicts[0].message;
        assert!(said.contains(named) && said.starts_with(key), "{said}");
        assert!(!said.contains("c2hvcnQ="), "a secret is shown");
        let tls = &config.settings.tls;
        let plain = TlsSettings { ciphers: tls.ciphers.clone(), ..TlsSettings::default() };
        assert_eq!(*tls, plain, "{key}");
    }
}

#[test]
fn streams_are_forwarded_as_the_keys_say() {
    let config = read(&[
        ("disable-access-log", "true"),
        ("disable-stream-access-log", "false"),
        ("log-format-stream", "$status"),
        ("proxy-protocol-header-timeout", "2s"),
        ("proxy-stream-next-upstream", "false"),
        ("proxy-stream-next-upstream-timeout", "1s"),
        ("proxy-stream-next-upstream-tries", "2"),
        ("proxy-stream-responses", "4"),
        ("proxy-stream-timeout", "30s"),
        ("stream-access-log-path", "/tmp/streams"),
    ]);
    let expected = StreamSettings {
        timeout: Duration::from_secs(30),
        next_upstream: false,
        next_upstream_timeout: Duration::from_secs(1),
        next_upstream_tries: 2,
        responses: 4,
        access_log: false,
        log_format: Some("$status".into()),
        log_target: LogTarget::File("/tmp/streams".into()),
    };
    assert_eq!(config.settings.stream, expected);
    assert_eq!(config.settings.proxy_protocol_timeout, Duration::from_secs(2));
    let own = read(&[("disable-stream-access-log", "true")]);
    assert!(own.settings.access_log && !own.settings.stream.access_log);
}

#[test]
fn clients_are_served_at_the_addresses_that_are_listed() {
    let listed = read(&[("bind-address", "::1, 10.0.0.2,10.0.0.1"), ("disable-ipv6", "true")]);
    let expected = ["10.0.0.1", "10.0.0.2", "::1"].map(|text| text.parse().unwrap());
    assert_eq!(listed.verdicts, []);
    assert_eq!(listed.settings.entrances.only, Some(expected.to_vec()));
    assert!(listed.settings.entrances.no_ipv6);
    let more = read(&[("bind-address", "10.0.0.1"), ("bind-address-ipv6", "[::1]")]);
    assert_eq!(more.settings.entrances.only.as_ref().map(Vec::len), Some(2));
    assert_eq!(read(&[("bind-address", "")]).settings.entrances.only, None);
}

#[test]
fn a_list_of_addresses_that_names_none_serves_nobody_rather_than_everybody() {
    let partly = read(&[("bind-address", "10.0.0.1, eth0")]);
    assert_eq!(partly.settings.entrances.only.as_ref().map(Vec::len), Some(1));
    assert!(partly.verdicts[0].message.contains("\"eth0\""), "{:?}", partly.verdicts);
    let wholly = read(&[("bind-address", "eth0")]);
    assert_eq!(wholly.settings.entrances.only, Some(Vec::new()));
    assert_eq!(wholly.verdicts[0].effect, Effect::Denied);
}

#[test]
fn texts_have_the_type_that_is_said() {
    assert_eq!(settings("default-type", "text/plain").default_type, "text/plain");
    assert!(settings("disable-ipv6-dns", "true").ipv4_names);
    let odd = read(&[("default-type", "plain")]);
    assert_eq!((odd.settings.default_type.as_str(), odd.verdicts.len()), ("text/html", 1));
}

#[test]
fn what_there_is_none_of_is_said_where_it_is_asked_for() {
    for (key, value) in [
        ("enable-modsecurity", "true"),
        ("enable-owasp-modsecurity-crs", "true"),
        ("geoip2-autoreload-in-minutes", "5"),
        ("use-geoip2", "true"),
        ("worker-processes", "8"),
    ] {
        let verdicts = read(&[(key, value)]).verdicts;
        assert_eq!((verdicts.len(), verdicts[0].reason.as_str()), (1, "NotAvailable"), "{key}");
        assert!(verdicts[0].message.starts_with(key), "{verdicts:?}");
    }
    for (key, value) in
        [("enable-modsecurity", "false"), ("use-geoip2", "false"), ("worker-processes", "auto")]
    {
        assert_eq!(read(&[(key, value)]).verdicts, [], "{key}");
    }
}
