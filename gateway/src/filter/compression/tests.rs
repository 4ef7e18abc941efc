use super::*;

fn all_on() -> Compression {
    let mut spec = Compression::default();
    for coding in [&mut spec.brotli, &mut spec.zstd, &mut spec.gzip] {
        coding.enabled = true;
    }
    spec
}

fn gzip_only() -> Compression {
    let mut spec = Compression::default();
    spec.gzip.enabled = true;
    spec
}

type Lines<'a> = &'a [(&'static str, &'static str)];

/// The headers of a 200 with these, for a request with those.
fn answered(spec: &Compression, request: Lines<'_>, answer: Lines<'_>) -> HeaderMap {
    with_status(spec, request, answer, StatusCode::OK)
}

fn with_status(
    spec: &Compression,
    request: Lines<'_>,
    answer: Lines<'_>,
    status: StatusCode,
) -> HeaderMap {
    let map = |lines: Lines<'_>| {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    };
    let (request, mut headers) = (map(request), map(answer));
    let candidate = Candidate {
        method: &Method::GET,
        version: Version::HTTP_11,
        request: &request,
        status,
        length: None,
    };
    let encoder = Compressor::new(spec).unwrap().choose(&candidate, &mut headers);
    assert_eq!(encoder.is_some(), changed(&headers));
    headers
}

fn changed(headers: &HeaderMap) -> bool {
    let coding = headers.get(header::CONTENT_ENCODING);
    coding.is_some_and(|coding| ["br", "zstd", "gzip"].iter().any(|name| coding == name))
}

fn coding(headers: &HeaderMap) -> &str {
    headers.get(header::CONTENT_ENCODING).map_or("", |value| value.to_str().unwrap())
}

const TEXT: (&str, &str) = ("content-type", "text/plain; charset=utf-8");
const LONG: (&str, &str) = ("content-length", "5000");

#[test]
fn nothing_is_offered_by_default() {
    assert!(Compressor::new(&Compression::default()).is_none());
    assert!(!Compression::default().is_on() && all_on().is_on());
}

#[test]
fn the_client_chooses_by_weight_and_we_by_order() {
    for (accepted, expected) in [
        ("gzip", "gzip"),
        ("gzip, deflate, br, zstd", "br"),
        ("gzip, zstd", "zstd"),
        ("gzip, br;q=0.5", "gzip"),
        ("gzip;q=0.2, zstd;q=0.3, br;q=0", "zstd"),
        ("*", "br"),
        ("identity", ""),
        ("gzip;q=0", ""),
    ] {
        let headers = answered(&all_on(), &[("accept-encoding", accepted)], &[TEXT, LONG]);
        assert_eq!(coding(&headers), expected, "{accepted}");
        assert_eq!(headers[header::VARY], "Accept-Encoding");
    }
    let headers = answered(&all_on(), &[], &[TEXT, LONG]);
    assert_eq!((coding(&headers), headers.contains_key(header::VARY)), ("", true));
}

#[test]
fn a_compressed_answer_says_so_and_no_more_than_it_can() {
    let answer = [TEXT, LONG, ("etag", "\"abc\""), ("accept-ranges", "bytes"), ("vary", "Origin")];
    let headers = answered(&gzip_only(), &[("accept-encoding", "gzip")], &answer);
    assert_eq!((coding(&headers), &headers[header::ETAG]), ("gzip", &"W/\"abc\"".parse().unwrap()));
    assert!(!headers.contains_key(header::CONTENT_LENGTH));
    assert!(!headers.contains_key(header::ACCEPT_RANGES));
    let vary: Vec<_> = headers.get_all(header::VARY).iter().collect();
    assert_eq!(vary, ["Origin", "Accept-Encoding"]);
    for (tag, expected) in [("W/\"a\"", Some("W/\"a\"")), ("bare", None)] {
        let headers =
            answered(&gzip_only(), &[("accept-encoding", "gzip")], &[TEXT, ("etag", tag)]);
        assert_eq!(headers.get(header::ETAG).map(|tag| tag.to_str().unwrap()), expected);
    }
}

#[test]
fn other_answers_stay_as_they_are() {
    let gzip = [("accept-encoding", "gzip")];
    for answer in [
        &[LONG][..],
        &[("content-type", "image/png"), LONG],
        &[TEXT, ("content-length", "255")],
        &[TEXT, LONG, ("content-encoding", "identity")],
        &[TEXT, LONG, ("cache-control", "public, No-Transform")],
    ] {
        let headers = answered(&gzip_only(), &gzip, answer);
        assert!(!changed(&headers) && !headers.contains_key(header::VARY), "{answer:?}");
    }
    for (status, expected) in [
        (200, true),
        (403, true),
        (404, true),
        (206, false),
        (204, false),
        (304, false),
        (500, false),
    ] {
        let status = StatusCode::from_u16(status).unwrap();
        let headers = with_status(&gzip_only(), &gzip, &[TEXT, LONG], status);
        assert_eq!(changed(&headers), expected, "{status}");
    }
}

#[test]
fn types_and_lengths_are_those_of_each_coding() {
    let mut spec = all_on();
    spec.brotli.types = vec!["text/css".into()];
    spec.gzip.types = vec!["*".into()];
    spec.zstd.enabled = false;
    let accepted = [("accept-encoding", "gzip, br")];
    let coded = |media_type, length| {
        let headers =
            answered(&spec, &accepted, &[("content-type", media_type), ("content-length", length)]);
        coding(&headers).to_owned()
    };
    assert_eq!(coded("text/css", "100"), "br");
    assert_eq!(coded("Text/HTML", "100"), "br");
    assert_eq!(coded("image/png", "1000"), "gzip");
    assert_eq!(coded("image/png", "100"), "");
}

#[test]
fn some_clients_get_no_gzip() {
    let mut spec = all_on();
    spec.gzip_disable = "^old|msie 6".into();
    spec.zstd.enabled = false;
    for (agent, accepted, expected) in
        [("OLD/1", "gzip", ""), ("Mozilla (MSIE 6)", "gzip, br", "br"), ("new", "gzip", "gzip")]
    {
        let request = [("user-agent", agent), ("accept-encoding", accepted)];
        assert_eq!(coding(&answered(&spec, &request, &[TEXT, LONG])), expected, "{agent}");
    }
    spec.gzip_disable = "(".into();
    let request = [("accept-encoding", "gzip")];
    assert_eq!(coding(&answered(&spec, &request, &[TEXT, LONG])), "gzip", "no usable pattern");
}

#[test]
fn neither_head_nor_old_clients_get_anything_compressed() {
    let request =
        HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"))]);
    for (method, version, expected) in [
        (Method::HEAD, Version::HTTP_11, false),
        (Method::GET, Version::HTTP_10, false),
        (Method::POST, Version::HTTP_2, true),
    ] {
        let candidate = Candidate {
            method: &method,
            version,
            request: &request,
            status: StatusCode::OK,
            length: None,
        };
        let mut headers =
            HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("text/css"))]);
        let encoder = Compressor::new(&gzip_only()).unwrap().choose(&candidate, &mut headers);
        assert_eq!(encoder.is_some(), expected, "{method} {version:?}");
    }
}
