//! Headers that the configuration sends to every upstream (`proxy-set-headers`, configmap-and-flags §6), compiled.

use std::borrow::Cow;

use headgate_config::HeaderLine;

use super::{Override, is_value};
use crate::filter::variables::{Template, Variables};

/// Headers with their values.
pub struct ConfiguredHeaders {
    lines: Box<[(Box<str>, Template)]>,
}

impl ConfiguredHeaders {
    /// Compiles the headers of a configuration.
    pub fn new(lines: &[HeaderLine]) -> Self {
        let compiled = |line: &HeaderLine| (line.name.as_str().into(), Template::new(&line.value));
        Self { lines: lines.iter().map(compiled).collect() }
    }

    /// The headers for one request. One whose value is empty, or cannot be a header's, is not sent at all.
    pub fn expand<'a>(&'a self, variables: &Variables<'_>) -> Vec<Override<'a>> {
        let header = |(name, template): &'a (Box<str>, Template)| {
            let value: Cow<'a, [u8]> = match template.fixed() {
                Some(text) => Cow::Borrowed(text.as_bytes()),
                None => Cow::Owned(template.expand(variables).into_owned()),
            };
            if value.is_empty() || !is_value(&value) {
                Override::remove(&**name)
            } else {
                Override::set(&**name, value)
            }
        };
        self.lines.iter().map(header).collect()
    }
}
