//! A text for another: the beginning of a value, a domain, or what a pattern is found in (annotations §3.18).

use headgate_config::Replacement;

use crate::{
    filter::variables::{Template as Plain, Variables},
    route::{
        pattern::{self, Pattern, fancy::Fancy},
        rewrite::template::{Part, Template},
    },
};

/// How the text that is replaced is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The beginning of the value, or a pattern with regard to case.
    Prefix,
    /// All of a domain, without regard to case or a leading dot, or a pattern without regard to case.
    Domain,
}

/// A compiled replacement.
pub struct Replace {
    form: Form,
    from: From,
    to: Template,
}

enum From {
    Text(Plain),
    Pattern(Fancy),
}

/// What a value becomes: its beginning as it was, something new, and its end as it was.
#[derive(Debug, PartialEq, Eq)]
pub struct Replaced<'v> {
    head: &'v [u8],
    new: Vec<u8>,
    tail: &'v [u8],
}

impl Replaced<'_> {
    /// All of it.
    pub fn concat(&self) -> Vec<u8> {
        [self.head, &self.new, self.tail].concat()
    }
}

impl Replace {
    /// Compiles a replacement.
    ///
    /// # Errors
    ///
    /// The pattern cannot be used, or a `$` has no name.
    pub fn new(spec: &Replacement, form: Form) -> Result<Self, pattern::Error> {
        let from = match spec.from.strip_prefix('~') {
            Some(text) => {
                let (pattern, fold) = match text.strip_prefix('*') {
                    Some(text) => (text, true),
                    None => (text, form == Form::Domain),
                };
                let parse = if fold { Pattern::parse } else { Pattern::parse_with_case };
                Some(parse(pattern)?)
            }
            None => None,
        };
        // Leading dots of domains mean nothing.
        let bare = |text: &'_ str| match form {
            Form::Domain => text.strip_prefix('.').unwrap_or(text).to_owned(),
            Form::Prefix => text.to_owned(),
        };
        Ok(match from {
            Some(pattern) => Self {
                form,
                to: Template::compile(&spec.to, &pattern)?,
                from: From::Pattern(Fancy::new(&pattern, &pattern.node)?),
            },
            None => Self {
                form,
                to: Template::compile(&bare(&spec.to), &Pattern::parse("")?)?,
                from: From::Text(Plain::new(&bare(&spec.from))),
            },
        })
    }

    /// What becomes of a value; nothing if it stays.
    pub fn apply<'v>(&self, value: &'v [u8], variables: &Variables<'_>) -> Option<Replaced<'v>> {
        let (dot, rest) = match (self.form, value) {
            (Form::Domain, [b'.', ..]) => value.split_at(1),
            _ => value.split_at(0),
        };
        match &self.from {
            From::Text(from) => {
                let from = from.expand(variables);
                let tail = match self.form {
                    Form::Prefix => rest.strip_prefix(&*from)?,
                    Form::Domain => rest.eq_ignore_ascii_case(&from).then_some(&b""[..])?,
                };
                Some(Replaced { head: dot, new: self.new_text(rest, &[], variables), tail })
            }
            From::Pattern(pattern) => {
                // A search that is given up has found nothing: the value stays.
                let groups = pattern.find(rest).ok()??;
                Some(Replaced {
                    head: dot,
                    new: self.new_text(rest, &groups, variables),
                    tail: b"",
                })
            }
        }
    }

    fn new_text(
        &self,
        value: &[u8],
        groups: &[Option<(usize, usize)>],
        variables: &Variables<'_>,
    ) -> Vec<u8> {
        let mut out = Vec::new();
        for part in &self.to.parts {
            match part {
                Part::Text(text) => out.extend_from_slice(text),
                Part::Group(group) => {
                    let span = groups.get(*group as usize).copied().flatten();
                    out.extend_from_slice(
                        span.and_then(|(start, end)| value.get(start..end)).unwrap_or_default(),
                    );
                }
                Part::Variable(name) => {
                    out.extend_from_slice(&variables.text(name).unwrap_or_default());
                }
            }
        }
        out
    }
}
