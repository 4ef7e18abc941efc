use super::*;

const LIMITS: HeadLimits = HeadLimits { line: 8192, total: 4 * 8192 };

fn refusal(lines: &[&str]) -> Option<Refusal> {
    check(format!("{}\r\n\r\n", lines.join("\r\n")).as_bytes(), LIMITS).err()
}

fn framing(lines: &[&str]) -> BodyFraming {
    check(format!("{}\r\n\r\n", lines.join("\r\n")).as_bytes(), LIMITS).expect("accepted").framing
}

const POST: &str = "POST / HTTP/1.1";
const HOST: &str = "Host: a.test";

#[test]
fn plain_requests_are_accepted() {
    assert_eq!(framing(&["GET /x?y HTTP/1.1", HOST, "Accept: */*"]), BodyFraming::Length(0));
    assert_eq!(framing(&[POST, HOST, "Content-Length: 5"]), BodyFraming::Length(5));
    assert_eq!(framing(&[POST, HOST, "Transfer-Encoding: Chunked "]), BodyFraming::Chunked);
    assert_eq!(framing(&["GET / HTTP/1.0"]), BodyFraming::Length(0));
}

#[test]
fn request_lines_are_strict() {
    for line in [
        "GET / HTTP/1.1 x",
        "GET / HTTQ/1.1",
        "get / HTTP/1.1",
        "GET  / HTTP/1.1",
        "GET /\t HTTP/1.1",
        "GET foo HTTP/1.1",
        "GET a.test:80 HTTP/1.1",
        "GET ?x HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "GET http:/x HTTP/1.1",
        "GET http:///x HTTP/1.1",
    ] {
        assert_eq!(refusal(&[line, HOST]), Some(400), "{line}");
    }
    assert_eq!(refusal(&["GET http://a.test HTTP/1.1", HOST]), None);
    assert_eq!(refusal(&["GET / HTTP/2.0", HOST]), Some(505));
    assert_eq!(refusal(&["CONNECT a.test:443 HTTP/1.1", HOST]), Some(405));
    assert_eq!(refusal(&["TRACE / HTTP/1.1", HOST]), Some(405));
}

#[test]
fn ambiguous_framing_is_refused() {
    for (lines, status) in [
        (vec!["Content-Length: 5", "Content-Length: 5"], 400),
        (vec!["Content-Length: 5, 5"], 400),
        (vec!["Content-Length: +5"], 400),
        (vec!["Content-Length: 9223372036854775808"], 400),
        (vec!["Content-Length: 5", "Transfer-Encoding: chunked"], 400),
        (vec!["Transfer-Encoding: chunked", "Content-Length: 5"], 400),
        (vec!["Transfer-Encoding: chunked", "Transfer-Encoding: identity"], 400),
        (vec!["Transfer-Encoding: xchunked"], 501),
        (vec!["Transfer-Encoding: gzip, chunked"], 501),
        (vec!["Transfer-Encoding: ,chunked"], 501),
        (vec!["Transfer-Encoding:"], 501),
    ] {
        let mut all = vec![POST, HOST];
        all.extend(lines.iter());
        assert_eq!(refusal(&all), Some(status), "{lines:?}");
    }
    assert_eq!(refusal(&["POST / HTTP/1.0", "Transfer-Encoding: chunked"]), Some(400));
}

#[test]
fn hosts_are_counted() {
    assert_eq!(refusal(&[POST]), Some(400));
    assert_eq!(refusal(&[POST, HOST, "host: b.test"]), Some(400));
}

#[test]
fn header_lines_are_strict() {
    for line in [" folded", "X-A : b", "no colon", ": empty", "X-A: a\0b", "X\u{7f}: b"] {
        assert_eq!(refusal(&["GET / HTTP/1.1", HOST, line]), Some(400), "{line:?}");
    }
    let odd = check(b"GET / HTTP/1.1\r\nHost: a\r\nX_A: b\r\n\r\n", LIMITS).expect("accepted");
    assert!(odd.odd_names);
}

#[test]
fn what_the_library_cannot_hold_is_taken_out() {
    let head = b"GET /a\"#b HTTP/1.1\r\nHost: a\r\nX@Y: 1\r\nX-Z: 2\r\n\r\n";
    assert!(check(head, LIMITS).expect("accepted").repair);
    let (head, target) = repair(head);
    assert_eq!(head, b"GET / HTTP/1.1\r\nHost: a\r\nX-Z: 2\r\n\r\n");
    assert_eq!(target.as_deref(), Some(&b"/a\"#b"[..]));
}

#[test]
fn long_lines_have_their_own_status() {
    let line = |target: usize| format!("GET /{} HTTP/1.1", "a".repeat(target - 1));
    assert_eq!(refusal(&[&line(8177), HOST]), None);
    assert_eq!(refusal(&[&line(8178), HOST]), Some(414));
    assert_eq!(
        refusal(&["GET / HTTP/1.1", HOST, &format!("X: {}", "a".repeat(8200))]),
        Some(TOO_LARGE)
    );
}

#[test]
fn a_head_is_as_large_as_it_is_allowed_to_be_and_no_larger() {
    let limits = HeadLimits { line: 64, total: 128 };
    let head = |lines: &[usize]| {
        let lines = lines.iter().map(|length| format!("X: {}\r\n", "a".repeat(length - 3)));
        format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", lines.collect::<String>())
    };
    let checked = |head: &str| check(head.as_bytes(), limits).map(|_| ());
    assert_eq!(checked(&head(&[64])), Ok(()));
    assert_eq!(checked(&head(&[65])), Err(TOO_LARGE));
    assert_eq!(checked(&head(&[49, 48])), Ok(()), "{}", head(&[49, 48]).len());
    assert_eq!(checked(&head(&[50, 48])), Err(TOO_LARGE));
    assert_eq!(refuse_partial(&[b'G'; 63], limits), None);
    assert_eq!(refuse_partial(&[b'G'; 64], limits), Some(414));
    assert_eq!(refuse_partial(head(&[64, 60]).as_bytes(), limits), Some(TOO_LARGE));
}

#[test]
fn the_end_is_found_across_reads_and_with_bare_line_feeds() {
    assert_eq!(end_of_head(b"GET / HTTP/1.1\r\n\r", 0), None);
    assert_eq!(end_of_head(b"GET / HTTP/1.1\r\n\r\nx", 17), Some(18));
    assert_eq!(end_of_head(b"GET / HTTP/1.1\n\nx", 0), Some(16));
}
