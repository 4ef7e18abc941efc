//! What a change costs between its objects and the live table: translating and compiling, everything and one Ingress,
//! with 10 to 10,000 Ingresses of the mix that the cold-start measurement uses.

mod short;

use std::{path::Path, sync::Arc, time::Instant};

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use headgate_config::Snapshot;
use headgate_controller::{
    Options,
    objects::{Object, Objects},
    source::directory::Directory,
    translate::Translator,
};
use headgate_gateway::{
    live::Live,
    observe::metrics::{Metrics, MetricsSettings},
    upstream::resolve::Resolver,
};
use headgate_tests::{
    manifests::{Folder, Ingress},
    scale::{Layout, Scale},
};
use short::short;
use tokio::runtime::Runtime;

const COUNTS: [usize; 3] = [10, 1_000, 10_000];

/// Objects, one of which changes.
struct Case {
    objects: Objects,
    versions: [Object; 2],
    applied: usize,
}

impl Case {
    fn new(ingresses: usize) -> Self {
        let scratch = tempfile::tempdir().expect("there is room for a folder");
        let folder = Folder::new(scratch.path()).expect("the folder can be written");
        let scale = Scale { layout: Layout::Single, ..Scale::of(ingresses) };
        scale.write(&folder).expect("the folder can be written");
        let mut objects = read(folder.path());
        // Every set has the team and the Services of the first Ingresses.
        let versions = ["app-0", "app-1"].map(|service| {
            let ingress = Ingress::new("team-0", "changing");
            parse(&ingress.prefix("changing.team-0.example", "/", service).text())
        });
        objects.apply(&versions[0]);
        Self { objects, versions, applied: 0 }
    }

    /// Exchanges the Ingress for its other version, and translates that.
    fn change(&mut self, translator: &mut Translator) -> Option<Snapshot> {
        self.applied = 1 - self.applied;
        self.objects.apply(&self.versions[self.applied]);
        let changes = self.objects.take_changes();
        translator.translate(&self.objects, &changes)
    }
}

fn read(folder: &Path) -> Objects {
    let mut objects = Objects::default();
    let mut directory = Directory::open(vec![folder.to_owned()]).expect("the folder is there");
    directory.rescan(Instant::now(), &mut objects);
    objects
}

fn parse(text: &str) -> Object {
    let ingress: k8s_openapi::api::networking::v1::Ingress =
        serde_saphyr::from_str(text).expect("the text is an Ingress");
    ingress.into()
}

fn translate(c: &mut Criterion) {
    let mut group = c.benchmark_group("translate");
    for count in COUNTS {
        let mut case = Case::new(count);
        let mut translator = Translator::new(Options::default());
        let changes = case.objects.take_changes();
        translator.translate(&case.objects, &changes);
        group.bench_function(BenchmarkId::new("one", count), |b| {
            b.iter(|| case.change(&mut translator).expect("both versions differ"));
        });
        group.bench_function(BenchmarkId::new("whole", count), |b| {
            b.iter(|| Translator::translate_once(Options::default(), &case.objects));
        });
    }
}

fn compile(c: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime can be started");
    let live = || {
        let metrics = Metrics::new(MetricsSettings { enabled: true, ..Default::default() });
        Live::new(Resolver::new(runtime.handle().clone()), Arc::clone(&metrics))
    };
    let mut group = c.benchmark_group("compile");
    for count in COUNTS {
        let mut case = Case::new(count);
        let mut translator = Translator::new(Options::default());
        let changes = case.objects.take_changes();
        let first = translator.translate(&case.objects, &changes).expect("all of it is new");
        let second = case.change(&mut translator).expect("both versions differ");
        let changing = live();
        changing.publish(first.clone());
        let mut round = [second, first.clone()].into_iter().cycle();
        group.bench_function(BenchmarkId::new("one", count), |b| {
            let next = || round.next().expect("a circle has no end");
            b.iter_batched(next, |snapshot| changing.publish(snapshot), BatchSize::PerIteration);
        });
        group.bench_function(BenchmarkId::new("whole", count), |b| {
            let publish = |(live, snapshot): (Live, Snapshot)| {
                live.publish(snapshot);
                live
            };
            b.iter_batched(|| (live(), first.clone()), publish, BatchSize::PerIteration);
        });
    }
}

criterion_group! {
    name = benches;
    config = short(2);
    targets = translate, compile
}
criterion_main!(benches);
