//! Snippets of nginx's configuration, as annotations and the ConfigMap have them.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        headgate_controller::translate::snippet::try_all(text);
    }
});
