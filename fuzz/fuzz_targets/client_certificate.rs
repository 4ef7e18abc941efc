//! Certificates that clients show in a handshake: their names as text.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| headgate_gateway::fuzz::client_certificate(data));
