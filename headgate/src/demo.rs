//! `headgate demo`: the bundled application and a gateway in front of it, on loopback, from the bundled manifests.

mod application;
mod manifests;

use std::{
    env,
    fs::{self, File, TryLockError},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use headgate_controller::Options;
use headgate_gateway::{
    listen::tls::check_certificate, observe::metrics::MetricsSettings, run::Startup,
};

use crate::{
    serve::{self, Plan, Running},
    settings::{Demo, PATTERN_CHECK, Source},
};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Runs the demo until a signal.
pub fn run(settings: &Demo) -> anyhow::Result<()> {
    let data = settings.data_dir.clone().map_or_else(default_data_dir, Ok)?;
    fs::create_dir_all(&data).with_context(|| format!("cannot create {}", data.display()))?;
    let _lock = lock(&data)?;
    let runtime = serve::control_runtime()?;
    let application = application::start(&runtime, &data, settings.app_port_shift)?;
    let folders = manifests::prepare(&data, settings.manifests.clone(), application.endpoints())?;
    let mut running = serve::start(&runtime, plan(settings, folders))?;
    if runtime.block_on(running.ready()) {
        introduce(&running, &data);
        runtime.block_on(running.stop_signal());
    }
    let stopped = running.shut_down(&runtime);
    runtime.block_on(application.stop());
    stopped
}

/// Makes sure that no other demo uses the folder, as long as the result lives: they would share databases and endpoints.
fn lock(data: &Path) -> anyhow::Result<File> {
    let path = data.join("lock");
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => anyhow::bail!(
            "another demo uses {}: end it, or name another folder with --data-dir DIR",
            data.display()
        ),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}

fn plan(settings: &Demo, manifests: Vec<PathBuf>) -> Plan {
    Plan {
        source: Source::Manifests(manifests),
        options: Options {
            resolve_services_by_name: true,
            certificate_check: Some(check_certificate),
            pattern_check: Some(PATTERN_CHECK),
            ..Options::default()
        },
        startup: Startup {
            address: LOOPBACK,
            http_port: settings.http_port,
            https_port: settings.https_port,
            workers: 1,
            grace: Duration::from_secs(5),
        },
        admin: SocketAddr::new(LOOPBACK, settings.healthz_port),
        health_path: "/healthz".into(),
        metrics: MetricsSettings { enabled: true, ..MetricsSettings::default() },
        delay: Duration::ZERO,
        webhook: None,
    }
}

/// `headgate/demo` under the user's state directory.
fn default_data_dir() -> anyhow::Result<PathBuf> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let state = set("XDG_STATE_HOME").or_else(|| set("HOME").map(|home| home.join(".local/state")));
    let state = state
        .context("neither XDG_STATE_HOME nor HOME is set: name a folder with --data-dir DIR")?;
    Ok(state.join("headgate/demo"))
}

/// Says what there is to see and to try.
#[expect(clippy::print_stdout, reason = "this is what the user came for")]
fn introduce(running: &Running, data: &Path) {
    let (http, https, admin) =
        (running.gateway.http.port(), running.gateway.https.port(), running.admin);
    println!(
        "
headgate serves the blog.

  In a browser   http://posts.localhost:{http}
                 https://posts.localhost:{https}   (self-signed certificate)
  Live routes    http://{admin}/api/routes
  Metrics        http://{admin}/metrics
  Data           {data}

Try it:

  curl -H 'Host: posts.com' http://127.0.0.1:{http}/posts
  curl -H 'Host: posts.com' -H 'Content-Type: application/json' \\
       -d '{{\"title\":\"Hello\"}}' http://127.0.0.1:{http}/posts/create
  curl -H 'Host: posts.com' -H 'Content-Type: application/json' \\
       -d '{{\"content\":\"I like it\"}}' http://127.0.0.1:{http}/posts/ID/comments

Requests are logged below. Ctrl-C stops everything.
",
        data = data.display()
    );
}
