//! What the settings and single hosts offer.

use headgate_config::{HostCiphers, KeyGroup, TicketKey, TlsSuite, TlsVersions};

use super::*;

fn state(change: impl FnOnce(&mut TlsSettings)) -> TlsState {
    let mut tls = TlsSettings::default();
    change(&mut tls);
    TlsState::compile(&table(&[], None, &[]), None, &Offer { http2: true, tls }, None)
}

fn ciphers(suites: &[TlsSuite]) -> HostCiphers {
    HostCiphers { suites: suites.into(), own_order: true }
}

/// What a client of this version gets.
fn seen(config: Arc<ServerConfig>, version: &'static SupportedProtocolVersion) -> io::Result<Seen> {
    handshake(config, &Arc::new(client(&[version])), "a.test")
}

fn suite(state: &TlsState, host: Option<&HostCiphers>) -> CipherSuite {
    seen(state.config_for(host, None), &TLS12).unwrap().cipher
}

#[test]
fn a_host_may_have_other_suites_and_all_that_have_the_same_share_them() {
    let state = state(|_| {});
    let strong = ciphers(&[TlsSuite::EcdheRsaAes256GcmSha384]);
    assert_eq!(suite(&state, Some(&strong)), CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384);
    assert_eq!(suite(&state, None), CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256);
    let again = ciphers(&[TlsSuite::EcdheRsaAes256GcmSha384]);
    let config = |ciphers| state.config_for(Some(ciphers), None);
    assert!(Arc::ptr_eq(&config(&strong), &config(&again)));
}

#[test]
fn without_a_suite_for_it_there_is_no_older_version() {
    let state = state(|tls| tls.versions = TlsVersions::Tls12);
    let none = ciphers(&[]);
    assert!(seen(state.config_for(Some(&none), None), &TLS12).is_err());
    assert!(seen(state.config_for(Some(&none), None), &TLS13).is_ok());
    assert!(seen(state.server_config(), &TLS12).is_ok());
    assert!(seen(state.server_config(), &TLS13).is_err());
}

#[test]
fn the_clients_order_counts_where_it_is_to() {
    let state = state(|_| {});
    let mut config = client(&[&TLS12]);
    let mut provider = (**config.crypto_provider()).clone();
    let preferred = CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256;
    provider.cipher_suites.sort_by_key(|suite| suite.suite() != preferred);
    let provider = Arc::new(provider);
    config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS12])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate::new()))
        .with_no_client_auth();
    let config = Arc::new(config);
    let polite = HostCiphers { own_order: false, ..HostCiphers::default() };
    let cipher = |host: Option<&HostCiphers>| {
        handshake(state.config_for(host, None), &config, "a.test").unwrap().cipher
    };
    assert_eq!(cipher(Some(&polite)), preferred);
    assert_ne!(cipher(None), preferred);
}

#[test]
fn only_the_groups_of_the_list_are_offered() {
    let state = state(|tls| tls.groups = vec![KeyGroup::P384]);
    let groups: Vec<_> = state
        .server_config()
        .crypto_provider()
        .kx_groups
        .iter()
        .map(|group| group.name())
        .collect();
    assert_eq!(groups, [rustls::NamedGroup::secp384r1]);
    assert!(seen(state.server_config(), &TLS13).is_ok());
}

/// How the second of two handshakes is made with these states.
fn second(states: [&TlsState; 2], version: &'static SupportedProtocolVersion) -> HandshakeKind {
    let client = Arc::new(client(&[version]));
    let kinds =
        states.map(|state| handshake(state.server_config(), &client, "a.test").unwrap().kind);
    kinds[1]
}

#[test]
fn without_cache_and_tickets_nothing_is_resumed() {
    let cached = state(|_| {});
    let none = state(|tls| tls.session_cache = false);
    for version in [&TLS12, &TLS13] {
        assert_eq!(second([&cached, &cached], version), HandshakeKind::Resumed, "{version:?}");
        assert_eq!(second([&none, &none], version), HandshakeKind::Full, "{version:?}");
    }
}

#[test]
fn a_ticket_is_good_for_whoever_has_the_same_key() {
    let with_key = |byte: u8| {
        state(|tls| {
            tls.tickets = true;
            tls.ticket_key = Some(TicketKey::new(&[byte; 48]));
        })
    };
    let own = state(|tls| tls.tickets = true);
    for version in [&TLS12, &TLS13] {
        let (one, same, other) = (with_key(1), with_key(1), with_key(2));
        assert_eq!(second([&one, &same], version), HandshakeKind::Resumed, "{version:?}");
        assert_eq!(second([&one, &other], version), HandshakeKind::Full, "{version:?}");
        assert_eq!(second([&own, &own], version), HandshakeKind::Resumed, "{version:?}");
    }
}

#[test]
fn a_change_of_other_settings_forgets_no_session() {
    let before = state(|_| {});
    let offer = Offer { http2: false, tls: TlsSettings::default() };
    let after = TlsState::compile(&table(&[], None, &[]), Some(&before), &offer, None);
    assert_eq!(second([&before, &after], &TLS13), HandshakeKind::Resumed);
}
