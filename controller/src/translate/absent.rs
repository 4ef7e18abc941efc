//! The ConfigMap that is named and not there: it does not exist, or it is in what cannot be read.

use headgate_config::{Effect, Verdict};

use crate::{
    objects::{Key, Kind, Objects},
    options::Options,
};

/// What is known about a ConfigMap that is named and not there.
#[derive(Debug, Default)]
pub(super) struct AbsentConfig {
    verdict: Option<Verdict>,
    /// Whether it may be in a file that cannot be read; nothing before the first look. Once it is known not to be there a
    /// mistake in another file changes nothing.
    hidden: Option<bool>,
}

impl AbsentConfig {
    /// Looks again; says whether what is to be said has changed. `faults` are findings about the files. In a cluster the
    /// ConfigMap may be created any time, as with the reference.
    pub fn look(&mut self, options: &Options, objects: &Objects, faults: &[Verdict]) -> bool {
        let key = options.configmap.as_ref().map(Key::from);
        let key = key.filter(|key| objects.config_map(key).is_none());
        let Some(key) = key else {
            self.hidden = Some(false);
            return self.verdict.take().is_some();
        };
        let is_refused = |fault: &Verdict| fault.effect == Effect::Refused;
        let has_faults = faults.iter().any(is_refused);
        let hidden = has_faults && self.hidden.unwrap_or(true);
        self.hidden = Some(hidden);
        let verdict = (options.is_only_controller || hidden).then(|| verdict(&key, hidden));
        let is_new = verdict != self.verdict;
        self.verdict = verdict;
        is_new
    }

    /// Why all locations have to be closed, if they have to be: nobody knows what the ConfigMap protects.
    pub fn reason_to_close(&self) -> Option<&Verdict> {
        self.verdict.as_ref().filter(|verdict| verdict.effect == Effect::Denied)
    }

    /// What is to be said about it.
    pub fn verdict(&self) -> Option<&Verdict> {
        self.verdict.as_ref()
    }
}

fn verdict(key: &Key, hidden: bool) -> Verdict {
    let (effect, reason, message) = if hidden {
        (
            Effect::Denied,
            "ConfigMapNotRead",
            "--configmap names it, and it was not found while other files or objects are refused: it may be one of them, so \
             all locations answer 503 rather than stand open; correct what is refused, or remove the flag",
        )
    } else {
        (
            Effect::Warning,
            "ConfigMapNotFound",
            "--configmap names it, but it does not exist; all settings keep their defaults",
        )
    };
    Verdict {
        object: Kind::ConfigMap.reference(key),
        effect,
        reason: reason.into(),
        message: message.into(),
    }
}
