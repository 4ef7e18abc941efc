//! At which addresses clients are served (`bind-address`). It keeps clients away from the others, so that a list of which
//! nothing is understood is none, and not all.

use std::net::IpAddr;

use headgate_config::Effect;

use super::{Draft, Report, value};

/// The lists while they are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntranceKeys {
    /// The keys that name anything.
    keys: Vec<&'static str>,
    addresses: Vec<IpAddr>,
    unknown: Vec<String>,
}

impl EntranceKeys {
    /// Adds what a key names. An empty list is as none.
    pub fn add(&mut self, key: &'static str, text: &str) -> Result<(), &'static str> {
        let items = value::list(text);
        if !text.trim().is_empty() {
            self.keys.push(key);
        }
        for item in items {
            match item.trim_start_matches('[').trim_end_matches(']').parse() {
                Ok(address) => self.addresses.push(address),
                Err(_) => self.unknown.push(item),
            }
        }
        Ok(())
    }
}

impl Draft {
    /// Puts together what the lists say.
    pub(super) fn judge_entrances(&mut self, report: &mut Report) {
        let EntranceKeys { keys, mut addresses, unknown } = std::mem::take(&mut self.entrances);
        if keys.is_empty() {
            return;
        }
        let names = keys.join(", ");
        if addresses.is_empty() {
            let items = unknown.join(", ");
            let message = format!(
                "{names}: {items:?} is no address: nobody is served, rather than everybody at all addresses; write addresses, or remove the key"
            );
            report.add(Effect::Denied, "InvalidValue", message);
        } else if !unknown.is_empty() {
            let items = unknown.join(", ");
            let message = format!(
                "{names}: {items:?} is no address; clients are served at the others only: correct it or leave it out"
            );
            report.add(Effect::Warning, "InvalidValue", message);
        }
        addresses.sort_unstable();
        addresses.dedup();
        self.settings.entrances.only = Some(addresses);
    }
}
