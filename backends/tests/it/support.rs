//! The six services as child processes on free ports with a data directory of their own, and how to wait for them.

pub mod http;

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::http::Http;

/// All services, in the order of the compose file of the original.
pub const SERVICES: [&str; 6] = ["posts", "comments", "query", "moderation", "bus", "client"];

/// Generous: the whole suite shares two cores with itself.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running application. Dropping it kills what still runs.
pub struct App {
    pub http: Http,
    data: TempDir,
    ports: BTreeMap<&'static str, u16>,
    children: BTreeMap<&'static str, Child>,
    extra_env: Vec<(String, String)>,
}

impl App {
    /// All six services, ready.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// All six services with more environment, ready.
    pub async fn start_with(env: &[(&str, &str)]) -> Self {
        let mut app = Self::new(env);
        for service in SERVICES {
            app.start_service(service);
        }
        for service in SERVICES {
            app.ready(service).await;
        }
        app
    }

    /// Ports and a directory, nothing running.
    pub fn new(env: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self {
            http: Http::new(),
            data: TempDir::new().unwrap(),
            ports: SERVICES.iter().map(|service| (*service, free_port())).collect(),
            children: BTreeMap::new(),
            extra_env: env.iter().map(owned).collect(),
        }
    }

    /// Starts one service on its port; does not wait.
    pub fn start_service(&mut self, service: &'static str) {
        let log = File::options().create(true).append(true).open(self.log_path(service)).unwrap();
        let subscribers = ["posts", "comments", "query", "moderation"]
            .map(|name| format!("{name}={}", self.url(name, "")))
            .join(",");
        let child = Command::new(env!("CARGO_BIN_EXE_backends"))
            .arg(service)
            .env_clear()
            .env("PORT", self.ports[service].to_string())
            .env("DATA_DIR", self.data.path())
            .env("BUS_URL", self.url("bus", ""))
            .env("SUBSCRIBERS", subscribers)
            .envs(self.extra_env.iter().map(|(name, value)| (name, value)))
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        assert!(self.children.insert(service, child).is_none(), "{service} runs already");
    }

    /// SIGKILL.
    pub fn kill(&mut self, service: &str) {
        let mut child = self.children.remove(service).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// SIGTERM; does not wait.
    pub fn terminate(&self, service: &str) {
        let pid = self.children[service].id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }

    /// Waits until a service has ended by itself.
    pub async fn ended(&mut self, service: &str) -> ExitStatus {
        let mut child = self.children.remove(service).unwrap();
        let mut status = None;
        eventually("the process to end", async || {
            status = child.try_wait().unwrap();
            status.is_some()
        })
        .await;
        status.unwrap()
    }

    /// Sets the environment of services that are started from now on.
    pub fn set_env(&mut self, name: &str, value: &str) {
        self.extra_env.push((name.to_owned(), value.to_owned()));
    }

    /// Waits until `/readyz` of a service says yes.
    pub async fn ready(&self, service: &str) {
        let url = self.url(service, "/readyz");
        let what = format!("{service} to be ready");
        eventually(&what, async || matches!(self.http.get(&url).await, Ok((200, _)))).await;
    }

    pub fn url(&self, service: &str, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.ports[service])
    }

    pub fn port(&self, service: &str) -> u16 {
        self.ports[service]
    }

    pub fn database(&self, service: &str) -> PathBuf {
        self.data.path().join(format!("{service}.db"))
    }

    /// The log lines of a service, over all its starts.
    pub fn log(&self, service: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(self.log_path(service)).unwrap();
        // The last line may be half written.
        let complete = text.rfind('\n').map_or("", |end| &text[..end]);
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
        complete.lines().map(parse).collect()
    }

    /// Posts JSON and expects success.
    pub async fn post(&self, service: &str, path: &str, body: Value) -> Value {
        let (status, answer) = self.http.post(&self.url(service, path), &body).await.unwrap();
        assert!((200..300).contains(&status), "{service} {path}: {status} {answer}");
        answer
    }

    /// Gets JSON and expects success.
    pub async fn get(&self, service: &str, path: &str) -> Value {
        let (status, answer) = self.http.get(&self.url(service, path)).await.unwrap();
        assert_eq!(status, 200, "{service} {path}: {answer}");
        answer
    }

    /// Waits until the comments of a post have exactly these statuses in the query service.
    pub async fn statuses(&self, post_id: &str, expected: &[&str]) {
        eventually("the comments to be judged", async || {
            let post = self.get("query", "/posts").await[post_id].take();
            let comments = post["comments"].as_array().cloned().unwrap_or_default();
            comments
                .iter()
                .map(|comment| comment["status"].as_str().unwrap())
                .eq(expected.iter().copied())
        })
        .await;
    }

    fn log_path(&self, service: &str) -> PathBuf {
        self.data.path().join(format!("{service}.log"))
    }
}

impl Drop for App {
    fn drop(&mut self) {
        for child in self.children.values_mut() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            for service in SERVICES {
                let text = std::fs::read_to_string(self.log_path(service)).unwrap_or_default();
                let serious = text.lines().filter(|line| !line.contains("\"INFO\""));
                serious.take(20).for_each(|line| eprintln!("{line}"));
            }
        }
    }
}

/// Waits until `condition` holds.
pub async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !condition().await {
        assert!(started.elapsed() < PATIENCE, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A port that a service can be started on again and again. It lies below the range from which the kernel takes ports for
/// outgoing connections, so that no client of a parallel test gets it between two starts.
pub fn free_port() -> u16 {
    static TAKEN: Mutex<Option<HashSet<u16>>> = Mutex::new(None);
    let mut taken = TAKEN.lock().unwrap();
    let taken = taken.get_or_insert_default();
    loop {
        let port = fastrand::u16(12_000..30_000);
        if !taken.contains(&port) && TcpListener::bind(("127.0.0.1", port)).is_ok() {
            taken.insert(port);
            return port;
        }
    }
}
