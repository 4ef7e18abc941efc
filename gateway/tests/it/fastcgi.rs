//! FastCGI: what applications are told, what becomes of their answers, and a real one.

mod php;

use std::{collections::BTreeMap, sync::Arc};

use headgate_config::{FastCgi, Location, Rewrite, Transport};

use crate::support::{Client, Table, TestGateway, Upstream, snapshot::root};

const END_REQUEST: u8 = 3;
const PARAMS: u8 = 4;
const STDIN: u8 = 5;
const STDOUT: u8 = 6;
const STDERR: u8 = 7;

/// A request as an application gets it.
#[derive(Debug, Default)]
struct Asked {
    parameters: BTreeMap<String, String>,
    body: Vec<u8>,
}

fn record(kind: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).expect("a small record").to_be_bytes();
    [&[1, kind, 0, 1, length[0], length[1], 0, 0], content].concat()
}

/// An answer that ends well.
fn answer(text: &str) -> Vec<u8> {
    [record(STDOUT, text.as_bytes()), record(STDOUT, b""), record(END_REQUEST, &[0; 8])].concat()
}

fn read_request(client: &mut Client) -> Option<Asked> {
    let (mut asked, mut parameters) = (Asked::default(), Vec::new());
    loop {
        let header = client.exactly(8)?;
        let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
        let content = client.exactly(length + usize::from(header[6]))?;
        match header[1] {
            PARAMS => parameters.extend_from_slice(&content[..length]),
            STDIN if length == 0 => break,
            STDIN => asked.body.extend_from_slice(&content[..length]),
            _ => {}
        }
    }
    let mut rest = &parameters[..];
    while !rest.is_empty() {
        let sizes = [(); 2].map(|()| {
            let (size, taken) = match rest[0] {
                short @ 0..0x80 => (usize::from(short), 1),
                first => {
                    (u32::from_be_bytes([first & 0x7f, rest[1], rest[2], rest[3]]) as usize, 4)
                }
            };
            rest = &rest[taken..];
            size
        });
        let [name, value] = sizes.map(|size| {
            let (text, more) = rest.split_at(size);
            rest = more;
            String::from_utf8_lossy(text).into_owned()
        });
        assert!(asked.parameters.insert(name, value).is_none(), "each is said once");
    }
    Some(asked)
}

/// An application that answers every request as `serve` says, and closes.
fn application(serve: impl Fn(Asked) -> Vec<u8> + Send + Sync + 'static) -> Upstream {
    Upstream::raw(move |mut client| {
        if let Some(asked) = read_request(&mut client) {
            client.send(serve(asked));
        }
    })
}

/// An application that tells what it was told, a line for each parameter.
fn telling() -> Upstream {
    application(|asked| {
        let lines = asked.parameters.iter().map(|(name, value)| format!("{name}={value}\n"));
        let body = String::from_utf8_lossy(&asked.body);
        answer(&format!("Content-Type: text/plain\r\n\r\n{}{body}", lines.collect::<String>()))
    })
}

fn fcgi(index: Option<&str>, parameters: &[(&str, &str)]) -> Transport {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Transport::FastCgi(Arc::new(FastCgi {
        index: index.map(str::to_owned),
        parameters: parameters.iter().map(owned).collect(),
    }))
}

fn gateway(upstream: &Upstream, change: impl FnOnce(&mut Location)) -> TestGateway {
    let location = root("app", |location| {
        location.transport = Some(fcgi(None, &[]));
        change(location);
    });
    let table = Table::default().upstream("app", &[upstream.address]);
    TestGateway::start(table.location("a.test", location).build())
}

fn told<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .find_map(|line| line.split_once('=').filter(|(own, _)| *own == name))
        .map(|of| of.1)
}

#[test]
fn applications_are_told_what_was_asked() {
    let gateway = gateway(&telling(), |_| {});
    let mut client = gateway.client();
    client.send(
        "POST /a%20b/x.php?q=1 HTTP/1.1\r\nHost: a.test:80\r\nContent-Type: text/x\r\nX-My: v\r\n\
         X-Forwarded-For: forged\r\nProxy: forged\r\nTransfer-Encoding: chunked\r\n\r\n\
         3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
    );
    let answer = client.answer();
    let text = answer.text();
    for (name, value) in [
        ("REQUEST_METHOD", "POST"),
        ("QUERY_STRING", "q=1"),
        ("CONTENT_TYPE", "text/x"),
        ("CONTENT_LENGTH", "5"),
        ("SCRIPT_NAME", "/a b/x.php"),
        ("DOCUMENT_URI", "/a b/x.php"),
        ("REQUEST_URI", "/a%20b/x.php?q=1"),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("REQUEST_SCHEME", "http"),
        ("REMOTE_ADDR", "127.0.0.1"),
        ("SERVER_ADDR", "127.0.0.1"),
        ("SERVER_NAME", "a.test"),
        ("REDIRECT_STATUS", "200"),
        ("HTTP_HOST", "a.test:80"),
        ("HTTP_X_MY", "v"),
        ("HTTP_X_FORWARDED_FOR", "127.0.0.1"),
    ] {
        assert_eq!(told(text, name), Some(value), "{name}");
    }
    for name in ["HTTPS", "HTTP_PROXY", "SCRIPT_FILENAME", "HTTP_TRANSFER_ENCODING"] {
        assert_eq!(told(text, name), None, "{name}");
    }
    assert!(text.ends_with("\nabcde"), "{text}");
}

#[test]
fn parameters_of_the_configuration_are_added_and_win() {
    let parameters = [
        ("SCRIPT_FILENAME", "/srv${fastcgi_script_name}"),
        ("SERVER_NAME", "other"),
        ("HTTP_X_MY", "mine"),
        ("BOTH", "$request_method-$server_protocol"),
    ];
    let gateway = gateway(&telling(), |location| {
        location.transport = Some(fcgi(Some("index.php"), &parameters));
        location.rewrite = Some(Rewrite {
            pattern: "/old/(.*)".into(),
            target: "/new/$1".into(),
            forwarded_prefix: None,
        });
    });
    let mut client = gateway.client();
    client.send("GET /old/dir/?x HTTP/1.1\r\nHost: a.test\r\nX-My: v\r\n\r\n");
    let answer = client.answer();
    for (name, value) in [
        ("SCRIPT_NAME", "/new/dir/index.php"),
        ("DOCUMENT_URI", "/new/dir/"),
        ("REQUEST_URI", "/old/dir/?x"),
        ("QUERY_STRING", "x"),
        ("SCRIPT_FILENAME", "/srv/new/dir/index.php"),
        ("SERVER_NAME", "other"),
        ("HTTP_X_MY", "mine"),
        ("BOTH", "GET-HTTP/1.1"),
    ] {
        assert_eq!(told(answer.text(), name), Some(value), "{name}");
    }
}

#[test]
fn answers_have_the_status_that_they_say() {
    for (text, status, body) in [
        ("Status: 404 Not Found\r\n\r\nnothing", 404, "nothing"),
        ("Location: /elsewhere\n\n", 302, ""),
        ("Content-Length: 2\r\n\r\nabcdef", 200, "ab"),
        ("Status: 204 None\r\n\r\nignored", 204, ""),
    ] {
        let gateway = gateway(&application(move |_| answer(text)), |_| {});
        let mut client = gateway.client();
        let answer = client.get("/");
        assert_eq!((answer.status, answer.text()), (status, body), "{text:?}");
        assert_eq!(answer.header("status"), None);
        // The connection is fine for another.
        assert_eq!(client.get("/").status, status, "{text:?}");
    }
}

#[test]
fn what_is_no_answer_is_a_bad_gateway() {
    let overloaded = record(END_REQUEST, &[0, 0, 0, 0, 2, 0, 0, 0]);
    for bytes in [
        Vec::new(),
        b"HTTP/1.1 200 OK\r\n\r\n".to_vec(),
        answer("no head"),
        answer("Status: 1000\r\n\r\n"),
        answer(&format!("X: {}\r\n\r\n", "x".repeat(5000))),
        record(STDOUT, b"Content-Type: a\r\n"),
        overloaded,
    ] {
        let shown = String::from_utf8_lossy(&bytes).into_owned();
        let gateway = gateway(&application(move |_| bytes.clone()), |_| {});
        assert_eq!(gateway.get("/").status, 502, "{shown:?}");
    }
}

#[test]
fn an_answer_that_is_cut_off_is_cut_off_for_the_client() {
    for text in ["Content-Length: 9\r\n\r\npart", "Content-Type: a\r\n\r\npart"] {
        let bytes = record(STDOUT, text.as_bytes());
        let gateway = gateway(&application(move |_| bytes.clone()), |_| {});
        let mut client = gateway.client();
        client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
        assert!(client.head().expect("a head").starts_with("HTTP/1.1 200"));
        while let Some(line) = client.line() {
            assert_ne!(line, "0\r\n", "the body looks whole");
        }
    }
}

#[test]
fn complaints_are_no_part_of_the_answer() {
    let upstream = application(|_| {
        let complaint = record(STDERR, b"PHP message: oh\nno");
        [complaint.clone(), answer("X-A: b\r\n\r\nfine"), complaint].concat()
    });
    assert_eq!(gateway(&upstream, |_| {}).get("/").text(), "fine");
}

#[test]
fn a_body_whose_end_nobody_knows_is_asked_for_its_length() {
    let upstream = application(|asked| answer(&format!("X: y\r\n\r\n{}", asked.body.len())));
    let gateway = gateway(&upstream, |location| location.body_limit = None);
    let large = vec![b'x'; 2 * 1024 * 1024];
    let mut client = gateway.client();
    client.send(format!(
        "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: {}\r\n\r\n",
        large.len()
    ));
    client.send(&large);
    assert_eq!(client.answer().text(), "2097152");
    client.send("POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n200000\r\n");
    client.try_send(&large);
    assert_eq!(client.answer().status, 411);
}

#[test]
fn the_next_application_is_tried_where_one_cannot_be_reached() {
    let good = telling();
    let table = Table::default().upstream("app", &[Upstream::refusing(), good.address]);
    let location = root("app", |location| location.transport = Some(fcgi(None, &[])));
    let gateway = TestGateway::start(table.location("a.test", location).build());
    for _ in 0..4 {
        assert_eq!(gateway.get("/").status, 200);
    }
}
