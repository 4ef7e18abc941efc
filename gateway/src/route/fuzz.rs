//! What the fuzz targets run: the parts of routing that meet untrusted bytes, and what has to hold for any input.
//! A test runs the same on random bytes, so that it keeps compiling and holding without the fuzzer.
#![expect(missing_docs, reason = "named after what they feed")]

use std::sync::Arc;

use headgate_config::{HostPattern, PathMatch, PathMode, Rewrite};

use super::{
    host::HostTable,
    name::routing_host,
    path::{Found, PathTable},
    pattern::{Pattern, engine::Finder, fancy::Fancy, hir::subject},
    rewrite::{RewriteProgram, escape_path},
    sample,
    target::{normalise, split_absolute},
};

pub fn target(data: &[u8]) {
    if let Ok(Some(absolute)) = split_absolute(data) {
        let _ = normalise(&absolute.rest);
    }
    let Ok(target) = normalise(data) else { return };
    let path = target.path();
    assert!(path.starts_with(b"/") && !path.contains(&0));
    let mut segments = path[1..].split(|byte| *byte == b'/').peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        assert!(!matches!(segment, b"." | b"..") && (last || !segment.is_empty()));
    }
    let escaped = escape_path(path);
    assert_eq!(normalise(&escaped).map(|again| again.path().to_vec()), Ok(path.to_vec()));
}

pub fn host_name(data: &[u8]) {
    let Ok(name) = routing_host(data) else { return };
    let name = name.as_bytes();
    assert!(!name.is_empty() && !name.iter().any(u8::is_ascii_uppercase));
    let text = String::from_utf8_lossy(name).into_owned();
    let mut host = sample::host(PathMode::Literal, Vec::new());
    host.pattern = HostPattern::Exact(text.clone());
    let table = HostTable::new([(&host, ())]);
    assert_eq!(table.find(text.as_bytes()), Some(&()));
    host.aliases = vec![HostPattern::SelfAndBelow(text.clone()), HostPattern::Regex(text)];
    host.pattern = HostPattern::OneLabel("b".to_owned());
    let _ = HostTable::new([(&host, ())]).find(name);
}

/// A pattern, a newline, a path.
pub fn pattern(data: &[u8]) {
    let split = memchr::memchr(b'\n', data).unwrap_or(data.len());
    let (text, path) = data.split_at(split);
    let Ok(text) = std::str::from_utf8(text) else { return };
    let path: Vec<u8> = [b"/", path].concat().into_iter().filter(|byte| *byte != 0).collect();
    let location = sample::location(PathMatch::Pattern(text.to_owned()));
    let table = PathTable::compile(&sample::host(PathMode::Pattern, vec![Arc::new(location)]));
    let found = table.find(&path);
    let expected = matches_at_start(text, &path);
    assert!(
        found == Found::Exhausted
            || expected.is_none_or(|yes| (found == Found::Location(0)) == yes),
        "{text:?} on {path:?}: {found:?}"
    );
    let rewrite = Rewrite {
        pattern: text.to_owned(),
        target: "/$1$2".to_owned(),
        forwarded_prefix: Some("$9".to_owned()),
    };
    let target = escape_path(&path);
    if let (Ok(program), Ok(target)) = (RewriteProgram::compile(&rewrite), normalise(&target)) {
        let _ = program.apply(&target, &|_| None);
    }
}

/// The answer of the engine that runs the whole pattern, without table, prefixes and simplification.
fn matches_at_start(text: &str, path: &[u8]) -> Option<bool> {
    let pattern = Pattern::parse(&format!("^{text}")).ok()?;
    if pattern.node.is_regular() {
        let finder = Finder::new(&pattern.node)?;
        return finder.find(&subject(path), &mut []).ok();
    }
    let fancy = Fancy::new(&pattern, &pattern.node).ok()?;
    fancy.find(path).ok().map(|found| found.is_some())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    /// Bytes of which many mean something.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let meaningful =
            prop::sample::select(b"/.%2fFeE0:[](){}|*+?^$\\-a1b,=!<>\n#&;QdwWsxkKRNzZ".to_vec());
        prop::collection::vec(prop_oneof![6 => meaningful, 1 => any::<u8>()], 0..40)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn fuzz_targets_hold_for_random_bytes(data in bytes(), slashed in any::<bool>()) {
            let data = if slashed { [b"/".to_vec(), data].concat() } else { data };
            super::target(&data);
            super::host_name(&data);
            super::pattern(&data);
        }
    }
}
