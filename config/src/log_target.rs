//! Targets of messages that neither a level nor a module tells apart well enough. Which of them are shown, `-v` says
//! (docs/operating.md).

/// What was decided about objects, hosts, upstreams and writes to the cluster, one by one: from `-v 2` on.
pub const DECISIONS: &str = "headgate::decisions";
/// Where single requests lead: from `-v 5` on.
pub const REQUESTS: &str = "headgate::requests";
