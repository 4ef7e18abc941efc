//! Which endpoints are in the caller's zone (routing §11.5).

use crate::objects::{EndpointSlice, Proximity, Zones};

/// Which addresses of a slice are near enough.
#[derive(Clone, Copy, Debug)]
pub struct Near<'a> {
    /// The zones of each address, and ours; `None` if all addresses are.
    filter: Option<(&'a [Zones], &'a str)>,
}

impl<'a> Near<'a> {
    /// What a Service wants of one of its slices for a caller in `zone`, which is `None` where hints are not followed.
    pub fn of(slice: &'a EndpointSlice, proximity: Proximity, zone: Option<&'a str>) -> Self {
        let all = Self { filter: None };
        let Some(zone) = zone.filter(|_| !slice.zones.is_empty()) else { return all };
        let near = Self { filter: Some((&slice.zones, zone)) };
        match proximity {
            Proximity::Any => all,
            Proximity::Zone => near,
            Proximity::ZoneIfAny if (0..slice.zones.len()).any(|at| near.has(at)) => near,
            Proximity::ZoneIfAny => all,
        }
    }

    /// Whether the address at this place of the slice is near enough.
    pub fn has(self, at: usize) -> bool {
        let Some((zones, ours)) = self.filter else { return true };
        zones.get(at).is_some_and(|zones| zones.iter().any(|zone| **zone == *ours))
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::discovery::v1::{self as discovery, Endpoint, EndpointHints, ForZone};

    use super::*;

    fn slice(zones: &[&[&str]]) -> EndpointSlice {
        let hints = |zones: &[&str]| {
            let zones = zones.iter().map(|zone| ForZone { name: (*zone).into() });
            EndpointHints { for_zones: Some(zones.collect()), ..EndpointHints::default() }
        };
        let endpoints = zones.iter().enumerate().map(|(at, zones)| Endpoint {
            addresses: vec![format!("10.0.0.{at}")],
            hints: Some(hints(zones)),
            ..Endpoint::default()
        });
        discovery::EndpointSlice { endpoints: endpoints.collect(), ..Default::default() }.into()
    }

    fn near(zones: &[&[&str]], proximity: Proximity, zone: Option<&str>) -> Vec<usize> {
        let slice = slice(zones);
        let near = Near::of(&slice, proximity, zone);
        (0..zones.len()).filter(|at| near.has(*at)).collect()
    }

    #[test]
    fn hints_count_where_the_service_and_the_flag_want_them() {
        let zones: &[&[&str]] = &[&["a"], &["b"], &["b", "a"]];
        assert_eq!(near(zones, Proximity::Zone, Some("a")), [0, 2]);
        assert_eq!(near(zones, Proximity::ZoneIfAny, Some("b")), [1, 2]);
        assert_eq!(near(zones, Proximity::Any, Some("a")), [0, 1, 2]);
        assert_eq!(near(zones, Proximity::Zone, None), [0, 1, 2]);
    }

    #[test]
    fn a_slice_without_our_zone_gives_nothing_or_all() {
        let zones: &[&[&str]] = &[&["a"], &["b"]];
        assert_eq!(near(zones, Proximity::Zone, Some("c")), [0; 0]);
        assert_eq!(near(zones, Proximity::ZoneIfAny, Some("c")), [0, 1]);
    }

    #[test]
    fn one_endpoint_without_a_hint_makes_all_equal() {
        assert_eq!(near(&[&["a"], &[]], Proximity::Zone, Some("b")), [0, 1]);
    }
}
