//! Answers of upstreams over HTTP/1: heads, framing, chunks.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| headgate_gateway::fuzz::answer(data));
