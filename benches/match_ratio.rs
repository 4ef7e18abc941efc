//! Prints how the cost of matching grows with the number of routes, and how it compares with a linear scan of
//! regular expressions, which is what nginx does. Exits with 1 if an acceptance ratio does not hold.
#![expect(clippy::print_stdout, reason = "a program that prints figures")]

use std::{
    hint::black_box,
    process::ExitCode,
    time::{Duration, Instant},
};

use headgate_benches::{Case, LinearScan, Shape, pattern_host, plain_host};
use headgate_gateway::route::{
    path::{Found, PathTable},
    target::normalise,
};

/// Every figure is the median of this many rounds.
const ROUNDS: usize = 9;
const ROUND: Duration = Duration::from_millis(60);

fn main() -> ExitCode {
    let plain = plain_hosts();
    let patterns = pattern_hosts();
    if plain && patterns { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn verdict(what: &str, ratio: f64, holds: bool, bound: &str) -> bool {
    let word = if holds { "holds" } else { "DOES NOT HOLD" };
    println!("    {what}: {ratio:.2} ({bound}: {word})");
    holds
}

fn plain_hosts() -> bool {
    println!("plain hosts: normalise and find, ns per request");
    let cases = [10, 1_000, 10_000, 100_000].map(|routes| (routes, plain_host(routes)));
    let tables = cases.each_ref().map(|(_, case)| PathTable::compile(&case.host));
    for ((_, case), table) in cases.iter().zip(&tables) {
        check(case, |path| table.find(path) != Found::Nothing);
    }
    let mut good = true;
    for hits in [true, false] {
        let mut rounds: [Vec<f64>; 4] = Default::default();
        // in turns, so that whatever else the machine does hits all of them
        for _ in 0..ROUNDS {
            for (index, ((_, case), table)) in cases.iter().zip(&tables).enumerate() {
                let paths = if hits { &case.hits } else { &case.misses };
                rounds[index].push(round(paths, &mut |path| {
                    let target = normalise(path);
                    black_box(target.map(|target| table.find(target.path()))).is_ok()
                }));
            }
        }
        let times = rounds.map(median);
        let kind = if hits { "hits" } else { "misses" };
        for ((routes, _), time) in cases.iter().zip(times) {
            println!("  {routes:>7} routes, {kind}: {time:>7.1}");
        }
        let ratio = times[3] / times[0];
        good &= verdict(&format!("{kind}, 100,000 to 10 routes"), ratio, ratio < 2.0, "< 2");
    }
    good
}

fn pattern_hosts() -> bool {
    println!("\nregular-expression hosts: ns per request, against PCRE2 in order");
    let mut good = true;
    for shape in [Shape::Mixed, Shape::Literal, Shape::Versioned, Shape::Suffixes] {
        for count in [10, 100, 1_000, 10_000] {
            good &= pattern_host_of(count, shape);
        }
    }
    good
}

fn pattern_host_of(count: usize, shape: Shape) -> bool {
    let case = pattern_host(count, shape);
    let start = Instant::now();
    let table = PathTable::compile(&case.host);
    let compiled = start.elapsed();
    let Ok(linear) = LinearScan::new(&case.host) else {
        println!("  PCRE2 refuses a pattern");
        return false;
    };
    check(&case, |path| table.find(path) != Found::Nothing);
    check(&case, |path| linear.find(path).is_some());
    println!("  {count} {shape:?}, compiled in {compiled:.1?}");
    let mut good = true;
    for (kind, paths) in [("hits", &case.hits), ("misses", &case.misses)] {
        let mut rounds: [Vec<f64>; 2] = Default::default();
        for _ in 0..ROUNDS {
            rounds[0].push(round(paths, &mut |path| black_box(table.find(path)) != Found::Nothing));
            rounds[1].push(round(paths, &mut |path| black_box(linear.find(path)).is_some()));
        }
        let [ours, theirs] = rounds.map(median);
        let ratio = theirs / ours;
        if count == 10_000 {
            println!("    {kind}: {ours:.1} against {theirs:.1}");
            good &= verdict(kind, ratio, ratio >= 100.0, ">= 100");
        } else {
            println!("    {kind}: {ours:.1} against {theirs:.1}, {ratio:.1} times");
        }
    }
    good
}

/// Both sides have to agree on what a hit is, or the figures mean nothing.
fn check(case: &Case, mut find: impl FnMut(&[u8]) -> bool) {
    assert!(case.hits.iter().all(|path| find(path)), "a hit is not found");
    assert!(!case.misses.iter().any(|path| find(path)), "a miss is found");
}

fn median(mut rounds: Vec<f64>) -> f64 {
    rounds.sort_by(f64::total_cmp);
    rounds[rounds.len() / 2]
}

/// Nanoseconds per call over all paths.
fn round(paths: &[Vec<u8>], find: &mut impl FnMut(&[u8]) -> bool) -> f64 {
    let (start, spent) = (Instant::now(), processor_time());
    let mut paths = paths.iter().cycle();
    let mut calls = 0_u32;
    while start.elapsed() < ROUND {
        for path in paths.by_ref().take(64) {
            black_box(find(path));
        }
        calls += 64;
    }
    (processor_time() - spent).as_secs_f64() * 1e9 / f64::from(calls)
}

/// What this thread has used of a processor so far: time in which others ran does not count.
fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let used = text.split_ascii_whitespace().next().and_then(|text| text.parse().ok());
    Duration::from_nanos(used.unwrap_or_default())
}
