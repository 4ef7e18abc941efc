//! Facts of host names, as observed on the reference.

use proptest::prelude::*;

use super::*;

fn host(raw: &str) -> String {
    let name = routing_host(raw.as_bytes()).expect("a good host");
    String::from_utf8(name.as_bytes().to_vec()).expect("UTF-8")
}

fn error(raw: &str) -> HostError {
    routing_host(raw.as_bytes()).expect_err("a bad host")
}

#[test]
fn case_port_and_one_trailing_dot_do_not_matter() {
    for raw in ["a.test", "A.TEST", "a.test:80", "a.test:", "a.test.", "a.test.:8080", "a.test:abc"]
    {
        assert_eq!(host(raw), "a.test", "{raw}");
    }
}

#[test]
fn bracketed_literals_are_kept_whole() {
    assert_eq!(host("[::1]:80"), "[::1]");
    assert_eq!(host("[::FFFF:1.2.3.4]"), "[::ffff:1.2.3.4]");
    assert_eq!(host("[::1"), "[::1");
}

#[test]
fn odd_names_are_just_names() {
    for raw in ["*.test", "a.test,b.test", "a_.test", ".a.test", "é.test", "a@b"] {
        assert_eq!(host(raw), raw);
    }
}

#[test]
fn empty_hosts_are_refused() {
    for raw in ["", ".", ":80", ".:80"] {
        assert_eq!(error(raw), HostError::Empty, "{raw}");
    }
}

#[test]
fn empty_labels_are_refused_even_behind_the_colon() {
    for raw in ["a..test", "a.test..", "..", "a.test:1..2"] {
        assert_eq!(error(raw), HostError::EmptyLabel, "{raw}");
    }
}

#[test]
fn slashes_spaces_and_control_bytes_are_refused() {
    for raw in ["a.test/x", "a b", "a.test:8/0", "\0", "a\x7f", "\ta"] {
        assert_eq!(error(raw), HostError::BadByte, "{raw:?}");
    }
}

#[test]
fn clean_names_are_borrowed() {
    let raw = b"www.a.test:443".to_vec();
    let name = routing_host(&raw).expect("a good host");
    assert!(std::ptr::eq(name.as_bytes().as_ptr(), raw.as_ptr()));
}

proptest! {
    #[test]
    fn a_routing_host_is_its_own_routing_host(raw in "[a-bA-B.:\\[\\]/ _]{0,12}") {
        // a name that ends in a dot because another dot follows the port is cut again
        if let Ok(name) = routing_host(raw.as_bytes()) && !name.as_bytes().ends_with(b".") {
            prop_assert_eq!(&routing_host(name.as_bytes()), &Ok(name.clone()));
        }
    }
}
