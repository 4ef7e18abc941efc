//! Lends the gateway's matcher to the controller, which knows none.

use headgate_controller::PatternCheck;
use headgate_gateway::{
    check_blocked, check_header,
    route::{host::check_alias, path::check_pattern, rewrite::RewriteProgram},
};

/// Which patterns the gateway can serve.
pub const PATTERN_CHECK: PatternCheck = PatternCheck {
    path: |pattern| check_pattern(pattern).map_err(|error| error.to_string()),
    rewrite: |rewrite| {
        RewriteProgram::compile(rewrite).map(drop).map_err(|error| error.to_string())
    },
    alias: |regex| check_alias(regex).map_err(|error| error.to_string()),
    blocked: |text| check_blocked(text).map_err(|error| error.to_string()),
    header: |pattern| check_header(pattern).map_err(|error| error.to_string()),
};
