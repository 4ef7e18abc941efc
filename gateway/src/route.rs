//! Route matching: which host and which location take a request, and what path the upstream is sent.
//!
//! Pure: no I/O, no clock, nothing asynchronous. The caller resolves listeners, runs filters and writes answers.
//!
//! ```text
//! request target ── target::split_absolute ──┬─ authority ── name::routing_host ── host::HostTable::find ──▶ host
//!                                            └─ rest ─────── target::normalise ─── path::PathTable::find ──▶ location
//!                                                                                  rewrite::RewriteProgram::apply
//! ```
//!
//! | Item | Answers |
//! |---|---|
//! | [`target::split_absolute`] | authority and origin form of an absolute-form target; `None` for other targets |
//! | [`target::normalise`] | the path that is matched (borrowed when it is already clean) and the query |
//! | [`name::routing_host`] | the host that is looked up (borrowed when it is already clean) |
//! | [`host::HostTable`] | exact names, wildcards, regular expressions, default |
//! | [`path::PathTable`] | the location of one host: by bytes or by regular expression |
//! | [`rewrite::RewriteProgram`] | the path sent upstream, or a redirect, for a location with a rewrite |
//! | [`rewrite::escape_path`] | a decoded path as it is written on the wire (rewrites, slash redirects) |
//! | [`pattern::Pattern`] | a parsed PCRE, and whether it is one that can be served |
//!
//! Everything that is compiled is immutable and can be shared between threads.

#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod host;
pub mod name;
pub mod path;
pub(crate) mod pattern;
pub mod rewrite;
#[cfg(any(test, fuzzing))]
pub(crate) mod sample;
pub mod target;
