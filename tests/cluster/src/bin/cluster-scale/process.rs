//! What the kernel says about a process: CPU time, as a whole and by thread.

use std::{collections::BTreeMap, fs, time::Instant};

use anyhow::{Context, Result};

/// Units of CPU time in `/proc`, per second. Fixed by the kernel's ABI.
const TICKS: f64 = 100.0;
/// Threads that used less than this are not named, in percent of a core.
const WORTH_NAMING: f64 = 0.1;

/// CPU time used up to one moment.
pub(crate) struct CpuTime {
    id: u32,
    at: Instant,
    ticks: u64,
    threads: BTreeMap<String, u64>,
}

/// CPU time between two moments, in percent of one core.
pub(crate) struct Load {
    /// Of the process.
    pub(crate) percent: f64,
    /// By name of the thread, largest first.
    pub(crate) threads: String,
}

impl CpuTime {
    /// Up to now.
    pub(crate) fn of(id: u32) -> Result<Self> {
        let mut threads = BTreeMap::new();
        for entry in fs::read_dir(format!("/proc/{id}/task"))?.flatten() {
            // It may have ended since.
            if let Ok((name, ticks)) = stat(&entry.path().join("stat").display().to_string()) {
                *threads.entry(name).or_default() += ticks;
            }
        }
        let (_, ticks) = stat(&format!("/proc/{id}/stat"))?;
        Ok(Self { id, at: Instant::now(), ticks, threads })
    }

    /// What was used since then.
    pub(crate) fn since(&self) -> Result<Load> {
        let now = Self::of(self.id)?;
        let seconds = (now.at - self.at).as_secs_f64();
        let percent =
            |now: u64, before: u64| (now.saturating_sub(before)) as f64 * 100.0 / TICKS / seconds;
        let mut threads: Vec<_> = now
            .threads
            .iter()
            .map(|(name, ticks)| {
                (percent(*ticks, self.threads.get(name).copied().unwrap_or(0)), name)
            })
            .filter(|(percent, _)| *percent >= WORTH_NAMING)
            .collect();
        threads.sort_by(|a, b| b.0.total_cmp(&a.0));
        let threads: Vec<_> =
            threads.iter().map(|(percent, name)| format!("{name} {percent:.1} %")).collect();
        Ok(Load { percent: percent(now.ticks, self.ticks), threads: threads.join(", ") })
    }
}

/// Name and CPU time of a `stat` file, user's and system's.
fn stat(path: &str) -> Result<(String, u64)> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    // The name may hold anything, blanks and brackets as well.
    let (head, rest) = text.rsplit_once(')').context("no name")?;
    let name = head.split_once('(').map_or("", |(_, name)| name);
    let mut fields = rest.split_whitespace().skip(11);
    let mut next = || anyhow::Ok(fields.next().context("too few fields")?.parse::<u64>()?);
    Ok((name.to_owned(), next()? + next()?))
}
