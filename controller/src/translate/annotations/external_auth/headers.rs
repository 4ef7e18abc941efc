//! Headers that a service is sent, and headers of its answers.

use headgate_config::senders_own;

use super::text::check_variables;
use crate::{objects::Key, options::Options, translate::annotations::subject::Lookup};

/// A list of names (`auth-response-headers`).
///
/// # Errors
///
/// What is wrong with a name.
pub fn list(text: &str) -> Result<Vec<String>, String> {
    let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
    let mut found: Vec<String> = Vec::new();
    for name in names {
        check_name(name)?;
        if frames(name) {
            return Err(format!(
                "{name} frames or routes a request and cannot be copied to one; remove it"
            ));
        }
        if !found.iter().any(|other| other.eq_ignore_ascii_case(name)) {
            found.push(name.to_owned());
        }
    }
    Ok(found)
}

/// The headers of a ConfigMap (`auth-proxy-set-headers`), sorted by name.
///
/// # Errors
///
/// The map cannot be had, or what is wrong with an entry.
pub fn configured(
    lookup: &Lookup<'_>,
    options: &Options,
    reference: &str,
) -> Result<Vec<(String, String)>, String> {
    if !reference.contains('/') {
        return Err(format!("{reference:?} is not of the form NAMESPACE/NAME"));
    }
    let key = lookup.key(reference)?;
    let Some(map) = lookup.config_map(&key) else { return Err(missing(options, &key)) };
    let mut headers = Vec::new();
    for (name, value) in map.data.iter().flatten() {
        check_name(name).map_err(|reason| format!("{reason}, in the ConfigMap {key}"))?;
        // The one that may be set: some services are told apart by it.
        if !name.eq_ignore_ascii_case("host") && frames(name) {
            return Err(format!(
                "{name} of the ConfigMap {key} frames a request and cannot be set; remove it"
            ));
        }
        if !value.bytes().all(|byte| (byte >= b' ' && byte != 0x7f) || byte == b'\t') {
            return Err(format!(
                "{name} of the ConfigMap {key} has a value with control characters; write it in one line"
            ));
        }
        check_variables(value)
            .map_err(|reason| format!("{name} of the ConfigMap {key}: {reason}"))?;
        headers.push((name.clone(), value.trim().to_owned()));
    }
    Ok(headers)
}

/// What is to be said about a ConfigMap that cannot be had.
pub fn missing(options: &Options, key: &Key) -> String {
    match options.is_only_controller {
        true => format!("the ConfigMap {key} does not exist; create it"),
        false => format!(
            "the ConfigMap {key} does not exist, or the right to list and watch configmaps in {} is missing (docs/install.md, \"Rights that some flags need\")",
            key.namespace()
        ),
    }
}

/// Whether a header says where a message begins and ends, where it goes, or belongs to one connection only: nobody but the
/// gateway sets it. `_` is as `-`, which it is to many an upstream.
pub fn frames(name: &str) -> bool {
    matches!(&*name.to_ascii_lowercase().replace('_', "-"), senders_own!())
}

/// Whether a text is the name of a header.
///
/// # Errors
///
/// It is not.
pub fn check_name(name: &str) -> Result<(), String> {
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if name.is_empty() || !name.bytes().all(fine) {
        return Err(format!(
            "{name:?} is not the name of a header, which has letters, digits, - and _ only"
        ));
    }
    Ok(())
}
