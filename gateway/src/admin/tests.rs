mod table;

use std::{collections::BTreeMap, net::SocketAddr};

use headgate_config::{
    Action, Certificate, CertificateId, Effect, Endpoints, Forward, Host, HostPattern,
    HttpsRedirect, Location, Origin, PathMatch, PathMode, PrivateKey, Redirect, TlsTable, Upstream,
    UpstreamId, Verdict, WhenEmpty, certificate::KeyFormat,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::Builder,
};
use tokio_util::sync::CancellationToken;

use super::{server::serve_within, *};
use crate::observe::metrics::MetricsSettings;

/// Longer than anything here takes; only a test that fails waits for it.
const PATIENCE: Duration = Duration::from_secs(20);

struct Server {
    address: SocketAddr,
    readiness: Arc<Readiness>,
    shutdown: CancellationToken,
}

/// Runs `test` against a server that tells about `snapshot`.
fn with_server<T: Future<Output = ()>>(
    limits: Limits,
    snapshot: Option<Snapshot>,
    test: impl FnOnce(Server) -> T,
) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let readiness = Arc::new(Readiness::waiting("manifests are being read"));
        let snapshot = snapshot.map(Arc::new);
        let state = AdminState {
            metrics: Metrics::new(MetricsSettings::default()),
            readiness: Arc::clone(&readiness),
            snapshot: Box::new(move || snapshot.clone()),
            health_path: "/healthz".into(),
        };
        let server = Server {
            address: listener.local_addr().unwrap(),
            readiness,
            shutdown: CancellationToken::new(),
        };
        let shutdown = server.shutdown.clone();
        let serving =
            tokio::spawn(serve_within(limits, listener, Arc::new(state), shutdown.clone()));
        tokio::time::timeout(PATIENCE, test(server)).await.expect("the test takes too long");
        shutdown.cancel();
        serving.await.unwrap();
    });
}

impl Server {
    /// Status line, head and body of one answer.
    async fn request(&self, method: &str, target: &str) -> (u16, String, String) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request =
            format!("{method} {target} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head.to_owned(), unchunked(head, body))
    }

    async fn get(&self, target: &str) -> (u16, String) {
        let (status, _, body) = self.request("GET", target).await;
        (status, body)
    }

    async fn json(&self, target: &str) -> serde_json::Value {
        let (status, body) = self.get(target).await;
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }
}

fn unchunked(head: &str, body: &str) -> String {
    if !head.contains("transfer-encoding: chunked") {
        return body.to_owned();
    }
    let (mut text, mut rest) = (String::new(), body);
    while let Some((size, behind)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        text.push_str(&behind[..size]);
        rest = &behind[size + 2..];
    }
    text
}

fn upstream(service: &str) -> (UpstreamId, Arc<Upstream>) {
    let id = UpstreamId { namespace: "shop".into(), service: service.into(), port: "80".into() };
    let endpoints = Endpoints::Addresses(vec!["10.0.0.7:8080".parse().unwrap()]);
    let upstream = Upstream::new(id.clone(), endpoints);
    (id, Arc::new(upstream))
}

fn host(name: &str, pattern: HostPattern, action: Action) -> Arc<Host> {
    let location = Location {
        matcher: PathMatch::Prefix("/".into()),
        slash_redirect: false,
        origin: Arc::new(Origin::default()),
        action,
        body_limit: Some(1 << 20),
        https_redirect: HttpsRedirect::IfCertificate,
        redirect: Redirect::default(),
        fixed_redirect: None,
        cors: None,
        rewrite: None,
        upstream_host: None,
        headers: None,
        proxy: Arc::default(),
        protection: None,
        error_pages: None,
        mirror: None,
        throttle: None,
        transport: None,
        snippet: None,
        spans: None,
        access_log: true,
    };
    Arc::new(Host {
        name: name.into(),
        pattern,
        aliases: vec![HostPattern::AnyDepth("alias.test".into())],
        mode: PathMode::Literal,
        locations: vec![Arc::new(location)],
        alias_origin: None,
        app_root: None,
        redirect_to: None,
        client_certificates: None,
        snippet: None,
        ciphers: None,
        origin: None,
    })
}

fn snapshot() -> Snapshot {
    let (id, upstream) = upstream("cart");
    let forward =
        Action::Forward(Forward { upstream: id.clone(), when_empty: WhenEmpty::Respond(503) });
    let certificate = Certificate {
        id: CertificateId("shop/tls".into()),
        chain: vec![b"chain".to_vec()],
        key: PrivateKey::new(b"TOP-SECRET".to_vec(), KeyFormat::Pkcs8),
        names: vec!["a.test".into()],
    };
    let id_of = certificate.id.clone();
    Snapshot {
        hosts: [
            host("*.b.test", HostPattern::OneLabel("b.test".into()), Action::Respond(404)),
            host("_", HostPattern::Default, Action::Deny),
            host("a.test", HostPattern::Exact("a.test".into()), forward),
        ]
        .into(),
        upstreams: [upstream].into_iter().collect(),
        streams: Arc::default(),
        tls: Arc::new(TlsTable {
            names: BTreeMap::from([
                ("a.test".into(), Some(id_of.clone())),
                ("*.b.test".into(), None),
            ]),
            default: None,
            certificates: BTreeMap::from([(id_of, Arc::new(certificate))]),
        }),
        settings: Arc::default(),
        verdicts: Arc::new(vec![Verdict {
            object: headgate_config::ObjectRef {
                kind: "Ingress".into(),
                namespace: "shop".into(),
                name: "bad".into(),
            },
            effect: Effect::Denied,
            reason: "Rejected".into(),
            message: "because".into(),
        }]),
    }
}

fn names(table: &serde_json::Value) -> Vec<&str> {
    let hosts = table["hosts"].as_array().unwrap();
    hosts.iter().map(|host| host["name"].as_str().unwrap()).collect()
}

#[test]
fn readiness_and_health_follow_start_and_shutdown_and_liveness_does_not() {
    with_server(Limits::default(), None, |server| async move {
        assert_eq!(server.get("/readyz").await, (503, "manifests are being read\n".into()));
        assert_eq!(server.get("/healthz").await, (500, "manifests are being read\n".into()));
        assert_eq!(server.get("/livez").await, (200, "ok".into()));
        server.readiness.set_ready();
        assert_eq!(server.get("/readyz").await, (200, "ok".into()));
        assert_eq!(server.get("/healthz").await, (200, "ok".into()));
        server.readiness.set_complaint(Some("nobody tells about changes".into()));
        assert_eq!(server.get("/readyz").await.0, 200);
        assert!(server.get("/readyz").await.1.contains("nobody tells about changes"));
        server.readiness.set_shutting_down();
        assert_eq!(server.get("/readyz").await, (503, "shutting down\n".into()));
        assert_eq!(server.get("/healthz").await.0, 500);
        assert_eq!(server.get("/livez").await, (200, "ok".into()));
    });
}

#[test]
fn a_broken_process_is_unhealthy_but_keeps_its_traffic() {
    with_server(Limits::default(), None, |server| async move {
        server.readiness.set_ready();
        server.readiness.set_broken("a thread has died");
        server.readiness.set_broken("another one has");
        assert_eq!(server.get("/livez").await, (500, "a thread has died\n".into()));
        assert_eq!(server.get("/healthz").await, (500, "a thread has died\n".into()));
        assert_eq!(server.get("/readyz").await.0, 200);
    });
}

#[test]
fn metrics_are_text_and_the_version_is_json() {
    with_server(Limits::default(), None, |server| async move {
        let (status, head, body) = server.request("GET", "/metrics").await;
        assert_eq!(status, 200);
        assert!(head.contains("content-type: text/plain; version=0.0.4; charset=utf-8"), "{head}");
        assert!(body.contains("# TYPE process_cpu_seconds_total counter\n"), "{body}");
        assert_eq!(server.json("/version").await["name"], "headgate");
    });
}

#[test]
fn an_unknown_parameter_is_refused_with_those_that_there_are() {
    with_server(Limits::default(), Some(snapshot()), |server| async move {
        let (status, body) = server.get("/api/routes?hosts=a.test").await;
        assert_eq!(status, 400);
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        let error = body["error"].as_str().unwrap();
        for word in ["hosts", "host=", "namespace=", "ingress=", "verdicts"] {
            assert!(error.contains(word), "{word}: {error}");
        }
    });
}

#[test]
fn every_endpoint_of_the_index_answers() {
    with_server(Limits::default(), Some(snapshot()), |server| async move {
        server.readiness.set_ready();
        let index = server.json("/").await;
        assert_eq!(index, server.json("/api").await);
        let endpoints = index["endpoints"].as_array().unwrap();
        assert_eq!(endpoints.len(), 6);
        for endpoint in endpoints {
            let path = endpoint["path"].as_str().unwrap();
            assert_eq!(server.get(path).await.0, 200, "{path}");
        }
    });
}

#[test]
fn a_long_table_is_whole() {
    let mut snapshot = snapshot();
    let hosts = (0..2_000).map(|number| {
        let name = format!("{number:05}.test");
        host(&name, HostPattern::Exact(name.clone()), Action::Respond(404))
    });
    snapshot.hosts = hosts.collect();
    with_server(Limits::default(), Some(snapshot), |server| async move {
        let table = server.json("/api/routes").await;
        assert_eq!(names(&table).len(), 2_000);
    });
}

#[test]
fn without_a_table_there_are_no_routes() {
    with_server(Limits::default(), None, |server| async move {
        assert_eq!(server.get("/api/routes").await.0, 503);
    });
}

#[test]
fn unknown_paths_and_methods_are_refused_in_json() {
    with_server(Limits::default(), None, |server| async move {
        let (status, head, body) = server.request("GET", "/nothing").await;
        assert_eq!(status, 404);
        assert!(head.contains("content-type: application/json"), "{head}");
        assert!(serde_json::from_str::<serde_json::Value>(&body).unwrap()["error"].is_string());
        let (status, head, _) = server.request("DELETE", "/healthz").await;
        assert_eq!(status, 405);
        assert!(head.contains("allow: GET, HEAD"), "{head}");
    });
}

#[test]
fn an_answer_to_head_has_no_body() {
    with_server(Limits::default(), None, |server| async move {
        let (status, head, body) = server.request("HEAD", "/livez").await;
        assert_eq!((status, body.as_str()), (200, ""));
        assert!(head.contains("content-length: 2"), "{head}");
    });
}

#[test]
fn the_health_path_can_be_moved() {
    let state = AdminState {
        metrics: Metrics::new(MetricsSettings::default()),
        readiness: Arc::new(Readiness::waiting("")),
        snapshot: Box::new(|| None),
        health_path: "/alive".into(),
    };
    let status = |path: &str| state.answer(&Request::get(path).body(()).unwrap()).status().as_u16();
    state.readiness.set_ready();
    assert_eq!((status("/alive"), status("/healthz")), (200, 404));
}

#[test]
fn silent_clients_do_not_keep_others_from_being_answered() {
    let limits = Limits { connections: 4, ..Limits::default() };
    with_server(limits, None, |server| async move {
        let mut silent = Vec::new();
        for _ in 0..10 {
            let mut stream = TcpStream::connect(server.address).await.unwrap();
            stream.write_all(b"GET /livez HTTP/1.1\r\n").await.unwrap();
            silent.push(stream);
        }
        assert_eq!(server.get("/livez").await, (200, "ok".into()));
        let ended = silent[0].read(&mut [0]).await;
        assert!(matches!(ended, Ok(0) | Err(_)), "the oldest connection is still open");
    });
}

#[test]
fn a_head_that_takes_too_long_ends_its_connection() {
    let limits = Limits { head: Duration::from_millis(50), ..Limits::default() };
    with_server(limits, None, |server| async move {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(b"GET /healthz HT").await.unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
    });
}

#[test]
fn idle_connections_end_at_shutdown() {
    with_server(Limits::default(), None, |server| async move {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        let mut answer = [0; 512];
        assert!(stream.read(&mut answer).await.unwrap() > 0);
        server.shutdown.cancel();
        let _ = stream.read_to_end(&mut Vec::new()).await;
        while TcpStream::connect(server.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    });
}
