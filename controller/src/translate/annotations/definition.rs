//! How an annotation is declared (annotations §1, §2).

use super::check::Check;

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
    /// If this one is absent.
    Absent(&'static str),
}

impl Definition {
    /// An annotation with its name, check, what a bad value does, and risk.
    pub const fn new(name: &'static str, check: Check, bad: Bad, risk: Risk) -> Self {
        Self { name, alias: None, check, bad, risk, needs: Needs::Nothing }
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

    /// Both names.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        [Some(self.name), self.alias].into_iter().flatten()
    }
}
