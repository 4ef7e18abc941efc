//! `auth-type`, `auth-secret`, `auth-secret-type`, `auth-realm`: a user name and a password are asked for
//! (annotations §3.6).

mod users;

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{Arc, Weak},
};

use headgate_config::protection::{PasswordAuth, PasswordScheme, Users};

use super::{
    Annotations,
    check::{BASIC_SPACES, Check, REFERENCE},
    definition::{
        Bad::{Deny, Refuse},
        Definition,
        Needs::Present,
        Risk::{Low, Medium},
    },
    group::Group::Auth,
    values::Values,
};

const TYPE: Check =
    Check::choice(|value| value.contains("basic") || value.contains("digest"), "basic or digest");
const SECRET_TYPE: Check = Check::choice(
    |value| value.contains("auth-file") || value.contains("auth-map"),
    "auth-file or auth-map",
);

pub const ANNOTATIONS: &[Definition] = &[
    Definition::new("auth-realm", BASIC_SPACES, Refuse, Medium)
        .needs(Present("auth-type"))
        .documented(Auth, "empty", "What the password is for, as browsers show it."),
    Definition::new("auth-secret", REFERENCE, Deny, Medium).needs(Present("auth-type")).documented(
        Auth,
        "required beside `auth-type`",
        "Secret with the users.",
    ),
    Definition::new("auth-secret-type", SECRET_TYPE, Refuse, Low)
        .needs(Present("auth-type"))
        .documented(
            Auth,
            "auth-file",
            "`auth-file`: an htpasswd file under the key `auth`; `auth-map`: each key is a user.",
        ),
    Definition::new("auth-type", TYPE, Refuse, Low).documented(
        Auth,
        "nobody is asked",
        "Clients are asked for a user name and a password.",
    ),
];

pub fn read(values: &mut Values<'_>, annotations: &mut Annotations) {
    if values.raw("auth-type").is_none() {
        // As in the reference. Whoever wrote it meant something else.
        if values.is_present("auth-secret") {
            let message = "auth-secret has no effect without auth-type: nobody is asked for a password; set auth-type to basic or digest";
            values.warn("InvalidAnnotation", message.into());
        }
        return;
    }
    match password(values) {
        Ok(password) => {
            let protection = annotations.protection.get_or_insert_default();
            Arc::make_mut(protection).password = Some(Arc::new(password));
        }
        Err(reason) => {
            annotations.denied.get_or_insert(reason);
        }
    }
}

/// What is asked for; an error says why it cannot be.
fn password(values: &mut Values<'_>) -> Result<PasswordAuth, String> {
    let scheme = scheme(values)?;
    let realm = values.text("auth-realm").unwrap_or_default();
    if realm.chars().any(char::is_control) {
        return Err(format!(
            "auth-realm {realm:?} cannot be sent to clients; write it in one line"
        ));
    }
    let named = values.text("auth-secret").ok_or(
        "auth-type needs auth-secret, the name of a Secret with the users; add it, or remove auth-type",
    )?;
    let key = values.lookup.key(&named).map_err(|why| format!("auth-secret: {why}"))?;
    let is_map = is_map(values)?;
    let secret = values.lookup.secret(&key).ok_or_else(|| {
        format!("auth-secret {named:?}: there is no Secret {key}; create it, or remove auth-type")
    })?;
    let read = users::read(secret, is_map, scheme, &realm).ok_or_else(|| {
        format!(
            "auth-secret {named:?}: the Secret {key} has no key \"auth\"; put the users there as htpasswd writes them, or set auth-secret-type to auth-map"
        )
    })?;
    if let Some(problems) = read.problems(scheme) {
        values.warn("InvalidUsers", format!("auth-secret: in the Secret {key} {problems}"));
    }
    Ok(PasswordAuth { scheme, realm, users: Arc::new(read.users) })
}

/// Only what is exactly `basic` is that, as in the reference. All else asks for a digest, which no password file fits.
fn scheme(values: &mut Values<'_>) -> Result<PasswordScheme, String> {
    let text = values.text("auth-type").unwrap_or_default();
    match text.as_str() {
        "basic" => return Ok(PasswordScheme::Basic),
        "digest" => {}
        _ if (TYPE.accepts)(&text) => values.warn(
            "InvalidAnnotation",
            format!("auth-type {text:?} is taken for digest; write basic or digest"),
        ),
        _ => return Err(format!("auth-type {text:?} is not available; write basic or digest")),
    }
    Ok(PasswordScheme::Digest)
}

/// Whether the users are the keys of the Secret, instead of lines under one key.
fn is_map(values: &Values<'_>) -> Result<bool, String> {
    match values.text("auth-secret-type").as_deref() {
        None | Some("auth-file") => Ok(false),
        Some("auth-map") => Ok(true),
        Some(other) => {
            Err(format!("auth-secret-type {other:?} is not available; write auth-file or auth-map"))
        }
    }
}

/// Lists of users that are in use. Locations whose Secrets say the same have one between them.
#[derive(Debug, Default)]
pub struct SharedUsers {
    hasher: RandomState,
    known: HashMap<u64, Weak<Users>>,
}

impl SharedUsers {
    /// Puts a list that is in use in the place of an equal one.
    pub fn share(&mut self, annotations: &mut Arc<Annotations>) {
        let protection = annotations.protection.as_ref();
        let Some(password) = protection.and_then(|protection| protection.password.as_ref()) else {
            return;
        };
        let hash = self.hasher.hash_one(&*password.users);
        match self.known.get(&hash).and_then(Weak::upgrade) {
            Some(known) if Arc::ptr_eq(&known, &password.users) => {}
            Some(known) if known == password.users => {
                let annotations = Arc::make_mut(annotations);
                let protection = annotations.protection.as_mut().map(Arc::make_mut);
                if let Some(password) =
                    protection.and_then(|protection| protection.password.as_mut())
                {
                    Arc::make_mut(password).users = known;
                }
            }
            _ => {
                if self.known.len() == self.known.capacity() {
                    self.known.retain(|_, users| users.strong_count() > 0);
                }
                self.known.insert(hash, Arc::downgrade(&password.users));
            }
        }
    }
}

#[cfg(test)]
mod tests;
