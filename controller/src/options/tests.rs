//! Facts about options.

use super::*;

fn selects(selector: &str, labels: &[(&str, &str)]) -> bool {
    let labels = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    selector.parse::<LabelSelector>().unwrap().matches(Some(&labels))
}

#[test]
fn selector_forms() {
    let labels = [("team", "blue"), ("tier", "web")];
    for (selector, expected) in [
        ("", true),
        ("team=blue", true),
        ("team==blue,tier=web", true),
        ("team=red", false),
        ("team!=red", true),
        ("other!=x", true),
        ("team in (red, blue)", true),
        ("team notin (red,blue)", false),
        ("tier", true),
        ("!tier", false),
        ("!other, tier", true),
    ] {
        assert_eq!(selects(selector, &labels), expected, "{selector}");
    }
}

#[test]
fn nonsense_is_no_selector() {
    for text in ["a b", "=x", "team inside (x)", "a=b,,"] {
        assert!(text.parse::<LabelSelector>().is_err(), "{text}");
    }
}

#[test]
fn namespaced_name_needs_both_parts() {
    assert_eq!("a/b".parse::<NamespacedName>().unwrap().to_string(), "a/b");
    for text in ["a", "/a", "a/", "a/b/c", ""] {
        assert!(text.parse::<NamespacedName>().is_err(), "{text}");
    }
}
