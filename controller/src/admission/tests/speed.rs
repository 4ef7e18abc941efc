//! How long a review takes among many Ingresses.

use std::time::{Duration, Instant};

use super::*;

const INGRESSES: usize = 10_000;
/// For every other review. What the slowest take says more about who else uses the machine; a review that looked at all
/// Ingresses would take longer in a debug build.
const MOST: Duration = Duration::from_millis(5);

/// Reviews of new Ingresses and of new versions, from bytes to bytes, sorted by time.
fn times(bench: &Bench, rounds: usize, ingress: impl Fn(usize) -> Value) -> Vec<Duration> {
    let reviews = (0..rounds).map(|round| review_of(&ingress(round)).to_string());
    let mut times: Vec<_> = reviews
        .map(|review| {
            let started = Instant::now();
            let answer = bench.answer(review.as_bytes());
            let time = started.elapsed();
            assert_eq!(answer.status, 200);
            time
        })
        .collect();
    times.sort();
    times
}

/// Shows the times, and says what every other review took at most.
#[expect(clippy::print_stdout, reason = "shown with --nocapture")]
fn median(what: &str, times: &[Duration]) -> Duration {
    let [median, p99] = [50, 99].map(|percent| times[times.len() * percent / 100]);
    println!("{what}: median {median:?}, p99 {p99:?}, most {:?}", times[times.len() - 1]);
    median
}

#[test]
fn ten_thousand_ingresses_do_not_slow_it_down() {
    let bench = Bench::new(Options::default());
    {
        let mut plane = bench.plane.lock().unwrap();
        for number in 0..INGRESSES {
            // A thousand of them share a host.
            let host = format!("{}.test", number.max(1000));
            let path = format!("/{number}");
            plane.objects.apply(&existing(ingress(
                &format!("i{number}"),
                &[(&host, &path, "Prefix"), (&host, &format!("{path}/x"), "Exact")],
            )));
        }
    }
    bench.settle();
    // Makes the index.
    median("the first", &times(&bench, 1, |_| plain()));
    let paths: Vec<_> = (0..1000).map(|number| format!("/large/{number}")).collect();
    let paths: Vec<_> = paths.iter().map(|path| ("1000.test", path.as_str(), "Prefix")).collect();
    let large = ingress("large", &paths);
    median("of a thousand paths", &times(&bench, 20, |_| large.clone()));

    let own = |round: usize| ingress("new", &[(&format!("new-{round}.test"), "/", "Prefix")]);
    let of = |name: &str, round| ingress(name, &[("1000.test", &format!("/{round}"), "Prefix")]);
    for (what, times) in [
        ("new", times(&bench, 500, own)),
        ("taken", times(&bench, 500, |round| of("new", round))),
        ("new version", times(&bench, 500, |round| of(&format!("i{round}"), round))),
    ] {
        let median = median(what, &times);
        assert!(median <= MOST, "{what}: {median:?}");
    }
}
