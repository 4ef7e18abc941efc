//! PROXY headers of load balancers, both versions.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| headgate_gateway::fuzz::proxy_header(data));
