//! The walk over the directives of a snippet.

mod directives;

use std::collections::BTreeSet;

use headgate_config::snippet::{OwnMatch, Step};

use self::directives::{DEFINITIONS, DIRECTIVES, instead};
use super::{
    At, Problem,
    level::Level,
    parse::{Directive, parse},
};
use crate::options::PatternCheck;

/// Where a directive stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// Around all hosts: the ConfigMap's `http-snippet`.
    Http,
    /// In a host.
    Server,
    /// In a location that an Ingress makes.
    Location,
    /// In a location that a snippet makes.
    OwnLocation,
    /// In an `if` of a host.
    ServerIf,
    /// In an `if` of a location.
    LocationIf,
}

impl Context {
    fn name(self) -> &'static str {
        match self {
            Self::Http => "the http block",
            Self::Server => "a server block",
            Self::Location | Self::OwnLocation => "a location",
            Self::ServerIf => "an if of a server block",
            Self::LocationIf => "an if of a location",
        }
    }
}

/// What a block of directives asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Block {
    /// What is done in order.
    pub steps: Vec<Step>,
    /// What applies.
    pub level: Level,
    /// What applies where a condition among the steps holds, by the number that the step has.
    pub branches: Vec<Level>,
    /// The locations in it.
    pub locations: Vec<Own>,
    /// The variables that it gives values.
    pub sets: BTreeSet<String>,
    /// The variables that are not everybody's which it needs.
    pub uses: Vec<Use>,
    /// What in it has no effect.
    pub notes: Vec<String>,
}

/// A location in a snippet.
#[derive(Clone, Debug, PartialEq)]
pub struct Own {
    /// Which paths it takes.
    pub matcher: OwnMatch,
    /// What is done there.
    pub steps: Vec<Step>,
    /// What applies there.
    pub level: Level,
    /// As in [`Block::branches`].
    pub branches: Vec<Level>,
}

/// A variable in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// Its name in lower case.
    pub name: String,
    /// Where.
    pub at: At,
    /// The directive.
    pub directive: String,
}

/// Reads a snippet. Its variables are still to be checked, when all snippets that may set some are known.
///
/// # Errors
///
/// The first thing that is not understood.
pub fn compile(
    text: &str,
    context: Context,
    check: Option<PatternCheck>,
) -> Result<Block, Problem> {
    let directives = parse(text)?;
    let mut compiler = Compiler { check, ..Compiler::default() };
    let frame = compiler.walk(context, &directives)?;
    Ok(Block {
        steps: frame.steps,
        level: frame.level,
        branches: frame.branches,
        locations: frame.locations,
        sets: compiler.sets,
        uses: compiler.uses,
        notes: compiler.notes,
    })
}

/// What holds for a whole snippet while it is read.
#[derive(Default)]
pub struct Compiler {
    check: Option<PatternCheck>,
    /// The directive that is being read.
    pub directive: String,
    pub sets: BTreeSet<String>,
    pub uses: Vec<Use>,
    pub notes: Vec<String>,
}

/// What holds for one block while it is read.
pub struct Frame {
    pub context: Context,
    pub steps: Vec<Step>,
    pub level: Level,
    pub branches: Vec<Level>,
    pub locations: Vec<Own>,
    seen: Vec<&'static str>,
}

impl Compiler {
    /// Reads the directives of one block.
    ///
    /// # Errors
    ///
    /// The first thing that is not understood.
    pub fn walk(&mut self, context: Context, directives: &[Directive]) -> Result<Frame, Problem> {
        let mut frame = Frame {
            context,
            steps: Vec::new(),
            level: Level::default(),
            branches: Vec::new(),
            locations: Vec::new(),
            seen: Vec::new(),
        };
        for directive in directives {
            self.directive.clone_from(&directive.name);
            self.one(&mut frame, directive).map_err(|problem| problem.about(&directive.name))?;
        }
        Ok(frame)
    }

    fn one(&mut self, frame: &mut Frame, directive: &Directive) -> Result<(), Problem> {
        let refuse = |reason: String| Err(Problem::new(directive.at, reason));
        let known = DIRECTIVES.iter().find(|known| known.name == directive.name);
        let Some(known) = known else {
            if frame.context == Context::Http && DEFINITIONS.contains(&&*directive.name) {
                let name = &directive.name;
                self.notes.push(format!("{name} has no effect: nothing here can make use of it"));
                return Ok(());
            }
            return match instead(&directive.name, frame.context) {
                Some(annotation) => refuse(repeats(annotation)),
                None => refuse("is not supported; take it out or use annotations instead".into()),
            };
        };
        if !known.contexts.contains(&frame.context) {
            return match instead(known.name, frame.context) {
                Some(annotation) => refuse(repeats(annotation)),
                None => refuse(format!("is not allowed in {}", frame.context.name())),
            };
        }
        if directive.block.is_some() != known.has_block {
            let (has, article) = if known.has_block { ("needs", "a") } else { ("takes", "no") };
            return refuse(format!("{has} {article} block in braces"));
        }
        if !known.words.contains(&directive.words.len()) {
            return refuse(format!("has a wrong number of words ({})", directive.words.len()));
        }
        if known.once {
            if frame.seen.contains(&known.name) {
                return refuse("is given twice".into());
            }
            frame.seen.push(known.name);
        }
        (known.apply)(self, frame, directive)
    }

    /// Whether a pattern can be served; anything goes where nobody can tell.
    pub fn check_pattern(&self, at: At, regex: &str) -> Result<(), Problem> {
        let Some(check) = self.check else { return Ok(()) };
        (check.alias)(regex)
            .map_err(|error| Problem::new(at, format!("has no usable regular expression: {error}")))
    }
}

fn repeats(annotation: &str) -> String {
    format!("repeats what every location has already; use the annotation {annotation} instead")
}
