//! Patterns and the paths that they are matched with.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| headgate_gateway::fuzz::pattern(data));
