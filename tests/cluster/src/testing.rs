//! Tests with a cluster: each runs in a process of its own, in namespaces of its own, so that tests neither see nor disturb each other
//! and nothing is left of them.

use std::{
    any::type_name,
    env,
    io::{BufRead, BufReader, Read},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    process::Stdio,
    sync::{Condvar, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use crate::{
    cluster::{self, Cluster},
    isolation,
    settings::Settings,
};

/// How many clusters there are at a time, of those that this process supervises.
static RUNNING: Mutex<usize> = Mutex::new(0);
static FREED: Condvar = Condvar::new();

/// The whole of a `#[test]` function that needs a cluster. The test program starts itself again in new namespaces for this one test;
/// there, a cluster is started and `body` called. Panics if anything fails, and then keeps the cluster's logs. Where cores are few,
/// such tests wait for each other.
///
/// `body` must be a closure written in the test function itself: that is how the test's name is known.
#[expect(clippy::panic, reason = "this is how a test fails")]
pub fn with_cluster<B>(settings: Settings, body: B)
where
    B: AsyncFnOnce(&Cluster) -> Result<()>,
{
    let path = type_name::<B>().trim_end_matches("::{{closure}}");
    let name = path.split_once("::").map_or(path, |(_, name)| name);
    let outcome = if isolation::is_inside() {
        inside(name, &settings, body)
    } else {
        outside(name, settings.limit)
    };
    if let Err(error) = outcome {
        panic!("{error:#}");
    }
}

fn inside<B>(name: &str, settings: &Settings, body: B) -> Result<()>
where
    B: AsyncFnOnce(&Cluster) -> Result<()>,
{
    isolation::enter()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let run = async {
        let cluster = Cluster::start(settings).await.context("the cluster did not start")?;
        body(&cluster).await
    };
    let outcome = catch_unwind(AssertUnwindSafe(|| runtime.block_on(run)));
    if !matches!(outcome, Ok(Ok(()))) {
        let target = env::temp_dir().join("headgate-cluster-logs").join(format!(
            "{}-{:x}",
            name.replace("::", "-"),
            fastrand::u32(..)
        ));
        match cluster::save_logs(&target) {
            // It did not get so far.
            Ok(false) => {}
            Ok(true) => eprintln!("the cluster's logs are in {}", target.display()),
            Err(error) => eprintln!("the cluster's logs could not be saved: {error:#}"),
        }
    }
    outcome.unwrap_or_else(|panic| resume_unwind(panic))
}

/// Runs the test of this name in namespaces of its own, and waits for its end.
fn outside(name: &str, limit: Duration) -> Result<()> {
    let _place = Place::take();
    let mut command = isolation::command(&env::current_exe()?);
    command.args(["--exact", name, "--nocapture", "--include-ignored", "--test-threads=1"]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot run unshare (Debian package util-linux)")?;
    // As long as it is open the test lives.
    let _lifeline = child.stdin.take();
    let (output, errors) =
        (child.stdout.take().context("no stdout")?, child.stderr.take().context("no stderr")?);
    let errors = thread::spawn(move || forward(errors));
    let output = thread::spawn(move || forward(output));
    let deadline = Instant::now() + limit;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if Instant::now() > deadline {
            child.kill()?;
            child.wait()?;
            anyhow::bail!("the test was not over after {limit:?}");
        }
        thread::sleep(Duration::from_millis(50));
    };
    let passed = output.join().unwrap_or_default();
    let _ = errors.join();
    anyhow::ensure!(status.success(), "the test failed in its cluster, see above");
    // A name that no test has would pass as well.
    anyhow::ensure!(passed, "there is no test {name} in this program");
    Ok(())
}

/// Repeats what a test writes, so that it is shown when a test's output is. Tells whether one test passed.
fn forward(stream: impl Read) -> bool {
    let mut passed = false;
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        passed |= line.starts_with("test result: ok. 1 passed");
        eprintln!("  | {line}");
    }
    passed
}

/// The right to run a cluster.
struct Place;

impl Place {
    fn take() -> Self {
        let places = thread::available_parallelism().map_or(1, |cores| cores.get() / 2).max(1);
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        while *running >= places {
            running = FREED.wait(running).unwrap_or_else(PoisonError::into_inner);
        }
        *running += 1;
        Self
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        FREED.notify_one();
    }
}
