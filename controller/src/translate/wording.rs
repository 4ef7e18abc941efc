//! Sentences that several messages have in common.

/// `annotation a is unknown and has no effect`, or `annotations a, b are unknown and have no effect`: of a `kind` of things,
/// their names and what they are.
pub fn without_effect(kind: &str, names: &[impl AsRef<str>], what: &str) -> String {
    let (plural, are, have) =
        if names.len() == 1 { ("", "is", "has") } else { ("s", "are", "have") };
    let names = names.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", ");
    format!("{kind}{plural} {names} {are} {what} and {have} no effect")
}
