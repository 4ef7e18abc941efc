//! How an annotation is declared (annotations §1, §2).

use super::{check::Check, group::Group};

/// One annotation.
#[derive(Debug)]
pub struct Definition {
    /// Its name behind the prefix; one of our own has it in front.
    pub name: &'static str,
    /// An older name, which counts where the name itself is absent or empty.
    pub alias: Option<&'static str>,
    /// What values it takes.
    pub check: Check,
    /// What any other value does.
    pub bad: Bad,
    /// How much harm its author may do with it.
    pub risk: Risk,
    /// When it is looked at at all.
    pub needs: Needs,
    /// What it changes.
    pub scope: Scope,
    /// What users are told about it. Every one has it, and a test says which has not.
    pub documentation: Option<Documentation>,
}

/// What users are told about an annotation, in Markdown.
#[derive(Debug)]
pub struct Documentation {
    /// What it belongs to.
    pub group: Group,
    /// What applies where it is absent.
    pub default: &'static str,
    /// What it does, in a line.
    pub does: &'static str,
}

/// What an annotation changes, which may be more than what its Ingress owns (annotations §3.24).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The locations of its Ingress.
    Location,
    /// The hosts of its Ingress, with the locations of others.
    Host,
    /// The locations of its Ingress, and their hosts as well.
    LocationAndHost,
    /// A port of a Service, whichever Ingress leads to it.
    Service,
    /// The Ingress itself.
    Ingress,
    /// Everything.
    Global,
}

/// What an annotation is here. It follows from the family that it stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is honoured.
    Honoured,
    /// It only tunes the workings of another program, or asks for what there is none of here, which a warning then says:
    /// checked, and without effect.
    NoEffect,
    /// It is not executed, and keeps its Ingress from being served as long as the risk level is not raised.
    Refused,
}

/// What a value does that is not accepted (annotations §1.4). Outcome S, "the group is skipped", only exists for groups
/// that the reference leaves unprotected by it; here they are denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bad {
    /// The Ingress is not served in this version (R).
    Refuse,
    /// Its locations answer 503 (D).
    Deny,
    /// The annotation is as unset (F).
    Fallback,
}

/// How much harm an author may do with an annotation (annotations §1.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Risk {
    /// Hardly any.
    Low,
    /// To the author's own traffic.
    Medium,
    /// To others, with some effort.
    High,
    /// To everything.
    Critical,
}

impl Risk {
    /// The level of a word of `annotations-risk-level`; an unknown word is the lowest.
    pub fn of(word: &str) -> Self {
        match word.to_ascii_lowercase().as_str() {
            "critical" => Self::Critical,
            "high" => Self::High,
            "medium" => Self::Medium,
            _ => Self::Low,
        }
    }
}

/// When an annotation is looked at: some only count beside another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Always.
    Nothing,
    /// If this one is present and not empty, too.
    Present(&'static str),
    /// If this one is true.
    True(&'static str),
    /// If this one is absent.
    Absent(&'static str),
}

impl Definition {
    /// An annotation with its name, check, what a bad value does, and risk.
    pub const fn new(name: &'static str, check: Check, bad: Bad, risk: Risk) -> Self {
        let (alias, needs, scope) = (None, Needs::Nothing, Scope::Location);
        Self { name, alias, check, bad, risk, needs, scope, documentation: None }
    }

    /// Tells users what it belongs to, what applies without it, and what it does (Markdown, one line each).
    pub const fn documented(
        mut self,
        group: Group,
        default: &'static str,
        does: &'static str,
    ) -> Self {
        self.documentation = Some(Documentation { group, default, does });
        self
    }

    /// Gives it an older name.
    pub const fn alias(mut self, alias: &'static str) -> Self {
        self.alias = Some(alias);
        self
    }

    /// Makes it count only beside another.
    pub const fn needs(mut self, needs: Needs) -> Self {
        self.needs = needs;
        self
    }

    /// Makes it change something else than the locations of its Ingress.
    pub const fn scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// What applies where it is absent, in plain words, if that is anything at all.
    pub fn default_in_words(&self) -> Option<String> {
        let default = self.documentation.as_ref()?.default;
        (!matches!(default, "none" | "unset")).then(|| default.replace('`', ""))
    }

    /// Both names.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        [Some(self.name), self.alias].into_iter().flatten()
    }
}
