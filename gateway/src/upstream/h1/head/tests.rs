use super::*;

fn final_head(text: &str, to_head: bool) -> Result<(Head, Decoder, bool), ProxyError> {
    match parse(&Bytes::copy_from_slice(text.as_bytes()), to_head, |_, _| true)? {
        Parsed::Final { head, body, keep_alive, length } => {
            assert_eq!(length, text.len());
            Ok((head, body, keep_alive))
        }
        other => panic!("{other:?}"),
    }
}

fn framing(status: &str, lines: &[&str]) -> Result<(Decoder, bool), ProxyError> {
    let text = format!("{status}\r\n{}\r\n\r\n", lines.join("\r\n"));
    let text = if lines.is_empty() { format!("{status}\r\n\r\n") } else { text };
    final_head(&text, false).map(|(_, body, keep_alive)| (body, keep_alive))
}

const OK: &str = "HTTP/1.1 200 OK";

#[test]
fn bodies_are_framed_as_the_head_says() {
    for (status, lines, expected) in [
        (OK, vec!["Content-Length: 5"], (Decoder::Length(5), true)),
        (OK, vec!["Content-Length: 5", "Connection: x, Close"], (Decoder::Length(5), false)),
        (OK, vec!["Transfer-Encoding: Chunked"], (Decoder::chunked(), true)),
        (OK, vec![], (Decoder::Close, false)),
        ("HTTP/1.0 200 OK", vec!["Content-Length: 5"], (Decoder::Length(5), false)),
        (
            "HTTP/1.0 200 OK",
            vec!["Content-Length: 5", "Connection: keep-alive"],
            (Decoder::Length(5), true),
        ),
        ("HTTP/1.1 204 None", vec![], (Decoder::Length(0), true)),
        ("HTTP/1.1 304 Same", vec!["Content-Length: 5"], (Decoder::Length(0), true)),
    ] {
        assert_eq!(framing(status, &lines), Ok(expected), "{status} {lines:?}");
    }
}

#[test]
fn doubtful_framing_is_refused() {
    for (status, lines) in [
        (OK, vec!["Content-Length: 5", "Content-Length: 5"]),
        (OK, vec!["Content-Length: 5, 5"]),
        (OK, vec!["Content-Length: +5"]),
        (OK, vec!["Content-Length:"]),
        (OK, vec!["Content-Length: 9223372036854775808"]),
        (OK, vec!["Content-Length: 5", "Transfer-Encoding: chunked"]),
        (OK, vec!["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"]),
        (OK, vec!["Transfer-Encoding: gzip, chunked"]),
        (OK, vec!["Transfer-Encoding: identity"]),
        ("HTTP/1.0 200 OK", vec!["Transfer-Encoding: chunked"]),
    ] {
        assert_eq!(framing(status, &lines), Err(ProxyError::InvalidAnswer), "{lines:?}");
    }
}

#[test]
fn malformed_heads_are_refused() {
    for text in [
        "SSH-2.0-x\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.1 099 Low\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX : a\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: a\r\n\r\n",
    ] {
        let parsed = parse(&Bytes::from(text), false, |_, _| true);
        assert_eq!(parsed.err(), Some(ProxyError::InvalidAnswer), "{text:?}");
    }
    let many = format!("{OK}\r\n{}\r\n", "a: b\r\n".repeat(MAX_LINES + 1));
    assert!(parse(&Bytes::from(many), false, |_, _| true).is_err());
}

#[test]
fn an_answer_to_head_has_no_body() {
    let text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    let (head, body, keep_alive) = final_head(text, true).expect("a head");
    assert_eq!((body, keep_alive), (Decoder::Length(0), true));
    assert_eq!(head.headers["content-length"], "5");
}

#[test]
fn interim_answers_and_parts_of_heads_are_told_apart() {
    let parsed = |text: &'static str| parse(&Bytes::from(text), false, |_, _| true);
    assert!(matches!(parsed("HTTP/1.1 100 Continue\r\n\r\nHTTP"), Ok(Parsed::Interim(25))));
    assert!(matches!(parsed("HTTP/1.1 103 Early\r\nLink: x\r\n\r\n"), Ok(Parsed::Interim(31))));
    assert!(matches!(parsed("HTTP/1.1 200 OK\r\nX: a\r\n"), Ok(Parsed::Partial)));
    assert!(matches!(parsed("HTTP/1.1 101 Go\r\nUpgrade: x\r\n\r\n"), Ok(Parsed::Final { .. })));
}

#[test]
fn unwanted_headers_are_left_out_but_count() {
    let text = Bytes::from("HTTP/1.1 200 OK\r\nConnection: close, X-A\r\nX-A: 1\r\nX-B: 2\r\n\r\n");
    let keep: Keep = |name, status| name != "connection" && status.as_u16() == 200;
    let Ok(Parsed::Final { head, keep_alive, .. }) = parse(&text, false, keep) else {
        panic!("a head");
    };
    assert!(!keep_alive);
    assert_eq!(head.headers.len(), 2);
    assert_eq!(head.connection.as_slice(), ["close, X-A"]);
}
