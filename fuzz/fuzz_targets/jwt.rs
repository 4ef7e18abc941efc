//! Tokens, their claims, and the sets of keys that they are verified with.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| headgate_gateway::fuzz::jwt(data));
