//! Route matching and compilation at 10 to 100,000 routes.

mod short;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use headgate_benches::{LinearScan, Shape, host_names, hosts, pattern_host, plain_host};
use headgate_config::Rewrite;
use headgate_gateway::route::{
    host::HostTable, name::routing_host, path::PathTable, rewrite::RewriteProgram,
    target::normalise,
};
use short::short;

const COUNTS: [usize; 4] = [10, 1_000, 10_000, 100_000];

/// Gives one path after the other.
struct Round<'a>(std::iter::Cycle<std::slice::Iter<'a, Vec<u8>>>);

impl<'a> Round<'a> {
    fn new(paths: &'a [Vec<u8>]) -> Self {
        Self(paths.iter().cycle())
    }

    fn next(&mut self) -> &'a [u8] {
        self.0.next().map_or(&[], Vec::as_slice)
    }
}

fn requests(c: &mut Criterion) {
    let mut group = c.benchmark_group("request");
    for (name, target) in [
        ("clean", "/api/v1/teams/17/services/checkout/orders?limit=10&after=23"),
        ("encoded", "/api/v1/teams/17//services/che%63kout/./orders?limit=10&after=23"),
    ] {
        group.bench_function(BenchmarkId::new("normalise", name), |b| {
            b.iter(|| normalise(black_box(target.as_bytes())).is_ok());
        });
    }
    for (name, host) in
        [("clean", "service-17.example.com"), ("port", "Service-17.Example.com:8443")]
    {
        group.bench_function(BenchmarkId::new("host", name), |b| {
            b.iter(|| routing_host(black_box(host.as_bytes())).is_ok());
        });
    }
}

fn host_table(c: &mut Criterion) {
    let mut group = c.benchmark_group("hosts");
    for count in COUNTS {
        let list = hosts(count);
        let names = host_names(count);
        let table = HostTable::new(list.iter().map(|host| (host, ())));
        let mut round = Round::new(&names);
        group.bench_function(BenchmarkId::new("find", count), |b| {
            b.iter(|| table.find(round.next()))
        });
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(BenchmarkId::new("compile", count), |b| {
            b.iter(|| HostTable::new(list.iter().map(|host| (host, ()))));
        });
    }
}

fn plain(c: &mut Criterion) {
    let mut group = c.benchmark_group("plain");
    for count in COUNTS {
        let case = plain_host(count);
        let table = PathTable::compile(&case.host);
        for (kind, paths) in [("hit", &case.hits), ("miss", &case.misses)] {
            let mut round = Round::new(paths);
            group.bench_function(BenchmarkId::new(kind, count), |b| {
                b.iter(|| table.find(round.next()))
            });
        }
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(BenchmarkId::new("compile", count), |b| {
            b.iter(|| PathTable::compile(&case.host));
        });
    }
}

fn patterns(c: &mut Criterion) {
    for shape in [Shape::Mixed, Shape::Versioned, Shape::Suffixes, Shape::Literal, Shape::Lookahead]
    {
        let mut group = c.benchmark_group(format!("patterns/{shape:?}"));
        for count in COUNTS {
            let case = pattern_host(count, shape);
            let table = PathTable::compile(&case.host);
            for (kind, paths) in [("hit", &case.hits), ("miss", &case.misses)] {
                let mut round = Round::new(paths);
                group.bench_function(BenchmarkId::new(kind, count), |b| {
                    b.iter(|| table.find(round.next()))
                });
            }
            group.throughput(Throughput::Elements(count as u64));
            group.bench_function(BenchmarkId::new("compile", count), |b| {
                b.iter(|| PathTable::compile(&case.host));
            });
        }
    }
}

fn linear(c: &mut Criterion) {
    let mut group = c.benchmark_group("linear");
    for count in [10, 1_000, 10_000] {
        let case = pattern_host(count, Shape::Mixed);
        let Ok(scan) = LinearScan::new(&case.host) else { continue };
        for (kind, paths) in [("hit", &case.hits), ("miss", &case.misses)] {
            let mut round = Round::new(paths);
            group.bench_function(BenchmarkId::new(kind, count), |b| {
                b.iter(|| scan.find(round.next()))
            });
        }
    }
}

fn rewrites(c: &mut Criterion) {
    let mut group = c.benchmark_group("rewrite");
    for (name, pattern, target) in [
        ("rest", "/service-17(/|$)(.*)", "/$2"),
        ("whole", "/service-17", "/new"),
        ("two sets", "/service-([0-9]+)/(\\w+)/(.*)", "/$2/$1/$3"),
        ("engine", "/(.*)/orders/(.*)", "/$2/$1"),
        ("backtracking", "/(?!admin)(.*)", "/x/$1"),
    ] {
        let rewrite = Rewrite {
            pattern: pattern.to_owned(),
            target: target.to_owned(),
            forwarded_prefix: None,
        };
        let Ok(program) = RewriteProgram::compile(&rewrite) else { continue };
        let Ok(target) = normalise(b"/service-17/orders/23/lines") else { continue };
        group.bench_function(BenchmarkId::new("apply", name), |b| {
            b.iter(|| program.apply(black_box(&target), &|_| None).is_ok());
        });
        group.bench_function(BenchmarkId::new("compile", name), |b| {
            b.iter(|| RewriteProgram::compile(black_box(&rewrite)).is_ok());
        });
    }
}

criterion_group! {
    name = benches;
    config = short(1);
    targets = requests, host_table, plain, patterns, rewrites, linear
}
criterion_main!(benches);
