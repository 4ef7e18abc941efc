//! Paths that an older Ingress has already (routing §4.2): who wants them in vain, and does not know it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use headgate_config::{Effect, PathMode, Verdict};

use super::ingress::{Accepted, host_of};
use crate::objects::Backend;

/// One verdict for each Ingress that wants paths of a host that others have. `ingresses` are sorted by age, oldest first.
pub fn taken(host: &str, mode: PathMode, ingresses: &[Arc<Accepted>]) -> Vec<Verdict> {
    let mut owners: HashMap<(&str, bool), &Arc<Accepted>> = HashMap::new();
    let mut losers: BTreeMap<usize, (&str, &Accepted, usize)> = BTreeMap::new();
    for (index, ingress) in ingresses.iter().enumerate() {
        let rules = ingress.rules().iter().filter(|rule| host_of(rule) == host);
        for path in rules.flat_map(|rule| &rule.paths) {
            if matches!(path.backend, Backend::Resource) {
                continue;
            }
            // Regular expressions have no types.
            let place = (&*path.text, mode == PathMode::Literal && path.is_exact);
            let owner = owners.entry(place).or_insert(ingress);
            if !Arc::ptr_eq(owner, ingress) {
                losers.entry(index).or_insert((&path.text, owner, 0)).2 += 1;
            }
        }
    }
    let verdict = |(index, (path, owner, count)): (usize, (&str, &Accepted, usize))| {
        let more = match count {
            1 => String::new(),
            count => format!(" (and {} more of its paths)", count - 1),
        };
        Verdict {
            object: ingresses[index].reference(),
            effect: Effect::Warning,
            reason: "PathTaken".into(),
            message: format!(
                "host {host:?} and path {path:?}{more} is already defined in ingress {}, which keeps it; remove it from one of them",
                owner.key()
            ),
        }
    };
    losers.into_iter().map(verdict).collect()
}
