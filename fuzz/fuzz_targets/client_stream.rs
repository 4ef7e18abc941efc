//! What clients send over HTTP/1: heads, framing, chunks, pipelines.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| headgate_gateway::fuzz::client_stream(data));
