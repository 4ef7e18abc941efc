//! What a batch of changes came to, as one line of the log.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Write},
    time::Duration,
};

use crate::objects::{Key, Kind};

/// Objects that a line names of each sort, at most.
const NAMED: usize = 3;

/// What became of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// It is new, or ours from now on.
    Added,
    /// It says something else.
    Changed,
    /// It is gone, or not ours any more.
    Removed,
}

impl Fate {
    /// Both, one after the other.
    fn then(self, next: Self) -> Self {
        match (self, next) {
            (Self::Added, Self::Changed) => Self::Added,
            (Self::Removed, Self::Added) => Self::Changed,
            _ => next,
        }
    }

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Removed => "removed",
        }
    }
}

/// What was taken over from one batch of changes, or from several.
#[derive(Clone, Debug, Default)]
pub struct Taken {
    /// The objects that had a say.
    pub objects: BTreeMap<(Kind, Key), Fate>,
    /// Kinds of which no more is known than that some object of them is other than before.
    pub kinds: BTreeSet<Kind>,
    /// Whether anything is served differently.
    pub differs: bool,
    /// Hosts that were compiled.
    pub compiled: usize,
    /// Hosts that are gone.
    pub gone: usize,
    /// What compiling took, with the swap.
    pub compiling: Duration,
    /// Between hearing of a change and serving it, at most.
    pub live_after: Duration,
    /// Findings that do not hold any more and were not told one by one.
    pub cleared: usize,
}

impl Taken {
    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
            && self.kinds.is_empty()
            && self.compiled + self.gone + self.cleared == 0
    }

    /// Adds what came afterwards.
    pub fn add(&mut self, later: Self) {
        for (object, fate) in later.objects {
            self.objects
                .entry(object)
                .and_modify(|before| *before = before.then(fate))
                .or_insert(fate);
        }
        self.kinds.extend(later.kinds);
        self.differs |= later.differs;
        self.compiled += later.compiled;
        self.gone += later.gone;
        self.compiling += later.compiling;
        self.live_after = self.live_after.max(later.live_after);
        self.cleared += later.cleared;
    }

    /// The line, of so many batches.
    pub fn line(&self, batches: u32) -> String {
        let mut line = String::from("taken");
        // Writing to a String cannot fail.
        let _ = self.write(&mut line, batches);
        line
    }

    fn write(&self, line: &mut String, batches: u32) -> fmt::Result {
        if batches > 1 {
            write!(line, " in {batches} steps")?;
        }
        line.push_str(": ");
        let mut sorts: BTreeMap<(Kind, Fate), Vec<&Key>> = BTreeMap::new();
        for ((kind, key), fate) in &self.objects {
            sorts.entry((*kind, *fate)).or_default().push(key);
        }
        for ((kind, fate), keys) in sorts {
            write_sort(line, kind, fate, &keys)?;
            line.push_str("; ");
        }
        for kind in &self.kinds {
            write!(line, "{} changed; ", plural(*kind))?;
        }
        if self.differs {
            match self.compiled {
                0 => line.push_str("no host compiled"),
                1 => line.push_str("1 host compiled"),
                hosts => write!(line, "{hosts} hosts compiled")?,
            }
            if self.gone > 0 {
                write!(line, " and {} gone", self.gone)?;
            }
            write!(line, " in {}, live after {}", Millis(self.compiling), Millis(self.live_after))?;
            if batches > 1 {
                line.push_str(" at most");
            }
        } else {
            line.push_str("nothing is served differently");
        }
        if self.cleared > 0 {
            write!(line, "; {} more findings are cleared", self.cleared)?;
        }
        Ok(())
    }
}

fn write_sort(line: &mut String, kind: Kind, fate: Fate, keys: &[&Key]) -> fmt::Result {
    let (name, word) = (kind.name(), fate.word());
    let or_endpoints = if kind == Kind::Service { " or its endpoints" } else { "" };
    match keys {
        [key] => write!(line, "{name} {key}{or_endpoints} {word}"),
        keys => {
            let or_endpoints = if kind == Kind::Service { " or their endpoints" } else { "" };
            write!(line, "{} {}{or_endpoints} {word}", keys.len(), plural(kind))?;
            let mut before = " (";
            for key in keys.iter().take(NAMED) {
                write!(line, "{before}{key}")?;
                before = ", ";
            }
            match keys.len().saturating_sub(NAMED) {
                0 => line.write_str(")"),
                more => write!(line, " and {more} more)"),
            }
        }
    }
}

fn plural(kind: Kind) -> String {
    let name = kind.name();
    format!("{name}{}", if name.ends_with('s') { "es" } else { "s" })
}

struct Millis(Duration);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} ms", self.0.as_secs_f64() * 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(objects: &[(Kind, &str, Fate)]) -> Taken {
        let objects =
            objects.iter().map(|(kind, name, fate)| ((*kind, Key::new("a", name)), *fate));
        Taken {
            objects: objects.collect(),
            differs: true,
            compiled: 3,
            compiling: Duration::from_micros(800),
            live_after: Duration::from_micros(2140),
            ..Taken::default()
        }
    }

    #[test]
    fn one_change_is_told_with_its_object_and_its_cost() {
        let taken = taken(&[(Kind::Ingress, "web", Fate::Changed)]);
        let line = "taken: Ingress a/web changed; 3 hosts compiled in 0.8 ms, live after 2.1 ms";
        assert_eq!(taken.line(1), line);
    }

    #[test]
    fn many_objects_are_counted_and_a_few_named() {
        let names = ["1", "2", "3", "4", "5"];
        let mut taken = taken(&names.map(|name| (Kind::Ingress, name, Fate::Added)));
        taken.add(self::taken(&["x", "y"].map(|name| (Kind::Service, name, Fate::Removed))));
        let line = taken.line(2);
        assert!(
            line.starts_with("taken in 2 steps: 5 Ingresses added (a/1, a/2, a/3 and 2 more); ")
        );
        assert!(
            line.contains("; 2 Services or their endpoints removed (a/x, a/y); 6 hosts"),
            "{line}"
        );
        assert!(line.ends_with("in 1.6 ms, live after 2.1 ms at most"), "{line}");
    }

    #[test]
    fn of_what_happens_to_one_object_the_sum_is_told() {
        use Fate::{Added, Changed, Removed};
        for (fates, sum) in [
            (&[Added, Changed][..], Added),
            (&[Changed, Changed], Changed),
            (&[Changed, Removed], Removed),
            (&[Added, Removed], Removed),
            (&[Removed, Added], Changed),
        ] {
            let mut all = Taken::default();
            fates.iter().for_each(|fate| all.add(taken(&[(Kind::Ingress, "i", *fate)])));
            assert_eq!(all.objects.into_values().collect::<Vec<_>>(), [sum], "{fates:?}");
        }
    }

    #[test]
    fn a_change_without_effect_says_so() {
        let mut taken = taken(&[(Kind::Ingress, "web", Fate::Changed)]);
        (taken.differs, taken.compiled) = (false, 0);
        assert_eq!(taken.line(1), "taken: Ingress a/web changed; nothing is served differently");
    }
}
