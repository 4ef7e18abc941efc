//! The value of `Authorization`: credentials of the basic scheme, proofs of the digest scheme.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| headgate_gateway::fuzz::authorization(data));
