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
    let mut good = true;
    println!(
        "plain hosts: normalise and find, ns per request (hits spread over the table / misses)"
    );
    let [small, large] = [10, 100_000].map(plain);
    for routes in [1_000, 10_000] {
        plain(routes);
    }
    for (kind, small, large) in [("hits", small.0, large.0), ("misses", small.1, large.1)] {
        good &= verdict(
            &format!("{kind}: 10 to 100,000 routes"),
            large / small,
            |ratio| ratio < 2.0,
            "< 2",
        );
    }
    println!("\nregular-expression hosts: ns per request, against PCRE2 in order");
    for count in [10, 100, 1_000, 10_000] {
        for shape in [Shape::Mixed, Shape::Literal, Shape::Versioned, Shape::Suffixes] {
            let (hits, misses) = patterns(count, shape);
            if count == 10_000 {
                good &= verdict(&format!("{shape:?} hits"), hits, |ratio| ratio >= 100.0, ">= 100");
                good &=
                    verdict(&format!("{shape:?} misses"), misses, |ratio| ratio >= 100.0, ">= 100");
            }
        }
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn verdict(what: &str, ratio: f64, holds: impl Fn(f64) -> bool, bound: &str) -> bool {
    let word = if holds(ratio) { "holds" } else { "DOES NOT HOLD" };
    println!("  {what}: {ratio:.2} ({bound}: {word})");
    holds(ratio)
}

fn plain(routes: usize) -> (f64, f64) {
    let case = plain_host(routes);
    let table = PathTable::compile(&case.host);
    check(&case, |path| table.find(path) != Found::Nothing);
    let mut find = |path: &[u8]| {
        let target = normalise(path);
        black_box(target.map(|target| table.find(target.path()))).is_ok()
    };
    let times = (median(&case.hits, &mut find), median(&case.misses, &mut find));
    println!("  {routes:>7} routes: {:>8.1} / {:>8.1}", times.0, times.1);
    times
}

fn patterns(count: usize, shape: Shape) -> (f64, f64) {
    let case = pattern_host(count, shape);
    let start = Instant::now();
    let table = PathTable::compile(&case.host);
    let compiled = start.elapsed();
    let Ok(linear) = LinearScan::new(&case.host) else {
        println!("  PCRE2 refuses a pattern");
        return (0.0, 0.0);
    };
    check(&case, |path| table.find(path) != Found::Nothing);
    check(&case, |path| linear.find(path).is_some());
    let mut ratios = [0.0; 2];
    for (ratio, (kind, paths)) in
        ratios.iter_mut().zip([("hits", &case.hits), ("misses", &case.misses)])
    {
        let ours = median(paths, &mut |path| black_box(table.find(path)) != Found::Nothing);
        let theirs = median(paths, &mut |path| black_box(linear.find(path)).is_some());
        *ratio = theirs / ours;
        println!(
            "  {count:>6} {shape:?} {kind}: {ours:>8.1} against {theirs:>10.1}, {ratio:.1} times (compiled in {compiled:.1?})"
        );
    }
    (ratios[0], ratios[1])
}

/// Both sides have to agree on what a hit is, or the figures mean nothing.
fn check(case: &Case, mut find: impl FnMut(&[u8]) -> bool) {
    assert!(case.hits.iter().all(|path| find(path)), "a hit is not found");
    assert!(!case.misses.iter().any(|path| find(path)), "a miss is found");
}

/// Nanoseconds per call over all paths.
fn median(paths: &[Vec<u8>], find: &mut impl FnMut(&[u8]) -> bool) -> f64 {
    let mut rounds: Vec<f64> = (0..ROUNDS).map(|_| round(paths, find)).collect();
    rounds.sort_by(f64::total_cmp);
    rounds[ROUNDS / 2]
}

fn round(paths: &[Vec<u8>], find: &mut impl FnMut(&[u8]) -> bool) -> f64 {
    let start = Instant::now();
    let mut calls = 0_u32;
    loop {
        // the clock is looked at once in a while, and every path has its turn
        for path in paths.iter().cycle().skip(calls as usize % paths.len()).take(64) {
            black_box(find(path));
        }
        calls += 64;
        let spent = start.elapsed();
        if spent >= ROUND {
            return spent.as_secs_f64() * 1e9 / f64::from(calls);
        }
    }
}
