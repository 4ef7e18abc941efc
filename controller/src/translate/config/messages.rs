//! What is said about keys of the ConfigMap that nobody knows, and about values that make no sense.

use super::reference;
use crate::{near, translate::annotations::refusal::without_credentials};

/// Characters of a value that a message repeats, at most.
const SHOWN: usize = 100;

/// What is said about a value, by what was expected of it. Where that does not say what happens instead, the default applies.
pub fn invalid(name: &str, text: &str, expected: &str) -> String {
    let mut text = without_credentials(text);
    if let Some((end, _)) = text.char_indices().nth(SHOWN) {
        text.replace_range(end.., "…");
    }
    let instead = match reference::default_of(name) {
        _ if expected.contains(';') => String::new(),
        Some(default) => format!("; the default applies: {default}"),
        None => "; the default applies".to_owned(),
    };
    format!("{name}: {text:?} is not {expected}{instead}")
}

/// An unknown key, with the one that was probably meant.
pub fn unknown(name: &str) -> String {
    let shown = name.escape_debug();
    match near::nearest(reference::names(), &name.to_ascii_lowercase()) {
        Some(meant) => format!("{shown} (did you mean {meant}?)"),
        None => shown.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_value_is_named_with_what_applies_instead() {
        for (name, text, expected, says) in [
            (
                "keep-alive",
                "many",
                "a whole number",
                "keep-alive: \"many\" is not a whole number; the default applies: 75",
            ),
            ("gzip-types", "x", "a list", "gzip-types: \"x\" is not a list; the default applies"),
            (
                "hide-headers",
                "é",
                "a list; it is left out",
                "hide-headers: \"é\" is not a list; it is left out",
            ),
        ] {
            assert_eq!(invalid(name, text, expected), says);
        }
        assert!(!invalid("a", "http://user:secret@x", "a URL").contains("secret"));
        assert!(invalid("a", &"é".repeat(1000), "short").len() < 300);
    }

    #[test]
    fn keys_that_are_like_a_known_one_are_taken_for_it() {
        assert_eq!(
            unknown("proxy-bufer-size"),
            "proxy-bufer-size (did you mean proxy-buffer-size?)"
        );
        assert_eq!(unknown("use-gzpi"), "use-gzpi (did you mean use-gzip?)");
        assert_eq!(unknown("proxy_body_size"), "proxy_body_size (did you mean proxy-body-size?)");
        assert_eq!(unknown("typo"), "typo");
    }
}
