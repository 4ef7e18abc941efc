//! What responders say about certificates that are served.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| headgate_gateway::fuzz::ocsp_response(data));
