//! Answers of FastCGI applications: records, and the head in them.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| headgate_gateway::fuzz::application(data));
