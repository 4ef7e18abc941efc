//! Which client addresses may come (annotations §3.8). No I/O.

use std::net::IpAddr;

use headgate_config::{
    Network,
    protection::{AccessLists, AccessRule},
};

/// Addresses, as ranges that neither touch nor overlap, in order: a list of any length is a binary search.
#[derive(Debug, Default)]
pub struct AddressSet {
    four: Box<[(u32, u32)]>,
    six: Box<[(u128, u128)]>,
}

impl AddressSet {
    /// The addresses of all these networks.
    pub fn new(networks: &[Network]) -> Self {
        let (mut four, mut six) = (Vec::new(), Vec::new());
        for network in networks {
            match (network.first(), network.last()) {
                (IpAddr::V4(first), IpAddr::V4(last)) => {
                    four.push((first.to_bits(), last.to_bits()));
                }
                (IpAddr::V6(first), IpAddr::V6(last)) => {
                    six.push((first.to_bits(), last.to_bits()))
                }
                // Both ends of a network are of one kind.
                _ => {}
            }
        }
        Self { four: merged(four), six: merged(six) }
    }

    /// Whether an address is one of them. IPv4 in the form of IPv6 is IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        match address.to_canonical() {
            IpAddr::V4(four) => covers(&self.four, four.to_bits()),
            IpAddr::V6(six) => covers(&self.six, six.to_bits()),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.four.is_empty() && self.six.is_empty()
    }
}

/// The same numbers in as few ranges as possible, sorted.
fn merged<N: Ord + Copy>(mut ranges: Vec<(N, N)>) -> Box<[(N, N)]> {
    ranges.sort_unstable();
    let mut merged: Vec<(N, N)> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match merged.last_mut() {
            // Networks contain each other or have nothing in common.
            Some((_, end)) if first <= *end => *end = last.max(*end),
            _ => merged.push((first, last)),
        }
    }
    merged.into()
}

fn covers<N: Ord + Copy>(ranges: &[(N, N)], number: N) -> bool {
    let after = ranges.partition_point(|(first, _)| *first <= number);
    after.checked_sub(1).is_some_and(|at| number <= ranges[at].1)
}

/// The lists of a location.
#[derive(Debug)]
pub struct Access {
    deny: AddressSet,
    allow: AddressSet,
    rules: Box<[AccessRule]>,
}

impl Access {
    /// Compiles `spec`.
    pub fn new(spec: &AccessLists) -> Self {
        Self {
            deny: AddressSet::new(&spec.deny),
            allow: AddressSet::new(&spec.allow),
            rules: spec.rules.as_slice().into(),
        }
    }

    /// Whether a client may come.
    pub fn admits(&self, client: IpAddr) -> bool {
        if self.deny.contains(client) {
            return false;
        }
        if !self.allow.is_empty() {
            return self.allow.contains(client);
        }
        // An address of IPv4 in the clothes of IPv6 is one of IPv4, as in the sets.
        let client = client.to_canonical();
        let is_meant =
            |rule: &&AccessRule| rule.network.is_none_or(|network| network.contains(client));
        self.rules.iter().find(is_meant).is_none_or(|rule| rule.allows)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn networks(text: &str) -> Vec<Network> {
        text.split_whitespace().map(|item| item.parse().unwrap()).collect()
    }

    fn admits(deny: &str, allow: &str, client: &str) -> bool {
        let spec = AccessLists { deny: networks(deny), allow: networks(allow), rules: Vec::new() };
        Access::new(&spec).admits(client.parse().unwrap())
    }

    #[test]
    fn denying_goes_before_allowing_and_a_list_of_allowed_ones_is_complete() {
        assert!(admits("", "", "192.0.2.1"));
        assert!(!admits("192.0.2.1", "192.0.2.0/24", "192.0.2.1"));
        assert!(admits("192.0.2.1", "192.0.2.0/24", "192.0.2.2"));
        assert!(!admits("", "192.0.2.0/24", "192.0.3.1"));
        assert!(admits("10.0.0.0/8", "", "192.0.3.1"));
        // Of IPv6 nothing is said: only a list of allowed ones keeps it out.
        assert!(!admits("", "0.0.0.0/0", "2001:db8::1"));
        assert!(admits("0.0.0.0/0", "", "2001:db8::1"));
        assert!(!admits("192.0.2.0/24", "", "::ffff:192.0.2.1"));
    }

    #[test]
    fn the_first_rule_that_is_about_a_client_decides_unless_there_is_a_list_of_allowed_ones() {
        let rule = |allows, network: &str| AccessRule { allows, network: network.parse().ok() };
        let rules = vec![rule(true, "192.0.2.1"), rule(false, "192.0.2.0/24"), rule(true, "")];
        let mut spec = AccessLists { rules, ..AccessLists::default() };
        let admits =
            |spec: &AccessLists, client: &str| Access::new(spec).admits(client.parse().unwrap());
        assert!(admits(&spec, "192.0.2.1") && admits(&spec, "::ffff:192.0.2.1"));
        assert!(!admits(&spec, "192.0.2.2") && admits(&spec, "2001:db8::1"));
        spec.allow = networks("192.0.2.2");
        assert!(admits(&spec, "192.0.2.2") && !admits(&spec, "192.0.2.1"));
    }

    #[test]
    fn the_ends_of_all_numbers_are_addresses_as_well() {
        for (list, address) in [
            ("0.0.0.0/0", "255.255.255.255"),
            ("0.0.0.0/0 1.0.0.0/8", "0.0.0.0"),
            ("::/0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("255.255.255.255", "255.255.255.255"),
        ] {
            let address: IpAddr = address.parse().unwrap();
            assert!(AddressSet::new(&networks(list)).contains(address), "{list}");
        }
        assert!(!AddressSet::default().contains("0.0.0.0".parse().unwrap()));
    }

    fn any_address() -> impl Strategy<Value = IpAddr> {
        // Close together, so that networks meet.
        let four = (0_u32..4096).prop_map(|bits| IpAddr::V4((0x0a00_0000 | bits).into()));
        let six = (0_u128..4096).prop_map(|bits| IpAddr::V6(((0x2001_0db8 << 96) | bits).into()));
        prop_oneof![four, six]
    }

    fn any_network() -> impl Strategy<Value = Network> {
        (any_address(), 0_u8..=12).prop_map(|(address, host)| {
            let bits = if address.is_ipv4() { 32 } else { 128 };
            Network::new(address, bits - host).unwrap()
        })
    }

    proptest! {
        #[test]
        fn an_address_is_in_the_set_if_it_is_in_a_network(
            networks in prop::collection::vec(any_network(), 0..20),
            address in any_address(),
        ) {
            let expected = networks.iter().any(|network| network.contains(address));
            prop_assert_eq!(AddressSet::new(&networks).contains(address), expected);
        }
    }
}
