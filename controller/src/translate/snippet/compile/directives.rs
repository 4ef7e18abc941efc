//! Which directives there are, where each may stand, and which say again what annotations say.

use std::ops::RangeInclusive;

use super::{
    Compiler,
    Context::{self, Http, Location, LocationIf, OwnLocation, Server, ServerIf},
    Frame,
};
use crate::translate::snippet::{
    Problem, access, answer, condition, location, parse::Directive, proxying, request, rewriting,
    substitution,
};

/// Reads one directive.
pub type Apply = fn(&mut Compiler, &mut Frame, &Directive) -> Result<(), Problem>;

/// What there is to know about a directive.
pub struct Definition {
    /// Its name.
    pub name: &'static str,
    /// Where it may stand.
    pub contexts: &'static [Context],
    /// How many words it takes.
    pub words: RangeInclusive<usize>,
    /// Whether a block belongs to it.
    pub has_block: bool,
    /// Whether it may stand in a block only once.
    pub once: bool,
    /// What reads it.
    pub apply: Apply,
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

    const fn once(mut self) -> Self {
        self.once = true;
        self
    }
}

const WIDE: &[Context] = &[Http, Server, Location, OwnLocation, LocationIf];
const LEVELS: &[Context] = &[Http, Server, Location, OwnLocation];
const STEPS: &[Context] = &[Server, Location, OwnLocation, ServerIf, LocationIf];
/// In a location of an Ingress its annotations say it already, and nginx takes it only once.
const OUTSIDE: &[Context] = &[Http, Server, OwnLocation];

const ANY: usize = usize::MAX;

/// All that are understood.
#[rustfmt::skip]
pub static DIRECTIVES: &[Definition] = &[
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
pub const DEFINITIONS: &[&str] = &[
    "geo", "js_path", "limit_conn_zone", "limit_req_zone", "log_format", "lua_package_path", "lua_shared_dict",
    "map", "map_hash_bucket_size", "map_hash_max_size", "proxy_cache_path", "split_clients", "upstream",
];

/// The annotation that says in every location of an Ingress what this directive would say there again.
pub fn instead(directive: &str, context: Context) -> Option<&'static str> {
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
