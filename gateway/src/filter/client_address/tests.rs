use proptest::prelude::*;

use super::*;

fn networks(texts: &[&str]) -> Vec<IpNet> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn client(peer: &str, chain: &[&str], trusted: &[&str]) -> String {
    let lines = chain.iter().map(|line| line.as_bytes());
    walk(peer.parse().unwrap(), lines, &networks(trusted)).to_string()
}

#[test]
fn the_first_address_from_the_right_that_is_not_trusted_is_the_client() {
    const LOCAL: &[&str] = &["127.0.0.0/8", "10.0.0.0/8", "2001:db8::/32"];
    for (chain, expected) in [
        (&["1.1.1.1"][..], "1.1.1.1"),
        (&["9.9.9.9, 1.1.1.1"], "1.1.1.1"),
        (&["9.9.9.9, 1.1.1.1, 10.0.0.7"], "1.1.1.1"),
        (&["9.9.9.9,1.1.1.1 10.0.0.7"], "1.1.1.1"),
        (&["9.9.9.9", "1.1.1.1,10.0.0.7", "10.0.0.8"], "1.1.1.1"),
        (&["10.0.0.9, 10.0.0.7"], "10.0.0.9"),
        (&["1.1.1.1, 2001:db8::7"], "1.1.1.1"),
        (&["1.1.1.1:99"], "1.1.1.1"),
        (&["[2002::1]:80"], "2002::1"),
        (&["::ffff:1.1.1.1, ::ffff:10.0.0.7"], "1.1.1.1"),
        (&["9.9.9.9, junk, 10.0.0.7"], "10.0.0.7"),
        (&["9.9.9.9", "junk"], "127.0.0.1"),
        (&["junk, 4.3.2.1"], "4.3.2.1"),
        (&[", ,1.1.1.1, ,"], "1.1.1.1"),
        (&["unknown"], "127.0.0.1"),
        (&["1.1.1.1:0"], "127.0.0.1"),
        (&["[::1]"], "127.0.0.1"),
        (&[""], "127.0.0.1"),
        (&[], "127.0.0.1"),
    ] {
        assert_eq!(client("127.0.0.1", chain, LOCAL), expected, "{chain:?}");
    }
}

#[test]
fn who_is_not_trusted_is_the_client_whatever_it_says() {
    assert_eq!(client("192.0.2.1", &["1.1.1.1"], &["127.0.0.0/8"]), "192.0.2.1");
    assert_eq!(client("192.0.2.1", &["1.1.1.1"], &[]), "192.0.2.1");
    assert_eq!(client("2001:db8::1", &["1.1.1.1"], &["0.0.0.0/0"]), "2001:db8::1");
}

#[test]
fn where_everybody_is_trusted_the_left_most_is_the_client() {
    assert_eq!(client("127.0.0.1", &["1.1.1.1, 2.2.2.2, 3.3.3.3"], &["0.0.0.0/0"]), "1.1.1.1");
}

#[test]
fn headers_are_believed_of_the_peers_that_are_named_and_by_default_of_all() {
    let rules = |peers: &[&str]| ForwardedHeaders {
        trusted: true,
        peers: networks(peers),
        ..ForwardedHeaders::default()
    };
    let (four, six) = ("10.1.1.1".parse().unwrap(), "2001:db8::1".parse().unwrap());
    assert!(!believes(&ForwardedHeaders::default(), four));
    let usual = ForwardedHeaders { trusted: true, ..ForwardedHeaders::default() };
    for (rules, of_four, of_six) in [
        (usual, true, true),
        (rules(&["10.0.0.0/8"]), true, false),
        (rules(&["2001:db8::/32"]), false, true),
        (rules(&["0.0.0.0/1", "128.0.0.0/1"]), true, false),
        (rules(&[]), false, false),
    ] {
        let found = (believes(&rules, four), believes(&rules, six));
        assert_eq!(found, (of_four, of_six), "{:?}", rules.peers);
    }
}

/// One of a few addresses, so that networks contain some of them.
fn address() -> impl Strategy<Value = IpAddr> {
    let few = ["10.0.0.1", "10.1.0.1", "192.0.2.1", "192.0.2.200", "2001:db8::1", "2001:db9::1"];
    prop::sample::select(few.map(|text| text.parse::<IpAddr>().unwrap()).to_vec())
}

fn trusted() -> impl Strategy<Value = Vec<IpNet>> {
    let few = ["10.0.0.0/8", "10.0.0.0/16", "192.0.2.0/25", "2001:db8::/32", "0.0.0.0/0"];
    prop::sample::subsequence(networks(&few), 0..=few.len())
}

/// What a list may hold: an address, or nothing of the kind.
fn item() -> impl Strategy<Value = (String, Option<IpAddr>)> {
    prop_oneof![
        6 => address().prop_map(|address| (address.to_string(), Some(address))),
        2 => address().prop_map(|address| (SocketAddr::new(address, 99).to_string(), Some(address))),
        1 => "[a-z_-]{1,4}".prop_map(|text| (text, None)),
    ]
}

/// The rule in words: of the readable addresses at the end of the chain the last that is not trusted, else the first.
fn naive(peer: IpAddr, chain: &[Option<IpAddr>], trusted: &[IpNet]) -> IpAddr {
    let unreadable = chain.iter().rposition(Option::is_none).map_or(0, |at| at + 1);
    let mut known: Vec<_> = chain[unreadable..].iter().flatten().copied().collect();
    known.push(peer);
    let stranger = known.iter().rposition(|address| !is_trusted(*address, trusted));
    known[stranger.unwrap_or(0)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_walk_agrees_with_the_rule_in_words(
        peer in address(),
        lines in prop::collection::vec(prop::collection::vec(item(), 0..4), 0..4),
        separator in prop::sample::select(vec![",", ", ", " ", " ,"]),
        trusted in trusted(),
    ) {
        let texts: Vec<String> = lines
            .iter()
            .map(|line| line.iter().map(|item| item.0.as_str()).collect::<Vec<_>>().join(separator))
            .collect();
        let chain: Vec<_> = lines.iter().flatten().map(|item| item.1).collect();
        let found = walk(peer, texts.iter().map(String::as_bytes), &trusted);
        prop_assert_eq!(found, naive(peer, &chain, &trusted));
    }

    #[test]
    fn nothing_in_front_of_a_stranger_counts(
        peer in address(),
        forged in "[ -~]{0,40}",
        chain in prop::collection::vec(address(), 0..4),
        trusted in trusted(),
    ) {
        // No network but the one of all addresses has the stranger.
        let trusted: Vec<_> = trusted.into_iter().filter(|network| network.prefix_len() > 0).collect();
        let mut honest = "203.0.113.9".to_owned();
        for address in &chain {
            honest = format!("{honest}, {address}");
        }
        let line = format!("{forged}, {honest}");
        prop_assert_eq!(
            walk(peer, [line.as_bytes()].into_iter(), &trusted),
            walk(peer, [honest.as_bytes()].into_iter(), &trusted)
        );
    }

    #[test]
    fn no_bytes_are_too_odd(
        lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..3),
    ) {
        let trusted = networks(&["0.0.0.0/0", "::/0"]);
        walk("127.0.0.1".parse().unwrap(), lines.iter().map(Vec::as_slice), &trusted);
    }
}
