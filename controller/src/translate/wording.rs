//! Sentences that several messages have in common.

/// `annotation a is unknown and has no effect`, or `annotations a, b are unknown and have no effect`: of a `kind` of things,
/// their names, and what is said of one of them or of several.
pub fn without_effect(kind: &str, names: &[impl AsRef<str>], says: [&str; 2]) -> String {
    let [one, several] = says;
    let (plural, says, have) =
        if names.len() == 1 { ("", one, "has") } else { ("s", several, "have") };
    let names = names.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", ");
    format!("{kind}{plural} {names} {says} and {have} no effect")
}

/// Why the locations of an Ingress must not forward, with what they do instead, unless that is said already.
pub fn denied(reason: &str) -> String {
    if reason.contains(" answer") {
        return reason.to_owned();
    }
    format!("{reason}: the locations of the Ingress answer 503 until that is corrected")
}
