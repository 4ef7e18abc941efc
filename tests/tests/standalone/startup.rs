//! Starts that must not succeed: the exit status says so, and the message names flag, value and remedy.

use std::net::{Ipv4Addr, TcpListener};

use headgate_tests::gateway::free_addresses;

use crate::support::{Ended, headgate, run, run_to_end};

#[test]
fn nothing_to_serve_is_an_error_with_a_way_out() {
    assert_failure(&run(&[]), &["--manifests", "headgate demo"]);
}

/// They would take apart what threads that still run use: an end with an error once was one with a signal, rarely.
#[test]
fn the_end_runs_no_exit_handlers() {
    let ended = run_to_end(headgate(&[]).env("MIMALLOC_VERBOSE", "1"));
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    assert!(ended.err.contains("mimalloc: "), "the allocator says nothing: {}", ended.err);
    assert!(!ended.err.contains("process done"), "{}", ended.err);
}

#[test]
fn a_missing_folder_is_an_error() {
    let ended = start(&["--manifests", "/nonexistent/manifests"]);
    assert_failure(&ended, &["/nonexistent/manifests"]);
}

#[test]
fn a_file_in_the_place_of_a_folder_is_an_error() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    assert_failure(&start(&["--manifests", path]), &[path]);
}

#[test]
fn a_taken_port_is_an_error_for_each_listener() {
    for (port, _, ended) in starts_on_a_taken_port() {
        assert_failure(&ended, &[&format!("127.0.0.1:{port}")]);
    }
}

#[test]
fn a_taken_port_is_named_with_its_flag() {
    for (_, flag, ended) in starts_on_a_taken_port() {
        assert_failure(&ended, &[flag]);
    }
}

#[test]
fn two_flags_for_one_thing_are_an_error() {
    for ([one, other], values) in [
        (["--watch-namespace", "--watch-namespace-selector"], ["a", "team=a"]),
        (["--publish-service", "--publish-status-address"], ["ingress/front", "192.0.2.1"]),
    ] {
        let ended = start_on_a_folder(&[one, values[0], other, values[1]]);
        let message = format!("flags {one} and {other} are mutually exclusive");
        assert_failure(&ended, &[&message]);
    }
}

#[test]
fn a_flag_that_needs_another_is_an_error() {
    let ended = start_on_a_folder(&["--metrics-per-undefined-host", "--metrics-per-host=false"]);
    assert_failure(&ended, &["--metrics-per-undefined-host", "--metrics-per-host=true"]);
}

#[test]
fn a_selector_that_is_none_is_an_error() {
    let ended = start_on_a_folder(&["--watch-namespace-selector", "team in ("]);
    assert_failure(&ended, &["--watch-namespace-selector", "team in ("]);
}

#[test]
fn what_the_user_got_wrong_is_told_without_a_backtrace() {
    for (arguments, code) in [
        (&[][..], 1),
        (&["--manifests", "/nonexistent/manifests"], 1),
        (&["demo", "--data-dir", "/dev/null/data"], 1),
        (&["--no-such-flag"], 2),
    ] {
        let ended = run_to_end(headgate(arguments).env("RUST_BACKTRACE", "1"));
        assert_eq!(ended.code, Some(code), "{arguments:?}: {}", ended.err);
        assert!(!ended.err.to_lowercase().contains("backtrace"), "{arguments:?}: {}", ended.err);
    }
}

#[test]
fn an_error_says_its_cause_in_the_same_line() {
    let ended = run(&["demo", "--data-dir", "/dev/null/data"]);
    assert_failure(&ended, &["cannot create /dev/null/data: Not a directory"]);
}

#[test]
fn an_unknown_flag_is_a_usage_error() {
    let ended = run(&["--no-such-flag"]);
    assert_eq!(ended.code, Some(2), "{}", ended.err);
    assert!(ended.err.contains("--no-such-flag") && ended.err.contains("--help"), "{}", ended.err);
}

#[test]
fn a_value_of_the_wrong_kind_is_a_usage_error() {
    for (flag, value) in [
        ("--http-port", "65536"),
        ("--bind-address", "localhost"),
        ("--configmap", "no-namespace"),
        ("--enable-metrics", "maybe"),
    ] {
        let ended = run(&[&format!("{flag}={value}")]);
        assert_eq!(ended.code, Some(2), "{flag}: {}", ended.err);
        assert!(ended.err.contains(flag) && ended.err.contains(value), "{}", ended.err);
    }
}

#[test]
fn the_version_goes_to_standard_output() {
    for arguments in [&["--version"][..], &["version"]] {
        let ended = run(arguments);
        assert_eq!((ended.code, ended.out.trim()), (Some(0), "headgate 0.1.0"));
    }
}

/// One start for each listener, with its port taken.
fn starts_on_a_taken_port() -> Vec<(u16, &'static str, Ended)> {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let flags = ["--http-port", "--https-port", "--healthz-port"];
    flags.map(|flag| (port, flag, start_on_a_folder(&[flag, &port.to_string()]))).into()
}

/// Starts on an empty folder and free ports.
fn start_on_a_folder(arguments: &[&str]) -> Ended {
    let folder = tempfile::tempdir().unwrap();
    start(&[&["--manifests", folder.path().to_str().unwrap()], arguments].concat())
}

/// Starts on free ports; later arguments win.
fn start(arguments: &[&str]) -> Ended {
    let ports = free_addresses().unwrap().map(|address| address.port().to_string());
    let mut all = vec!["--bind-address", "127.0.0.1"];
    for (flag, port) in ["--http-port", "--https-port", "--healthz-port"].iter().zip(&ports) {
        if !arguments.contains(flag) {
            all.extend([flag, port.as_str()]);
        }
    }
    all.extend(arguments);
    run(&all)
}

fn assert_failure(ended: &Ended, words: &[&str]) {
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    let message = ended.err.lines().find(|line| line.starts_with("Error: "));
    let message = message.unwrap_or_else(|| panic!("no error message: {}", ended.err));
    for word in words {
        assert!(message.contains(word), "{word} is not in: {message}");
    }
}
