//! First messages of TLS connections, of which the server name is read.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| headgate_gateway::fuzz::client_hello(data));
