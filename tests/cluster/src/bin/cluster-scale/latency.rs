//! From the API server's answer to served traffic: one change after the other, and after each a connection that asks as fast as it can.

use std::time::{Duration, Instant};

use anyhow::Result;
use headgate_cluster::{Cluster, HeadgateProcess, test_upstream};
use headgate_tests::{
    asking::Asking, echo::Echo, manifests::ingress_class, scale::Scale, stats::Sample,
};
use kube::Client;
use serde_json::{Value, json};

use crate::{
    Cli,
    set::{Set, send},
    start,
    table::Table,
};

const NAMESPACE: &str = "latency";
const HOST: &str = "changing.example";
const VISIBLE_LIMIT: Duration = Duration::from_secs(30);
/// A change follows the last one after a random time in this range, so that hold-off timers are met in every phase.
const GAP_MS: std::ops::Range<u64> = 5..40;

/// Measures with each of the numbers of Ingresses loaded.
pub(crate) async fn measure(
    cli: &Cli,
    cluster: &Cluster,
    set: &mut Set,
    table: &mut Table,
) -> Result<()> {
    let upstreams = [
        Echo::start("one", (test_upstream(1), 0).into()).await?,
        Echo::start("two", (test_upstream(2), 0).into()).await?,
    ];
    set_up(set, &upstreams).await?;
    for (level, loaded) in cli.loaded.iter().copied().enumerate() {
        if loaded > 0 {
            set.grow(&Scale::of(loaded)).await?;
        }
        let (gateway, _) = start(cli, cluster, &[]).await?;
        let mut stage = Stage::new(cluster.client(), &gateway, &upstreams, level);
        for kind in [Kind::New, Kind::Rule, Kind::Endpoints] {
            let (answered, served) = stage.measure(kind, cli.changes).await?;
            let what = format!("{}, {loaded} loaded", kind.name());
            table.sample(&what, &served, Some(cli.max_latency_ms));
            table.sample("  (the API server's own time)", &answered, None);
        }
        gateway.stop().await?;
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum Kind {
    New,
    Rule,
    Endpoints,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::New => "new Ingress",
            Self::Rule => "changed path and backend",
            Self::Endpoints => "changed endpoints",
        }
    }
}

async fn set_up(set: &mut Set, upstreams: &[Echo; 2]) -> Result<()> {
    let metadata = |name: &str| json!({"name": name, "namespace": NAMESPACE});
    let class = serde_saphyr::from_str(&ingress_class())?;
    set.create(vec![
        json!({"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": NAMESPACE}}),
        class,
    ])
    .await?;
    let mut objects = Vec::new();
    for (name, echo) in ["one", "two", "moving"].iter().zip(upstreams.iter().cycle()) {
        let mut slice = json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": name, "namespace": NAMESPACE, "labels": {"kubernetes.io/service-name": name}},
        });
        slice.as_object_mut().into_iter().for_each(|slice| slice.extend(endpoints(echo)));
        objects.push(slice);
        objects.push(json!({
            "apiVersion": "v1", "kind": "Service", "metadata": metadata(name),
            "spec": {"ports": [{"name": "http", "port": 80, "targetPort": "http"}]},
        }));
    }
    objects.push(ingress("rule", HOST, "/rule", "one"));
    objects.push(ingress("moving", "moving.example", "/moving", "moving"));
    set.create(objects).await
}

fn endpoints(echo: &Echo) -> serde_json::Map<String, Value> {
    let address = echo.address();
    let mut fields = serde_json::Map::new();
    fields.insert("ports".into(), json!([{"name": "http", "port": address.port()}]));
    fields.insert("endpoints".into(), json!([{"addresses": [address.ip()]}]));
    fields
}

fn ingress(name: &str, host: &str, path: &str, service: &str) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"ingressClassName": "nginx", "rules": rules(host, path, service)},
    })
}

fn rules(host: &str, path: &str, service: &str) -> Value {
    let backend = json!({"service": {"name": service, "port": {"number": 80}}});
    json!([{"host": host, "http": {"paths": [{"path": path, "pathType": "Prefix", "backend": backend}]}}])
}

struct Stage<'a> {
    client: Client,
    upstreams: &'a [Echo; 2],
    level: usize,
    asking: Asking,
    /// Changes so far; odd ones lead to the second upstream.
    count: usize,
}

impl<'a> Stage<'a> {
    fn new(
        client: Client,
        gateway: &'a HeadgateProcess,
        upstreams: &'a [Echo; 2],
        level: usize,
    ) -> Self {
        let asking = Asking::new(gateway.http, VISIBLE_LIMIT);
        Self { client, upstreams, level, asking, count: 0 }
    }

    /// Times of the API server's answers, and from there to served traffic.
    async fn measure(&mut self, kind: Kind, changes: usize) -> Result<(Sample, Sample)> {
        let (mut answered, mut served) = (Vec::new(), Vec::new());
        for _ in 0..changes {
            tokio::time::sleep(Duration::from_millis(fastrand::u64(GAP_MS))).await;
            self.count += 1;
            let upstream = &self.upstreams[self.count % 2];
            let wanted = upstream.name();
            let name = format!("new-{}-{}", self.level, self.count);
            let group = "/apis/networking.k8s.io/v1/namespaces/latency/ingresses";
            let slice = "/apis/discovery.k8s.io/v1/namespaces/latency/endpointslices/moving";
            let (method, object, body, host, target) = match kind {
                Kind::New => {
                    let host = format!("{name}.example");
                    ("POST", group.into(), ingress(&name, &host, "/", wanted), host, "/".into())
                }
                Kind::Rule => {
                    let path = format!("/{name}");
                    let rules = json!({"spec": {"rules": rules(HOST, &path, wanted)}});
                    ("PATCH", format!("{group}/rule"), rules, HOST.into(), path)
                }
                Kind::Endpoints => {
                    let fields = Value::Object(endpoints(upstream));
                    ("PATCH", slice.into(), fields, "moving.example".into(), "/moving".into())
                }
            };
            let begin = Instant::now();
            send(&self.client, method, &object, &body).await?;
            let answer = Instant::now();
            answered.push(answer - begin);
            served.push(self.asking.until(answer, &host, &target, wanted).await?);
        }
        Ok((Sample::new(answered), Sample::new(served)))
    }
}
