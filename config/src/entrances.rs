//! Which of this machine's addresses clients may come to.

use std::net::IpAddr;

use serde::Serialize;

/// The addresses of this machine at which clients are served, of those that the process listens on. By default all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Entrances {
    /// None but these, sorted; an unspecified one stands for all of its family (`bind-address`).
    pub only: Option<Vec<IpAddr>>,
    /// No IPv6 address (`disable-ipv6`).
    pub no_ipv6: bool,
}

impl Entrances {
    /// Whether clients are served at an address.
    pub fn admit(&self, local: IpAddr) -> bool {
        let local = local.to_canonical();
        let is_listed = |address: &IpAddr| {
            *address == local || (address.is_unspecified() && address.is_ipv4() == local.is_ipv4())
        };
        !(self.no_ipv6 && local.is_ipv6())
            && self.only.as_ref().is_none_or(|only| only.iter().any(is_listed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(addresses: &[&str]) -> Entrances {
        let addresses = addresses.iter().filter_map(|text| text.parse().ok()).collect();
        Entrances { only: Some(addresses), no_ipv6: false }
    }

    fn admits(entrances: &Entrances, local: &str) -> bool {
        entrances.admit(local.parse().expect("an address"))
    }

    #[test]
    fn without_a_list_all_addresses_are_served() {
        assert!(admits(&Entrances::default(), "192.0.2.1"));
        assert!(admits(&Entrances::default(), "2001:db8::1"));
    }

    #[test]
    fn a_list_names_all_that_are_served_of_both_families() {
        let listed = only(&["192.0.2.1"]);
        assert!(admits(&listed, "192.0.2.1") && admits(&listed, "::ffff:192.0.2.1"));
        assert!(!admits(&listed, "192.0.2.2") && !admits(&listed, "2001:db8::1"));
        assert!(!admits(&only(&[]), "127.0.0.1"), "an empty list is none");
    }

    #[test]
    fn an_unspecified_address_is_all_of_its_family() {
        assert!(admits(&only(&["0.0.0.0"]), "192.0.2.2"));
        assert!(!admits(&only(&["0.0.0.0"]), "::1"));
        assert!(admits(&only(&["::", "192.0.2.1"]), "::1"));
    }

    #[test]
    fn ipv6_can_be_left_out_whatever_is_listed() {
        let entrances = Entrances { no_ipv6: true, ..only(&["::1", "127.0.0.1"]) };
        assert!(!admits(&entrances, "::1"));
        assert!(admits(&entrances, "127.0.0.1") && admits(&entrances, "::ffff:127.0.0.1"));
    }
}
