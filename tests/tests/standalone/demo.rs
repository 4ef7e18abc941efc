//! `headgate demo` from the first start to Ctrl-C and again: the blog behind the gateway. One test uses the application's well-known
//! ports; the others shift them.

use std::{
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command},
    time::{Duration, Instant},
};

use headgate_tests::{client::Connection, gateway::free_addresses};
use serde_json::{Value, json};

use crate::support::{Ended, PATIENCE, eventually, get, headgate, post, run};

const HOST: &str = "posts.com";
/// Where the parts of the application listen.
const APPLICATION_PORTS: [u16; 6] = [3000, 4000, 4001, 4002, 4003, 4005];
/// Another demo on the machine gets this long to end.
const PORTS_FREE_WITHIN: Duration = Duration::from_secs(60);

#[tokio::test]
async fn the_demo_serves_the_blog_keeps_its_data_and_stops_on_ctrl_c() {
    let temp = tempfile::tempdir().unwrap();
    until_application_ports_are_free().await;

    let demo = Demo::start(temp.path(), "first", 0).await;
    let id = write_a_post_with_comments(demo.http).await;
    let posts = until_judged(demo.http, &id).await;
    reach_every_service(demo.http, &id).await;
    demo.interrupt().await;

    let demo = Demo::start(temp.path(), "second", 0).await;
    eventually("the posts of the first run to be shown again", async || {
        get(demo.http, HOST, "/posts").await.1.parse::<Value>().ok().as_ref() == Some(&posts)
    })
    .await;
    demo.interrupt().await;
}

#[tokio::test]
async fn the_ports_of_the_application_can_be_shifted() {
    let temp = tempfile::tempdir().unwrap();
    let demo = Demo::start(temp.path(), "shifted", free_shift()).await;
    let id = write_a_post_with_comments(demo.http).await;
    until_judged(demo.http, &id).await;
    reach_every_service(demo.http, &id).await;

    // Another one beside it would write into the same databases.
    let data = temp.path().join("data");
    let ended = start_demo(&data, free_shift());
    for word in [data.to_str().unwrap(), "--data-dir"] {
        assert!(ended.err.contains(word), "{word} is not in: {}", ended.err);
    }
    assert_eq!(ended.code, Some(1));
    demo.interrupt().await;
}

#[test]
fn a_taken_port_of_the_application_is_named_with_its_service_and_the_remedy() {
    let temp = tempfile::tempdir().unwrap();
    let shift = free_shift();
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 4001 + shift)).unwrap();
    let ended = start_demo(temp.path(), shift);
    let port = taken.local_addr().unwrap().port().to_string();
    for word in [&port, "comments", "--app-port-shift"] {
        assert!(ended.err.contains(word), "{word} is not in: {}", ended.err);
    }
    assert_eq!((ended.code, ended.err.lines().count()), (Some(1), 1), "{}", ended.err);
}

#[test]
fn a_shift_beyond_the_last_port_is_a_usage_error() {
    let ended = run(&["demo", "--app-port-shift", "61531"]);
    assert_eq!(ended.code, Some(2), "{}", ended.err);
    assert!(ended.err.contains("61530"), "{}", ended.err);
}

/// Starts a demo that does not come far.
fn start_demo(data: &Path, shift: u16) -> Ended {
    let (data, shift) = (data.to_str().unwrap(), shift.to_string());
    run(&[
        "demo",
        "--data-dir",
        data,
        "--app-port-shift",
        &shift,
        "--http-port=0",
        "--https-port=0",
        "--healthz-port=0",
    ])
}

/// A shift by which all ports of the application are free.
fn free_shift() -> u16 {
    let is_good = |shift: &u16| APPLICATION_PORTS.iter().all(|port| is_free(port + shift));
    let mut candidates = (0..1000).map(|_| fastrand::u16(5_000..25_000));
    candidates.find(is_good).expect("there are free ports")
}

async fn write_a_post_with_comments(http: SocketAddr) -> String {
    let (status, refused) = post(http, HOST, "/posts/create", &json!({})).await;
    assert_eq!((status, &refused["status"]), (400, &json!("Error")));
    let (status, created) = post(http, HOST, "/posts/create", &json!({"title": "Hello"})).await;
    let id = created["id"].as_str().unwrap_or_else(|| panic!("no id in {created}")).to_owned();
    assert_eq!((status, &created["title"]), (201, &json!("Hello")));
    for content in ["I like it", "An orange day"] {
        let target = format!("/posts/{id}/comments");
        let (status, comments) = post(http, HOST, &target, &json!({ "content": content })).await;
        assert_eq!(status, 201, "{comments}");
    }
    id
}

/// Waits until both comments have their verdict; all posts, as the gateway shows them.
async fn until_judged(http: SocketAddr, id: &str) -> Value {
    let mut posts = Value::Null;
    eventually("one comment to be approved and one rejected", async || {
        posts = get(http, HOST, "/posts").await.1.parse().unwrap_or_default();
        posts[id]["comments"][0]["status"] == "approved"
            && posts[id]["comments"][1]["status"] == "rejected"
    })
    .await;
    assert_eq!(posts[id]["comments"][1]["content"], "An orange day");
    posts
}

async fn reach_every_service(http: SocketAddr, id: &str) {
    // Only comments answers an unknown post with an empty list.
    assert_eq!(get(http, HOST, "/posts/abc/comments").await, (200, "[]".into()));
    let (status, comments) = get(http, HOST, &format!("/posts/{id}/comments")).await;
    assert_eq!((status, comments.matches("\"id\"").count()), (200, 2), "{comments}");
    for host in [HOST, "posts.localhost"] {
        let (status, page) = get(http, host, "/").await;
        assert!(status == 200 && page.contains("<!doctype html>"), "{host}: {status} {page}");
    }
    assert_eq!(get(http, "elsewhere.example", "/posts").await.0, 404);
}

/// A running demo.
struct Demo {
    child: Child,
    http: SocketAddr,
    ports: Vec<u16>,
}

impl Demo {
    async fn start(temp: &Path, name: &str, shift: u16) -> Self {
        let [http, https, healthz] = free_addresses().unwrap();
        let log = temp.join(format!("{name}.log"));
        let data = temp.join("data");
        let mut command = headgate(&["demo", "--data-dir", data.to_str().unwrap()]);
        command.args(["--app-port-shift", &shift.to_string()]);
        for (flag, address) in
            [("--http-port", http), ("--https-port", https), ("--healthz-port", healthz)]
        {
            command.args([flag, &address.port().to_string()]);
        }
        command.stdout(File::create(&log).unwrap()).stderr(File::create(temp.join("err")).unwrap());
        let mut demo = Self {
            child: command.spawn().unwrap(),
            http,
            ports: [http, https, healthz]
                .map(|address| address.port())
                .into_iter()
                .chain(APPLICATION_PORTS.map(|port| port + shift))
                .collect(),
        };
        eventually("the demo to be ready", async || {
            let ended = demo.child.try_wait().unwrap();
            assert!(
                ended.is_none(),
                "{ended:?}: {}",
                fs::read_to_string(temp.join("err")).unwrap()
            );
            match Connection::open(healthz).await {
                Ok(mut connection) => connection
                    .get("localhost", "/readyz")
                    .await
                    .is_ok_and(|answer| answer.status == 200),
                Err(_) => false,
            }
        })
        .await;
        eventually("the demo to say where it is", async || {
            fs::read_to_string(&log)
                .unwrap()
                .contains(&format!("http://posts.localhost:{}", http.port()))
        })
        .await;
        demo
    }

    /// Ctrl-C: it ends with status 0, and nothing of it listens any more.
    async fn interrupt(mut self) {
        let asked = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        assert!(asked.unwrap().success());
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "the demo does not stop");
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        assert!(status.success(), "{status}");
        for port in &self.ports {
            assert!(is_free(*port), "port {port} is still taken");
        }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // After `interrupt` there is nothing left to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

async fn until_application_ports_are_free() {
    let deadline = Instant::now() + PORTS_FREE_WITHIN;
    while let Some(port) = APPLICATION_PORTS.iter().find(|port| !is_free(**port)) {
        assert!(
            Instant::now() < deadline,
            "port {port} of the application is taken by another program"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
