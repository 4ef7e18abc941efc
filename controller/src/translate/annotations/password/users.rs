//! Users in a Secret: lines of htpasswd or htdigest, or a map of users. Says what is wrong with them without showing
//! any of it but names.

use std::collections::{BTreeMap, btree_map::Entry};

use headgate_config::protection::{HashKind, PasswordScheme, Users};
use k8s_openapi::api::core::v1::Secret;

/// Problems that are told one by one.
const MAX_TOLD: usize = 5;

/// What a Secret says.
#[derive(Debug)]
pub struct Read {
    /// Who may come.
    pub users: Users,
    problems: Vec<String>,
    /// Problems beyond those.
    more: usize,
}

/// Reads the users of a Secret; none if it lacks the key that they are expected under.
pub fn read(secret: &Secret, is_map: bool, scheme: PasswordScheme, realm: &str) -> Option<Read> {
    let mut reader =
        Reader { scheme, realm, hashes: BTreeMap::new(), problems: Vec::new(), more: 0 };
    let data = secret.data.as_ref();
    if is_map {
        for (user, value) in data.into_iter().flatten() {
            reader.entry(user, &value.0);
        }
    } else {
        reader.file(&data?.get("auth")?.0);
    }
    Some(Read { users: Users::new(reader.hashes), problems: reader.problems, more: reader.more })
}

impl Read {
    /// What is wrong, if anything, and what comes of it.
    pub fn problems(&self, scheme: PasswordScheme) -> Option<String> {
        if self.users.is_empty() && self.problems.is_empty() {
            return Some("there are no users: nobody can log in; add some".to_owned());
        }
        if self.problems.is_empty() {
            return None;
        }
        let more = match self.more {
            0 => String::new(),
            more => format!("; {more} more are like that"),
        };
        let tool = match scheme {
            PasswordScheme::Basic => "htpasswd",
            PasswordScheme::Digest => "htdigest",
        };
        let problems = self.problems.join("; ");
        Some(format!("{problems}{more}. They are answered 401; make them anew with {tool}"))
    }
}

struct Reader<'a> {
    scheme: PasswordScheme,
    realm: &'a str,
    hashes: BTreeMap<String, String>,
    problems: Vec<String>,
    more: usize,
}

impl Reader<'_> {
    /// Lines, of which those that begin with `#` and empty ones do not count.
    fn file(&mut self, bytes: &[u8]) {
        for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            // What is behind a carriage return does not count either, as in the reference.
            let line = line.split(|byte| *byte == b'\r').next().unwrap_or_default();
            if line.trim_ascii().is_empty() || line.starts_with(b"#") {
                continue;
            }
            let split = std::str::from_utf8(line).ok().and_then(|line| line.split_once(':'));
            match split.filter(|(user, _)| !user.is_empty()) {
                Some((user, rest)) => self.user(user, rest),
                // It may be a password that somebody put here: nothing of it is shown.
                None => self.problem(format!("line {} is not USER:HASH", index + 1)),
            }
        }
    }

    /// An entry of a map. It is one line, or else it would say something about other users.
    fn entry(&mut self, user: &str, value: &[u8]) {
        let text = std::str::from_utf8(value).ok().map(|text| text.trim_end_matches(['\n', '\r']));
        match text.filter(|text| !text.contains(['\n', '\r'])) {
            Some(text) => self.user(user, text),
            None => self.problem(format!("the value of the user {user:?} is not one line")),
        }
    }

    fn user(&mut self, user: &str, rest: &str) {
        match self.scheme {
            PasswordScheme::Basic => {
                // A comment may follow.
                let hash = rest.split(':').next().unwrap_or_default();
                if let Err(problem) = HashKind::of(hash) {
                    self.problem(format!("the user {user:?} {problem}"));
                }
                self.add(user.to_owned(), hash.to_owned());
            }
            PasswordScheme::Digest => {
                let Some((realm, hash)) = rest.split_once(':') else {
                    return self.problem(format!("the user {user:?} is not USER:REALM:HASH"));
                };
                let hash = hash.split(':').next().unwrap_or_default().to_ascii_lowercase();
                if realm != self.realm {
                    let own = self.realm;
                    self.problem(format!(
                        "the user {user:?} is of the realm {realm:?}, and auth-realm is {own:?}"
                    ));
                } else if hash.len() != 32 || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                    self.problem(format!("the user {user:?} has a malformed hash"));
                }
                self.add(format!("{user}:{realm}"), hash);
            }
        }
    }

    /// The first entry of a name counts, whatever it holds.
    fn add(&mut self, name: String, hash: String) {
        if let Entry::Vacant(entry) = self.hashes.entry(name) {
            entry.insert(hash);
        }
    }

    fn problem(&mut self, text: String) {
        if self.problems.len() < MAX_TOLD {
            self.problems.push(text);
        } else {
            self.more += 1;
        }
    }
}
