//! `custom-headers`: the headers of a ConfigMap, for answers (annotations §3.18).

use crate::{
    objects::Key,
    translate::annotations::{
        external_auth::headers::{check_name, frames, missing},
        values::Values,
    },
};

/// The headers that a ConfigMap names, sorted by name.
///
/// # Errors
///
/// The map cannot be had, or what is wrong with an entry.
pub fn read(values: &Values<'_>, reference: &str) -> Result<Vec<(String, String)>, String> {
    // As in the reference the namespace may be any: what may be said is up to the administrator (annotations §1.8).
    let (namespace, name) = reference
        .split_once('/')
        .filter(|(namespace, name)| !namespace.is_empty() && !name.is_empty())
        .ok_or_else(|| format!("{reference:?} is not of the form NAMESPACE/NAME"))?;
    let key = Key::new(namespace, name);
    let Some(map) = values.lookup.config_map(&key) else {
        return Err(missing(values.subject.options, &key));
    };
    let allowed = &values.defaults.restrictions.allowed_headers;
    let mut headers = Vec::new();
    for (name, value) in map.data.iter().flatten() {
        check_name(name).map_err(|reason| format!("{reason}, in the ConfigMap {key}"))?;
        if frames(name) {
            return Err(format!(
                "{name} of the ConfigMap {key} frames or routes a message and cannot be set; remove it"
            ));
        }
        if value.is_empty() {
            return Err(format!(
                "{name} of the ConfigMap {key} has no value; give one, or remove the name"
            ));
        }
        if let Some(odd) = value.chars().find(|c| !is_fine(*c)) {
            return Err(format!(
                "the value of {name} of the ConfigMap {key} has {odd:?}; write it in one line, of printable ASCII characters"
            ));
        }
        if !allowed.contains(name) {
            return Err(format!(
                "{name} of the ConfigMap {key} is not in global-allowed-response-headers; add it there, with the same upper and lower case"
            ));
        }
        headers.push((name.clone(), value.clone()));
    }
    Ok(headers)
}

fn is_fine(c: char) -> bool {
    c.is_ascii_graphic() || c == ' '
}
