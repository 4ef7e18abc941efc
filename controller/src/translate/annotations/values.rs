//! The checked values of one Ingress, for the families to read.

use std::collections::BTreeMap;

use headgate_config::Effect;

use super::{
    BY_NAME, Finding,
    check::{self, parse_bool, parse_int},
    defined_name,
    definition::{Bad, Definition, Needs},
    group, jwt,
    refusal::Refusal,
    subject::{Lookup, References, Subject},
    unknown,
};
use crate::translate::config::Defaults;

/// Values that passed their check, and what was found out about the others.
#[derive(Debug)]
pub struct Values<'a> {
    values: BTreeMap<&'static str, &'a str>,
    /// Names that are present, with whatever value.
    present: Vec<&'static str>,
    /// Those of them that are not empty, with their values, good or bad.
    filled: Vec<(&'static str, &'a str)>,
    /// Findings that do not keep the Ingress from being served.
    pub findings: Vec<Finding>,
    /// Why the locations must not forward, found by a check.
    pub denied: Option<String>,
    /// Why the Ingress must not be served in this version, found by a family.
    pub refusal: Option<Refusal>,
    /// What applies where nothing is said.
    pub defaults: &'a Defaults,
    /// The Ingress.
    pub subject: Subject<'a>,
    /// The objects that values may name.
    pub lookup: Lookup<'a>,
}

impl<'a> Values<'a> {
    /// Checks names and values (without their prefix), in the order of their names.
    ///
    /// # Errors
    ///
    /// If the Ingress must not be served.
    pub fn check(subject: Subject<'a>, own: &[(&str, &'a str)]) -> Result<Self, Refusal> {
        let Subject { options, defaults, .. } = subject;
        let restrictions = &defaults.restrictions;
        if let Some((name, word)) =
            own.iter().find_map(|(name, value)| Some((name, restrictions.blocked_word(value)?)))
        {
            return Err(Refusal::BlockedWord { name: (*name).into(), word: word.into() });
        }
        let name_of = |(name, _): &(&str, _)| Some(BY_NAME.get(name)?.name);
        let filled = own.iter().filter(|(_, value)| !value.is_empty());
        let mut values = Self {
            values: BTreeMap::new(),
            present: own.iter().filter_map(name_of).collect(),
            filled: filled.filter_map(|own| Some((name_of(own)?, own.1))).collect(),
            findings: Vec::new(),
            denied: None,
            refusal: None,
            defaults,
            subject,
            lookup: Lookup::new(subject),
        };
        let mut unknown = Vec::new();
        for (name, value) in own {
            let Some(definition) = BY_NAME.get(name) else {
                // About a name that looks like one of theirs the tokens say more: it does have an effect.
                if !name.starts_with(jwt::PREFIX) {
                    unknown.push(*name);
                }
                continue;
            };
            values.admit(definition, name, value, options.enable_annotation_validation)?;
        }
        unknown::tell(&mut values, &unknown);
        Ok(values)
    }

    fn admit(
        &mut self,
        definition: &'static Definition,
        name: &str,
        value: &'a str,
        validate: bool,
    ) -> Result<(), Refusal> {
        let counts = match definition.needs {
            Needs::Nothing => true,
            Needs::Present(other) => self.filled.iter().any(|(name, _)| *name == other),
            Needs::True(other) => {
                let is_true = |value: &str| parse_bool(value) == Some(true);
                self.filled.iter().any(|(name, value)| *name == other && is_true(value))
            }
            Needs::Absent(other) => !self.is_present(other),
        };
        // An older name counts only where the name itself says nothing.
        let is_shadowed = name != definition.name && self.values.contains_key(definition.name);
        if value.is_empty() || !counts || is_shadowed {
            return Ok(());
        }
        if (definition.check.accepts)(value) || !validate && definition.bad != Bad::Deny {
            self.values.insert(definition.name, value);
            return Ok(());
        }
        let expects = definition.check.expects;
        let invalid = Refusal::invalid(name, value, expects);
        let problem = invalid.to_string();
        match definition.bad {
            Bad::Refuse => return Err(invalid),
            Bad::Deny => self.denied = self.denied.take().or(Some(problem)),
            Bad::Fallback => {
                let comes_of_it = match definition.default_in_words() {
                    Some(default) => format!("the default applies: {default}"),
                    None => "it has no effect".to_owned(),
                };
                self.warn("InvalidAnnotation", format!("{problem}; {comes_of_it}"));
            }
        }
        Ok(())
    }

    /// What was found out, and which objects were looked at.
    pub fn finish(self) -> (Vec<Finding>, References) {
        (self.findings, self.lookup.into_references())
    }

    /// Whether an annotation is there, with whatever value.
    pub fn is_present(&self, name: &str) -> bool {
        self.present.contains(&name)
    }

    /// What somebody has written, although it may be bad or count for nothing; never empty.
    pub fn written(&self, name: &str) -> Option<&'a str> {
        self.filled.iter().find(|(own, _)| *own == name).map(|(_, value)| *value)
    }

    /// A value as it is written.
    pub fn raw(&self, name: &str) -> Option<&'a str> {
        self.values.get(name).copied()
    }

    /// A value of type string: every line trimmed (annotations §1.2).
    pub fn text(&self, name: &str) -> Option<String> {
        let text = self.raw(name)?.split('\n').map(str::trim).collect::<Vec<_>>().join("\n");
        (!text.is_empty()).then_some(text)
    }

    /// A boolean.
    pub fn bool(&self, name: &str) -> Option<bool> {
        self.raw(name).and_then(parse_bool)
    }

    /// A whole number.
    pub fn int(&self, name: &str) -> Option<i64> {
        self.raw(name).and_then(parse_int)
    }

    /// A size in bytes; the inner `None` is a size that passes the check and counts for nothing.
    pub fn size(&self, name: &str) -> Option<Option<u64>> {
        self.raw(name).map(check::parse_size)
    }

    /// Notes that something has no effect.
    pub fn warn(&mut self, reason: &'static str, message: String) {
        self.findings.push(Finding { effect: Effect::Warning, reason, message });
    }
}

/// Refuses what is above the accepted risk, whatever its value. A name without any prefix is refused as well, as in the
/// reference, and means nothing otherwise (annotations §1.5).
pub fn check_risks(subject: Subject<'_>) -> Result<(), Refusal> {
    let Subject { options, defaults, ingress, .. } = subject;
    for (full, _) in &*ingress.annotations {
        let name = defined_name(&options.annotations_prefix, full).unwrap_or(full);
        if let Some(definition) = BY_NAME.get(name)
            && definition.risk > defaults.restrictions.max_risk
        {
            let group = group::of(definition.name);
            return Err(Refusal::TooRisky { name: name.into(), group });
        }
    }
    Ok(())
}
