//! gRPC as its users speak it: server and client are those of the official library.

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use headgate_tests::{
    manifests::{Ingress, documents, endpoint_slice, service},
    tls::SelfSigned,
};
use tempfile::TempDir;

use crate::support::{NAMESPACE, Scene, eventually};

/// A server; it ends with this value.
struct Server {
    port: u16,
    child: Child,
}

impl Server {
    fn start(arguments: &[&str]) -> Self {
        let mut child = peers("serve")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line).unwrap();
        let port = line.trim().parse().expect("a port (scripts/deps upstreams installs grpcio)");
        Self { port, child }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn peers(role: &str) -> Command {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("grpc/peers.py");
    let mut command = Command::new("python3");
    command.arg(script).arg(role);
    command
}

async fn calls_reach(server: &Server, protocol: &str) {
    let scene = Scene::start().await;
    let greeter = documents(&[
        service(NAMESPACE, "greeter"),
        endpoint_slice(NAMESPACE, "greeter", server.port, ["127.0.0.1"]),
    ]);
    scene.folder.write("greeter", &greeter).unwrap();
    let ingress = Ingress::new(NAMESPACE, "greeter")
        .annotation("backend-protocol", protocol)
        .prefix("grpc.example", "/", "greeter");
    scene.folder.write("ingress", &ingress.text()).unwrap();
    eventually("the host to be served", async || {
        !matches!(scene.status("grpc.example").await, 404 | 503)
    })
    .await;
    let mut client = peers("call");
    client.arg(scene.gateway.http.to_string()).arg("grpc.example");
    let ended = tokio::task::spawn_blocking(move || client.output().unwrap()).await.unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{said}\n{}", scene.log());
}

#[tokio::test]
async fn calls_of_all_kinds_pass() {
    calls_reach(&Server::start(&[]), "GRPC").await;
}

#[tokio::test]
async fn calls_of_all_kinds_pass_over_tls() {
    let folder = TempDir::new().unwrap();
    let pair = SelfSigned::new(&["greeter"]).unwrap();
    let [certificate, key] =
        [("certificate", &pair.certificate_pem), ("key", &pair.key_pem)].map(|(name, pem)| {
            let path = folder.path().join(name);
            std::fs::write(&path, pem).unwrap();
            path.display().to_string()
        });
    calls_reach(&Server::start(&[&certificate, &key]), "GRPCS").await;
}
