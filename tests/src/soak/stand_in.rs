//! nginx in the gateway's place, to test the soak itself: untouched, everything must be reported as fine; reloaded at every
//! change, the closed connections must be noticed.

use std::{
    fs::{self, File},
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use tokio::process::{Child, Command};

use super::{
    Options, Target,
    changes::Changes,
    load::Addresses,
    scene::{PLAIN, REGEX, SECURE, Scene},
};
use crate::{client::Connection, gateway::free_addresses};

const START_LIMIT: Duration = Duration::from_secs(10);

/// A running nginx with the soak's steady routes.
pub struct Nginx {
    child: Child,
    /// Process id of the master process.
    pub pid: u32,
    /// Where it listens.
    pub addresses: Addresses,
}

impl Nginx {
    /// Starts nginx and waits until it answers.
    pub async fn start(scene: &Scene, scratch: &Path) -> Result<Self> {
        let [http, https, _] = free_addresses()?;
        let addresses = Addresses { http, https };
        fs::write(scratch.join("tls.crt"), &scene.first_certificate.certificate_pem)?;
        fs::write(scratch.join("tls.key"), &scene.first_certificate.key_pem)?;
        let file = scratch.join("nginx.conf");
        fs::write(&file, configuration(scene, scratch, addresses))?;
        let log = File::create(scratch.join("nginx.log"))?;
        let child = Command::new("nginx")
            .arg("-c")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .context("cannot start nginx")?;
        let pid = child.id().context("nginx has ended already")?;
        let begin = Instant::now();
        while Connection::open(http).await.is_err() {
            ensure!(
                begin.elapsed() < START_LIMIT,
                "nginx does not listen: {}",
                fs::read_to_string(scratch.join("nginx.log"))?
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(Self { child, pid, addresses })
    }

    /// Reloads as often as there would be changes, or does nothing.
    pub async fn disturb(&self, options: &Options) -> Changes {
        let mut changes = Changes::default();
        let begin = Instant::now();
        let spacing = Duration::from_secs(options.seconds)
            / u32::try_from(options.changes.max(1)).unwrap_or(u32::MAX);
        for number in 0..options.changes {
            if options.target == Target::NginxReload
                && let Err(error) = self.signal("-HUP").await
            {
                changes.failures.push(error.to_string());
                break;
            }
            changes.made += 1;
            let due = spacing * u32::try_from(number + 1).unwrap_or(u32::MAX);
            tokio::time::sleep(due.saturating_sub(begin.elapsed())).await;
        }
        changes
    }

    /// Ends nginx and waits for it.
    pub async fn stop(mut self) -> Result<()> {
        self.signal("-TERM").await?;
        self.child.wait().await?;
        Ok(())
    }

    async fn signal(&self, signal: &str) -> Result<()> {
        let status = Command::new("kill").args([signal, &self.pid.to_string()]).status().await?;
        ensure!(status.success(), "nginx is gone");
        Ok(())
    }
}

fn configuration(scene: &Scene, scratch: &Path, addresses: Addresses) -> String {
    let scratch = scratch.display();
    let upstream = |name: &str, members: &[&str]| {
        let servers: String =
            members.iter().map(|member| format!("server {}; ", scene.address(member))).collect();
        format!("upstream {name} {{ {servers} keepalive 64; }}\n")
    };
    let upstreams = upstream("steady", &["steady-1", "steady-2"])
        + &upstream("moving", &["moving-a1", "moving-a2"]);
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|what| format!("{what}_temp_path {scratch}/{what};\n"))
        .collect();
    let everywhere = "location / { proxy_pass http://steady; }\nlocation /moving/ { proxy_pass http://moving; }\nlocation /ws { proxy_pass http://moving; }\n";
    format!(
        r#"daemon off;
worker_processes 1;
worker_shutdown_timeout 1s;
pid {scratch}/nginx.pid;
error_log {scratch}/nginx-error.log;
events {{ worker_connections 1024; }}
http {{
access_log off;
{temporary}{upstreams}map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
proxy_http_version 1.1;
proxy_set_header Host $http_host;
proxy_set_header Upgrade $http_upgrade;
proxy_set_header Connection $connection_upgrade;
server {{
listen {http};
server_name {PLAIN};
{everywhere}}}
server {{
listen {http};
server_name {REGEX};
location / {{ proxy_pass http://steady; }}
location /old/ {{ rewrite ^/old/(.*) /new/$1 break; proxy_pass http://moving; }}
}}
server {{
listen {https} ssl;
server_name {SECURE};
ssl_certificate {scratch}/tls.crt;
ssl_certificate_key {scratch}/tls.key;
{everywhere}}}
}}
"#,
        http = addresses.http,
        https = addresses.https,
    )
}
