//! Facts of target normalisation, and the comparison with a slow but obvious implementation.

use proptest::prelude::*;

use super::*;

fn path(target: &str) -> String {
    let target = normalise(target.as_bytes()).expect("a good target");
    String::from_utf8(target.path.into_owned()).expect("a path of this test is UTF-8")
}

fn error(target: &[u8]) -> TargetError {
    normalise(target).expect_err("a bad target")
}

#[test]
fn clean_paths_are_borrowed() {
    for target in ["/", "/foo", "/foo/", "/a.b/.c/..d/...", "/a;b=c,d@e:f!~", "/é\"<>\\^`{|}"] {
        let found = normalise(target.as_bytes()).expect("a good target");
        assert_eq!(found.path, Cow::Borrowed(target.as_bytes()));
        assert!(matches!(found.path, Cow::Borrowed(_)), "{target} was copied");
        assert_eq!(found.query, None);
    }
}

#[test]
fn slashes_are_merged() {
    assert_eq!(path("//foo//bar///x"), "/foo/bar/x");
    assert_eq!(path("/foo/bar//"), "/foo/bar/");
    assert_eq!(path("/////"), "/");
}

#[test]
fn dot_segments_are_resolved() {
    assert_eq!(path("/foo/../bar/x"), "/bar/x");
    assert_eq!(path("/bar/./../foo"), "/foo");
    assert_eq!(path("/foo/x/.."), "/foo/");
    assert_eq!(path("/bar/../foo/."), "/foo/");
    assert_eq!(path("/foo/.."), "/");
    assert_eq!(path("/foo/..."), "/foo/...");
    assert_eq!(path("/.foo/..bar/b."), "/.foo/..bar/b.");
    assert_eq!(path("/a//b/./c/../d?x=1#f"), "/a/b/d");
}

#[test]
fn nothing_is_above_the_root() {
    for target in ["/..", "//../foo", "/foo/../../bar", "/%2e%2e/x", "/a/..%2f.."] {
        assert_eq!(error(target.as_bytes()), TargetError::AboveRoot, "{target}");
    }
}

#[test]
fn an_escaped_slash_or_dot_is_a_slash_or_dot() {
    assert_eq!(path("/foo%2Fbar%2fx"), "/foo/bar/x");
    assert_eq!(path("/foo/%2e/bar"), "/foo/bar");
    assert_eq!(path("/y/%2E%2e/x"), "/x");
    assert_eq!(path("/admin%2f..%2fx"), "/x");
    assert_eq!(path("/%2Fx"), "/x");
    assert_eq!(path("/y/.%2e/x"), "/x");
}

#[test]
fn everything_is_decoded_once() {
    assert_eq!(path("/%66%6f%6F/x"), "/foo/x");
    assert_eq!(path("/a%2520c"), "/a%20c");
    assert_eq!(path("/a%3Fd%23e%25f"), "/a?d#e%f");
    assert_eq!(path("/a+b%2Bc%20d"), "/a+b+c d");
    assert_eq!(path("/caf%c3%A9"), "/café");
}

#[test]
fn bad_escapes_are_refused() {
    for target in ["/%00", "/x%zz", "/x%", "/x%2", "/x%2/", "/x%2?", "/x%+1"] {
        assert_eq!(error(target.as_bytes()), TargetError::BadEscape, "{target}");
    }
}

#[test]
fn targets_without_a_leading_slash_are_refused() {
    for target in ["", "*", "foo", "%2Fx", "?x", "#", "."] {
        assert_eq!(error(target.as_bytes()), TargetError::NoLeadingSlash, "{target}");
    }
}

#[test]
fn control_bytes_and_spaces_are_refused_everywhere() {
    for target in ["/a b", "/a\tb", "/\x7f", "/x?a b", "/x?\x7f", "/x#\n", "//\0"] {
        assert_eq!(error(target.as_bytes()), TargetError::BadByte, "{target:?}");
    }
}

#[test]
fn the_query_is_left_as_it_is() {
    let query = |target: &str| {
        let target = normalise(target.as_bytes()).expect("a good target");
        target.query().map(<[u8]>::to_vec)
    };
    assert_eq!(query("/x"), None);
    assert_eq!(query("/x?"), Some(b"".to_vec()));
    assert_eq!(query("/x?%00%zz%//../?a"), Some(b"%00%zz%//../?a".to_vec()));
    assert_eq!(query("//x?a#b?c"), Some(b"a".to_vec()));
    assert_eq!(query("/x?a#b"), Some(b"a".to_vec()));
}

#[test]
fn a_fragment_ends_the_path_and_hides_what_looks_like_a_query() {
    let target = normalise(b"/foo#/../bar?x").expect("a good target");
    assert_eq!((&*target.path, target.query), (&b"/foo"[..], None));
}

#[test]
fn escapes_and_plus_signs_of_the_path_are_noted() {
    let quoted =
        |target: &'static str| normalise(target.as_bytes()).expect("a good target").quoted();
    assert!(quoted("/a%20b") && quoted("/a+b") && quoted("/a+b//c") && quoted("//c+"));
    assert!(!quoted("/a?b+%20") && !quoted("//a#+") && !quoted("/a"));
}

#[test]
fn absolute_targets_are_taken_apart() {
    let split = |target: &'static str| {
        let found = split_absolute(target.as_bytes()).expect("a good target")?;
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("ASCII");
        Some((text(found.authority), text(&found.rest)))
    };
    let pair = |authority: &str, rest: &str| Some((authority.to_owned(), rest.to_owned()));
    assert_eq!(split("http://b.test/foo?x"), pair("b.test", "/foo?x"));
    assert_eq!(split("HTTPS://B.test:99//foo"), pair("B.test:99", "//foo"));
    assert_eq!(split("http://b.test"), pair("b.test", "/"));
    assert_eq!(split("http://b.test?x=1"), pair("b.test", "/?x=1"));
    assert_eq!(split("http://[::1]:80/x"), pair("[::1]:80", "/x"));
    for other in ["/foo", "//b.test/foo", "*", "b.test:443", "foo", "/http://x/", "1http://x/"] {
        assert_eq!(split(other), None, "{other}");
    }
}

#[test]
fn absolute_targets_without_a_proper_host_are_refused() {
    for target in [
        "http:///x",
        "http://a_b/x",
        "http://u@b.test/",
        "http://b.test:x/",
        "http://[::1/",
        "http://é/",
    ] {
        assert_eq!(split_absolute(target.as_bytes()), Err(TargetError::BadAuthority), "{target}");
    }
}

/// Decodes, splits at slashes, keeps a stack of segments.
fn reference(target: &[u8]) -> Option<(Vec<u8>, Option<Vec<u8>>)> {
    if target.first() != Some(&b'/') || target.iter().any(|&b| b <= b' ' || b == 0x7F) {
        return None;
    }
    let without_fragment = target.split(|&b| b == b'#').next()?;
    let (raw, query) = match without_fragment.iter().position(|&b| b == b'?') {
        Some(at) => (&without_fragment[..at], Some(without_fragment[at + 1..].to_vec())),
        None => (without_fragment, None),
    };
    let mut decoded = Vec::new();
    let mut rest = raw;
    while let [first, after @ ..] = rest {
        if *first == b'%' {
            let digits = std::str::from_utf8(after.get(..2)?).ok()?;
            if !digits.bytes().all(|b| b.is_ascii_hexdigit()) || digits == "00" {
                return None;
            }
            decoded.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &after[2..];
        } else {
            decoded.push(*first);
            rest = after;
        }
    }
    let segments: Vec<&[u8]> = decoded[1..].split(|&b| b == b'/').collect();
    let mut stack: Vec<&[u8]> = Vec::new();
    for segment in &segments {
        match *segment {
            b"" | b"." => {}
            b".." => {
                stack.pop()?;
            }
            other => stack.push(other),
        }
    }
    if matches!(*segments.last()?, b"" | b"." | b"..") {
        stack.push(b"");
    }
    Some(([b"/", stack.join(&b'/').as_slice()].concat(), query))
}

fn targets() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => Just(b"/".to_vec()),
        2 => Just(b".".to_vec()),
        1 => Just(b"..".to_vec()),
        1 => prop::sample::select(vec!["%2f", "%2F", "%2e", "%41", "%00", "%", "%2", "%zz", "%25", "%3f", "%23"])
            .prop_map(|s| s.as_bytes().to_vec()),
        1 => prop::sample::select(vec!["?", "#", "+", "a", "b", "..."]).prop_map(|s| s.as_bytes().to_vec()),
        1 => any::<u8>().prop_map(|b| vec![b]),
    ];
    prop::collection::vec(piece, 0..14).prop_map(|pieces| [vec![b'/'], pieces.concat()].concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn agrees_with_the_obvious_implementation(target in targets()) {
        let found = normalise(&target).ok().map(|t| (t.path().to_vec(), t.query().map(<[u8]>::to_vec)));
        prop_assert_eq!(found, reference(&target));
    }

    #[test]
    fn a_normalised_path_stays_as_it_is(target in targets()) {
        if let Ok(first) = normalise(&target) {
            let written = crate::route::rewrite::escape_path(&first.path).into_owned();
            let second = normalise(&written).expect("an escaped normal path is a good target");
            prop_assert_eq!(first.path, second.path);
        }
    }
}
