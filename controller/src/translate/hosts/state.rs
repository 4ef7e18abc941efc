//! One host while the Ingresses that have a say in it come and go.

use std::{collections::HashMap, sync::Arc};

use headgate_config::{Host, Location, PathMatch, Verdict};
use smallvec::SmallVec;

use crate::{
    options::Options,
    translate::{guard, ingress::Accepted, pattern, taken::taken},
};

/// One host, and who has a say in it.
#[derive(Debug, Default)]
pub struct State {
    /// Ingresses with a rule for the host, oldest first.
    pub ingresses: SmallVec<[Arc<Accepted>; 1]>,
    /// As it was built last.
    pub host: Option<Arc<Host>>,
    /// Findings about Ingresses whose locations another one denies, and about patterns that cannot be served.
    pub verdicts: Vec<Verdict>,
}

impl State {
    /// Looks what there is to say about the host; says whether that is other than before.
    pub fn judge(&mut self, options: &Options, guards: &[Arc<Accepted>]) -> bool {
        let Some(host) = &self.host else { return false };
        let mut found = guard::verdicts(guards, host, &self.ingresses);
        if let Some(check) = options.pattern_check {
            found.extend(pattern::broken(check, host));
        }
        // In a cluster a review has told the author.
        if options.is_only_controller {
            found.extend(taken(&host.name, host.mode, &self.ingresses));
        }
        let differs = found != self.verdicts;
        self.verdicts = found;
        differs
    }

    /// Takes over a newly built host, keeping what is equal to before; says whether it differs.
    pub fn adopt(&mut self, mut host: Host) -> bool {
        let Some(before) = &self.host else {
            self.host = Some(Arc::new(host));
            return true;
        };
        if **before == host {
            return false;
        }
        let kept: HashMap<&PathMatch, &Arc<Location>> =
            before.locations.iter().map(|location| (&location.matcher, location)).collect();
        for location in &mut host.locations {
            if let Some(before) =
                kept.get(&location.matcher).filter(|before| ***before == *location)
            {
                *location = Arc::clone(before);
            }
        }
        self.host = Some(Arc::new(host));
        true
    }
}
