//! The ConfigMaps that `proxy-set-headers` and `add-headers` name (configmap-and-flags §6).

use headgate_config::{Effect, HeaderLine};

use super::{Report, value};
use crate::{
    objects::{Key, Objects},
    options::Options,
    translate::annotations::external_auth::{
        headers::{check_name, frames, missing},
        text::check_variables,
    },
};

/// What the two keys say, `namespace/name` or nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct HeaderMaps {
    /// `proxy-set-headers`.
    pub request: String,
    /// `add-headers`.
    pub answer: String,
}

/// Reads the headers of the ConfigMap that a key names, if it names one. The map is added to `named`, whether it exists or
/// not: what it says counts as soon as it does. What is wrong is reported, and hides no other header.
pub(super) fn read(
    key_name: &str,
    reference: &str,
    (options, objects): (&Options, &Objects),
    named: &mut Vec<Key>,
    report: &mut Report,
) -> Vec<HeaderLine> {
    if reference.is_empty() {
        return Vec::new();
    }
    let mut warn = |message: String| {
        report.add(Effect::Warning, "InvalidValue", format!("{key_name}: {message}"));
    };
    let Some(key) = value::reference(reference) else {
        warn(format!("{reference:?} is not of the form NAMESPACE/NAME; no headers are set"));
        return Vec::new();
    };
    named.push(key.clone());
    let Some(map) = objects.config_map(&key) else {
        warn(format!("{}. Until then no headers are set", missing(options, &key)));
        return Vec::new();
    };
    let mut lines = Vec::new();
    for (name, text) in map.data.iter().flatten() {
        let refused = match check_name(name) {
            Err(reason) => Some(reason),
            Ok(()) => {
                frames(name).then(|| format!("{name} frames or routes a message and cannot be set"))
            }
        };
        if let Some(reason) = refused {
            warn(format!("{reason}; remove it from the ConfigMap {key}: it is not set"));
            continue;
        }
        let text = text.trim();
        let value = match check_value(text) {
            Ok(()) => text.to_owned(),
            // Nor does the other side's header of this name pass: whoever wants to set one does not believe that.
            Err(reason) => {
                warn(format!("{name} of the ConfigMap {key}: {reason}; no such header is sent"));
                String::new()
            }
        };
        lines.push(HeaderLine { name: name.clone(), value });
    }
    lines
}

fn check_value(text: &str) -> Result<(), String> {
    if !text.bytes().all(|byte| (byte >= b' ' && byte != 0x7f) || byte == b'\t') {
        return Err("the value has control characters; write it in one line".into());
    }
    check_variables(text)
}
