//! What the tests share: the binary, a folder of manifests with an upstream behind it, raw requests, and waiting.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use headgate_tests::{
    client::{Connection, tcp},
    echo::Echo,
    gateway::{Gateway, Program},
    manifests::{Folder, Ingress, documents, endpoint_slice, ingress_class, service},
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// How long a condition may take to hold. Debug builds on a busy machine are slow; a test that passes does not wait.
pub const PATIENCE: Duration = Duration::from_secs(20);
pub const NAMESPACE: &str = "default";

/// The binary under test: `HEADGATE_BIN`, or the debug build, brought up to date once.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(path) = std::env::var_os("HEADGATE_BIN") {
            return path.into();
        }
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--locked", "-p", "headgate"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stdin(Stdio::null())
            .status()
            .unwrap();
        assert!(built.success(), "headgate does not build");
        // This test is target/debug/deps/standalone-….
        let test = std::env::current_exe().unwrap();
        test.ancestors().nth(2).unwrap().join("headgate")
    })
}

/// A command that runs the binary as a user's shell would: nothing inherited decides what it prints.
pub fn headgate(arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command
        .args(arguments)
        .stdin(Stdio::null())
        .env_remove("RUST_BACKTRACE")
        .env_remove("RUST_LOG");
    command
}

/// How a run of the binary ended.
pub struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

/// Runs the binary to its end, which must come by itself.
pub fn run(arguments: &[&str]) -> Ended {
    run_to_end(&mut headgate(arguments))
}

/// The same with a command that was prepared further.
pub fn run_to_end(command: &mut Command) -> Ended {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let deadline = Instant::now() + PATIENCE;
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("{command:?} did not end: {:?}", child.wait_with_output());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ended { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// A gateway on a folder of its own, with the Service `web` and one upstream behind it.
pub struct Scene {
    pub folder: Folder,
    pub gateway: Gateway,
    pub upstream: Echo,
    pub temp: TempDir,
}

impl Scene {
    pub async fn start() -> Self {
        Self::start_with("").await
    }

    /// The same with further arguments for the program.
    pub async fn start_with(arguments: &str) -> Self {
        let temp = tempfile::tempdir().unwrap();
        let folder = Folder::new(temp.path()).unwrap();
        let upstream = Echo::start("web", ([127, 0, 0, 1], 0).into()).await.unwrap();
        folder.write("class", &ingress_class()).unwrap();
        folder.write("web", &web(upstream.address())).unwrap();
        let gateway =
            program(arguments).start(&[folder.path()], &temp.path().join("log")).await.unwrap();
        Self { folder, gateway, upstream, temp }
    }

    /// Serves all paths of a host by `web`, from the file `NAME.yaml`.
    pub fn route(&self, name: &str, host: &str) {
        self.folder.write(name, &host_of_web(name, host)).unwrap();
    }

    /// The status that a host answers.
    pub async fn status(&self, host: &str) -> u16 {
        status(self.gateway.http, host, "/").await
    }

    /// Waits until a host answers with a status.
    pub async fn until_status(&self, host: &str, wanted: u16) {
        eventually(&format!("{host} to answer {wanted}"), async || {
            self.status(host).await == wanted
        })
        .await;
    }

    /// What `/api/routes` shows.
    pub async fn table(&self) -> Value {
        let (status, body) = get(self.gateway.healthz, "localhost", "/api/routes").await;
        assert_eq!(status, 200);
        serde_json::from_str(&body).unwrap()
    }

    /// What the program has written to standard error.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.temp.path().join("log")).unwrap()
    }
}

/// How the binary is started.
pub fn program(arguments: &str) -> Program {
    Program {
        bin: binary().to_owned(),
        workers: Some(1),
        headgate_args: arguments.into(),
        ready_seconds: 60,
        directory: None,
    }
}

/// The Service `web` with one endpoint.
pub fn web(address: SocketAddr) -> String {
    let ip = address.ip().to_string();
    documents(&[
        service(NAMESPACE, "web"),
        endpoint_slice(NAMESPACE, "web", address.port(), [ip.as_str()]),
    ])
}

/// An Ingress that sends all of a host to `web`.
pub fn host_of_web(name: &str, host: &str) -> String {
    Ingress::new(NAMESPACE, name).prefix(host, "/", "web").text()
}

/// Waits until a condition holds.
pub async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition().await {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Status and body of a GET on a connection of its own.
pub async fn get(address: SocketAddr, host: &str, target: &str) -> (u16, String) {
    let mut connection = Connection::open(address).await.unwrap();
    let answer = connection.get(host, target).await.unwrap();
    (answer.status, answer.text())
}

/// Status of a GET.
pub async fn status(address: SocketAddr, host: &str, target: &str) -> u16 {
    get(address, host, target).await.0
}

/// Sends bytes and reads all that comes until the peer closes.
pub async fn raw(address: SocketAddr, request: &str) -> String {
    let exchange = async {
        let mut stream = tcp(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    };
    tokio::time::timeout(PATIENCE, exchange).await.expect("the connection to be closed")
}

/// Sends JSON; status and body of the answer.
pub async fn post(address: SocketAddr, host: &str, target: &str, body: &Value) -> (u16, Value) {
    let body = body.to_string();
    let answer = raw(
        address,
        &format!(
            "POST {target} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        ),
    )
    .await;
    let status = answer.split(' ').nth(1).unwrap_or_default().parse().unwrap();
    let json = answer.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
    // Short answers may come in one chunk; the JSON text is what lies between the outer brackets.
    let from = json.find(['{', '[']).unwrap_or(json.len());
    let to = json.rfind(['}', ']']).map_or(from, |at| at + 1);
    (status, serde_json::from_str(&json[from..to]).unwrap_or(Value::Null))
}
