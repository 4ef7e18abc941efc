//! Flags about what is written to the cluster: status, Lease, events (configmap-and-flags §12).

use std::time::Duration;

use clap::{ArgAction, Args};
use headgate_controller::{
    NamespacedName, WriteBack,
    leader::{Election, Terms},
    status::{Address, AddressSource, StatusSettings},
};

/// The flags.
#[derive(Debug, Args)]
#[command(next_help_heading = "Status and leader election")]
pub struct WriteBackFlags {
    /// Write the addresses of the gateway into the status of every Ingress
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = true, default_missing_value = "true", action = ArgAction::Set)]
    pub update_status: bool,
    /// Empty those statuses when the last replica stops
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = true, default_missing_value = "true", action = ArgAction::Set)]
    pub update_status_on_shutdown: bool,
    /// Service whose addresses are published, as namespace/name [default: the nodes of the controller's pods]
    #[arg(long, default_value = "", hide_default_value = true)]
    pub publish_service: String,
    /// Addresses that are published, separated by commas
    #[arg(long, default_value = "", hide_default_value = true)]
    pub publish_status_address: String,
    /// Publish the internal addresses of nodes, not the external ones
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", action = ArgAction::Set)]
    pub report_node_internal_ip_address: bool,
    /// Seconds between two looks at those addresses; 5 at least
    #[arg(long, default_value_t = 60, allow_negative_numbers = true)]
    pub status_update_interval: i64,
    /// Name of the Lease by which the replica is elected that writes
    #[arg(long, default_value = "ingress-controller-leader")]
    pub election_id: String,
    /// Duration of that Lease, such as 30s or 1m30s
    #[arg(long, default_value = "30s", value_parser = duration, allow_hyphen_values = true)]
    pub election_ttl: Duration,
    /// Elect nobody; then nobody writes status
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", action = ArgAction::Set)]
    pub disable_leader_election: bool,
    /// Post no events
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", action = ArgAction::Set)]
    pub disable_sync_events: bool,
    /// Serve, but leave Lease and status to another controller, until the ConfigMap says headgate-standby: "false"
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", action = ArgAction::Set)]
    pub standby: bool,
}

impl WriteBackFlags {
    /// What the controller in this pod is told.
    pub fn write_back(&self, pod: Option<NamespacedName>) -> anyhow::Result<WriteBack> {
        let election =
            Election { id: self.election_id.clone(), terms: Terms::new(self.election_ttl) };
        Ok(WriteBack {
            pod,
            election: (!self.disable_leader_election).then_some(election),
            status: StatusSettings {
                update: self.update_status,
                clean_on_shutdown: self.update_status_on_shutdown,
                source: self.source()?,
                interval: Duration::from_secs(self.status_update_interval.max(0).unsigned_abs()),
            },
            standby: self.standby,
            events: !self.disable_sync_events,
        })
    }

    fn source(&self) -> anyhow::Result<AddressSource> {
        anyhow::ensure!(
            self.publish_service.is_empty() || self.publish_status_address.is_empty(),
            "flags --publish-service and --publish-status-address are mutually exclusive"
        );
        if !self.publish_status_address.is_empty() {
            return Ok(AddressSource::Fixed(Address::list(&self.publish_status_address)));
        }
        if self.publish_service.is_empty() {
            let only_internal = self.report_node_internal_ip_address;
            return Ok(AddressSource::Nodes { only_internal });
        }
        let service = self.publish_service.parse();
        let service = service.map_err(|error| anyhow::anyhow!("--publish-service={error}"))?;
        Ok(AddressSource::Service(service))
    }
}

/// A duration as the reference's language writes it; a negative one is 0.
fn duration(text: &str) -> Result<Duration, String> {
    const UNITS: [(&str, f64); 7] = [
        ("ns", 1e-9),
        ("us", 1e-6),
        ("µs", 1e-6),
        ("ms", 1e-3),
        ("s", 1.0),
        ("m", 60.0),
        ("h", 3600.0),
    ];
    let expected = || format!("{text:?} is not a duration such as 30s or 1m30s");
    let (is_negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    if rest.is_empty() {
        return Err(expected());
    }
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let is_number = |c: char| c.is_ascii_digit() || c == '.';
        let (number, after) = rest.split_at(rest.find(|c| !is_number(c)).unwrap_or(rest.len()));
        let (unit, after) = after.split_at(after.find(is_number).unwrap_or(after.len()));
        let number: f64 = number.parse().map_err(|_| expected())?;
        let unit = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(expected)?;
        seconds += number * unit.1;
        rest = after;
    }
    let duration = Duration::try_from_secs_f64(seconds).map_err(|_| expected())?;
    Ok(if is_negative { Duration::ZERO } else { duration })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        flags: WriteBackFlags,
    }

    fn write_back(line: &[&str]) -> anyhow::Result<WriteBack> {
        let line = Line::try_parse_from([&["headgate"], line].concat())?;
        line.flags.write_back(Some("ingress/pod-1".parse().unwrap()))
    }

    #[test]
    fn the_defaults_are_the_references() {
        let back = write_back(&[]).unwrap();
        let election = back.election.unwrap();
        assert_eq!(election.id, "ingress-controller-leader");
        assert_eq!(election.terms, Terms::new(Duration::from_secs(30)));
        assert_eq!(back.pod.unwrap().to_string(), "ingress/pod-1");
        assert!(back.status.update && back.status.clean_on_shutdown && back.events);
        assert!(!back.standby);
        assert_eq!(back.status.source, AddressSource::Nodes { only_internal: false });
        assert_eq!(back.status.interval, Duration::from_secs(60));
    }

    #[test]
    fn switches_switch() {
        let back = write_back(&[
            "--update-status=false",
            "--update-status-on-shutdown=false",
            "--report-node-internal-ip-address",
            "--status-update-interval=-1",
            "--disable-leader-election=true",
            "--disable-sync-events",
            "--standby",
        ])
        .unwrap();
        assert!(!back.status.update && !back.status.clean_on_shutdown && !back.events);
        assert!(back.standby && back.election.is_none());
        assert_eq!(back.status.source, AddressSource::Nodes { only_internal: true });
        assert_eq!(back.status.interval, Duration::ZERO);
    }

    #[test]
    fn addresses_come_from_one_source() {
        let source = |line: &[&str]| write_back(line).map(|back| back.status.source);
        assert_eq!(
            source(&["--publish-service=a/b"]).unwrap(),
            AddressSource::Service("a/b".parse().unwrap())
        );
        assert_eq!(
            source(&["--publish-status-address", "localhost, 192.0.2.1"]).unwrap(),
            AddressSource::Fixed(Address::list("192.0.2.1,localhost"))
        );
        let both = source(&["--publish-service=a/b", "--publish-status-address=localhost"]);
        assert!(both.unwrap_err().to_string().contains("mutually exclusive"));
        assert!(source(&["--publish-service=b"]).is_err());
        assert!(source(&["--publish-service="]).is_ok());
    }

    #[test]
    fn durations() {
        for (text, expected) in [
            ("30s", Some(30_000)),
            ("1m30s", Some(90_000)),
            ("1.5h", Some(5_400_000)),
            ("250ms", Some(250)),
            ("+1s", Some(1000)),
            ("-5s", Some(0)),
            ("0", Some(0)),
            ("0s", Some(0)),
            ("", None),
            ("-", None),
            ("30", None),
            ("s", None),
            ("1d", None),
            ("1s2", None),
            ("1..5s", None),
            ("9e9h", None),
        ] {
            let parsed = duration(text).ok().map(|duration| duration.as_millis());
            assert_eq!(parsed, expected, "{text}");
        }
    }
}
