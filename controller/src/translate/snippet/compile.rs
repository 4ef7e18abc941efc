//! Which directives there are, where each may stand, and the walk over them.

use std::{collections::BTreeSet, ops::RangeInclusive};

use headgate_config::snippet::{OwnMatch, Step};

use super::{
    At, Problem, access, answer, condition,
    level::Level,
    location,
    parse::{Directive, parse},
    proxying, request, rewriting, substitution,
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

/// Reads one directive.
pub type Apply = fn(&mut Compiler, &mut Frame, &Directive) -> Result<(), Problem>;

/// What there is to know about a directive.
pub struct Definition {
    name: &'static str,
    contexts: &'static [Context],
    words: RangeInclusive<usize>,
    has_block: bool,
    once: bool,
    apply: Apply,
}

impl Definition {
    const fn new(
        name: &'static str,
        contexts: &'static [Context],
        words: RangeInclusive<usize>,
        apply: Apply,
    ) -> Self {
        Self { name, contexts, words, has_block: false, once: false, apply }
    }

    const fn block(mut self) -> Self {
        self.has_block = true;
        self
    }

    /// It may stand in a block only once.
    const fn once(mut self) -> Self {
        self.once = true;
        self
    }
}

use Context::{Http, Location, LocationIf, OwnLocation, Server, ServerIf};

const WIDE: &[Context] = &[Http, Server, Location, OwnLocation, LocationIf];
const LEVELS: &[Context] = &[Http, Server, Location, OwnLocation];
const STEPS: &[Context] = &[Server, Location, OwnLocation, ServerIf, LocationIf];
/// In a location of an Ingress its annotations say it already, and nginx takes it only once.
const OUTSIDE: &[Context] = &[Http, Server, OwnLocation];

const ANY: usize = usize::MAX;

#[rustfmt::skip]
static DIRECTIVES: &[Definition] = &[
    Definition::new("add_header", WIDE, 2..=3, answer::add_header),
    Definition::new("allow", LEVELS, 1..=1, access::rule),
    Definition::new("break", STEPS, 0..=0, rewriting::end),
    Definition::new("client_max_body_size", OUTSIDE, 1..=1, proxying::size).once(),
    Definition::new("default_type", LEVELS, 1..=1, answer::default_type).once(),
    Definition::new("deny", LEVELS, 1..=1, access::rule),
    Definition::new("expires", WIDE, 1..=2, answer::expires).once(),
    Definition::new("gzip", WIDE, 1..=1, answer::gzip).once(),
    Definition::new("if", &[Server, Location, OwnLocation], 1..=ANY, condition::branch).block(),
    Definition::new("location", &[Server], 1..=2, location::own).block(),
    Definition::new("more_clear_headers", WIDE, 1..=ANY, answer::clear),
    Definition::new("more_clear_input_headers", WIDE, 1..=ANY, request::clear),
    Definition::new("more_set_headers", WIDE, 1..=ANY, answer::set),
    Definition::new("more_set_input_headers", WIDE, 1..=ANY, request::set),
    Definition::new("proxy_buffering", OUTSIDE, 1..=1, proxying::switch).once(),
    Definition::new("proxy_connect_timeout", OUTSIDE, 1..=1, proxying::time).once(),
    Definition::new("proxy_hide_header", LEVELS, 1..=1, answer::hide),
    Definition::new("proxy_read_timeout", OUTSIDE, 1..=1, proxying::time).once(),
    Definition::new("proxy_send_timeout", OUTSIDE, 1..=1, proxying::time).once(),
    Definition::new("proxy_set_header", LEVELS, 2..=2, request::send),
    Definition::new("proxy_ssl_verify", LEVELS, 1..=1, proxying::tls_verify).once(),
    Definition::new("return", STEPS, 1..=2, rewriting::reply),
    Definition::new("rewrite", STEPS, 2..=3, rewriting::rewrite),
    Definition::new("set", STEPS, 2..=2, rewriting::set),
    Definition::new("sub_filter", LEVELS, 2..=2, substitution::replace),
    Definition::new("sub_filter_last_modified", LEVELS, 1..=1, substitution::last_modified).once(),
    Definition::new("sub_filter_once", LEVELS, 1..=1, substitution::once).once(),
    Definition::new("sub_filter_types", LEVELS, 1..=ANY, substitution::types).once(),
];

/// Directives of the http block that do nothing until another one names what they define; those are refused.
#[rustfmt::skip]
const DEFINITIONS: &[&str] = &[
    "geo", "js_path", "limit_conn_zone", "limit_req_zone", "log_format", "lua_package_path", "lua_shared_dict",
    "map", "map_hash_bucket_size", "map_hash_max_size", "proxy_cache_path", "split_clients", "upstream",
];

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
            if frame.context == Http && DEFINITIONS.contains(&&*directive.name) {
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

/// The annotation that says in every location of an Ingress what this directive would say there again.
fn instead(directive: &str, context: Context) -> Option<&'static str> {
    if context != Location {
        return None;
    }
    Some(match directive {
        "client_max_body_size" => "proxy-body-size",
        "proxy_buffer_size" => "proxy-buffer-size",
        "proxy_buffering" => "proxy-buffering",
        "proxy_buffers" => "proxy-buffers-number",
        "proxy_connect_timeout" => "proxy-connect-timeout",
        "proxy_http_version" => "proxy-http-version",
        "proxy_next_upstream" => "proxy-next-upstream",
        "proxy_next_upstream_timeout" => "proxy-next-upstream-timeout",
        "proxy_next_upstream_tries" => "proxy-next-upstream-tries",
        "proxy_pass" => "backend-protocol or service-upstream",
        "proxy_read_timeout" => "proxy-read-timeout",
        "proxy_request_buffering" => "proxy-request-buffering",
        "proxy_send_timeout" => "proxy-send-timeout",
        _ => return None,
    })
}
