//! A real php-fpm behind the gateway.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::{fcgi, root};
use crate::support::{Table, TestGateway};

const SCRIPT: &str = r#"<?php
header('X-Method: ' . $_SERVER['REQUEST_METHOD']);
if (isset($_GET['status'])) http_response_code((int) $_GET['status']);
if (isset($_GET['complain'])) error_log("a complaint\nof two lines");
if (isset($_GET['big'])) { for ($i = 0; $i < 300; $i++) { echo str_repeat('x', 10000); } exit; }
echo $_SERVER['HTTP_X_MY'] ?? 'none', '|', $_GET['a'] ?? '', '|', $_POST['b'] ?? '', '|';
echo strlen(file_get_contents('php://input')), '|', $_SERVER['SCRIPT_NAME'];
"#;

/// A server with its folder; both end with the test.
struct Php {
    address: SocketAddr,
    folder: tempfile::TempDir,
    child: Child,
}

/// The program, whose name has a version in it.
fn program() -> PathBuf {
    let names = std::fs::read_dir("/usr/sbin").expect("a folder");
    let mut found: Vec<_> = names
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("php-fpm"))
        })
        .collect();
    found.sort();
    found.pop().expect("php-fpm (scripts/deps upstreams installs it)")
}

impl Php {
    fn start() -> Self {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = free.local_addr().expect("an address");
        drop(free);
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path();
        std::fs::write(path.join("app.php"), SCRIPT).expect("written");
        let configuration = format!(
            "[global]\ndaemonize = no\nerror_log = {0}/log\n\
             [www]\nlisten = {address}\npm = static\npm.max_children = 2\ncatch_workers_output = no\n",
            path.display()
        );
        std::fs::write(path.join("fpm.conf"), configuration).expect("written");
        // It ends with the thread that started it, even if that is killed: its workers would stay for ever.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "TERM"]).arg(program());
        command.arg("--nodaemonize").arg("--fpm-config").arg(path.join("fpm.conf"));
        // As in a container: whoever may do everything says whom the script runs as, or that he does not mind.
        command.arg("--allow-to-run-as-root");
        let child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut php = Self { address, folder, child: child.expect("php-fpm starts") };
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(address).is_err() {
            let ended = php.child.try_wait().ok().flatten();
            assert!(ended.is_none(), "php-fpm ended: {ended:?}");
            assert!(Instant::now() < deadline, "php-fpm does not listen");
            std::thread::sleep(Duration::from_millis(5));
        }
        php
    }
}

impl Drop for Php {
    fn drop(&mut self) {
        // Killed, it would leave its workers behind.
        let asked = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        if !asked.is_ok_and(|status| status.success()) {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

#[test]
fn php_is_served() {
    let php = Php::start();
    let folder = php.folder.path().display().to_string();
    let script = format!("{folder}$fastcgi_script_name");
    let location = root("php", |location| {
        location.transport = Some(fcgi(Some("app.php"), &[("SCRIPT_FILENAME", &script)]));
        location.body_limit = None;
    });
    let table = Table::default().upstream("php", &[php.address]);
    let gateway = TestGateway::start(table.location("a.test", location).build());
    let mut client = gateway.client();
    client.send("GET /?a=1 HTTP/1.1\r\nHost: a.test\r\nX-My: v\r\n\r\n");
    let answer = client.answer();
    assert_eq!((answer.status, answer.text()), (200, "v|1||0|/app.php"));
    assert_eq!(answer.header("x-method"), Some("GET"));
    assert!(answer.header("content-type").is_some_and(|kind| kind.starts_with("text/html")));

    let form = "Content-Type: application/x-www-form-urlencoded";
    client.send(format!(
        "POST /app.php HTTP/1.1\r\nHost: a.test\r\n{form}\r\nContent-Length: 4\r\n\r\nb=22"
    ));
    assert_eq!(client.answer().text(), "none||22|4|/app.php");

    let large = vec![b'x'; 3 * 1024 * 1024];
    client.send(format!(
        "PUT /app.php HTTP/1.1\r\nHost: a.test\r\nContent-Length: {}\r\n\r\n",
        large.len()
    ));
    client.send(&large);
    assert_eq!(client.answer().text(), "none|||3145728|/app.php");

    assert_eq!(client.get("/?status=404&complain=1").status, 404);
    assert_eq!(client.get("/?big=1").body.len(), 3_000_000);
    assert_eq!(client.get("/missing.php").status, 404);
}
