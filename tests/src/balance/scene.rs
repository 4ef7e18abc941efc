//! The hosts that are asked, with their Ingresses, Services and endpoints.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::Result;

use crate::{
    echo::{Echo, Observer},
    manifests::{self, Folder, Ingress},
};

const NAMESPACE: &str = "balance";
/// The host whose endpoints are told apart by how fast they are.
pub const TIMED: &str = "timed.example";
/// The endpoint of it that is slow.
pub const SLOW: &str = "slow";
const SLOWNESS: Duration = Duration::from_millis(50);
/// Hosts that lose an endpoint.
pub const KILLED: [&str; 3] =
    ["killed-turn.example", "killed-timed.example", "killed-bound.example"];
/// Four endpoints with the same share each.
pub const QUARTERS: [(&str, f64); 4] = [("a", 0.25), ("b", 0.25), ("c", 0.25), ("d", 0.25)];

type Annotations = [(&'static str, &'static str)];

/// Host, endpoints, annotations.
const HOSTS: [(&str, &[&str], &Annotations); 7] = [
    ("balanced.example", &["a", "b", "c", "d"], &[("affinity", "cookie")]),
    (
        "persistent.example",
        &["a", "b", "c", "d"],
        &[("affinity", "cookie"), ("affinity-mode", "persistent")],
    ),
    ("turn.example", &["a", "b", "c", "d"], &[]),
    (TIMED, &["fast", "quick", SLOW], &[("load-balance", "ewma")]),
    (KILLED[0], &["x", "y", "z"], &[]),
    (KILLED[1], &["x", "y", "z"], &[("load-balance", "ewma")]),
    (KILLED[2], &["x", "y", "z"], &[("affinity", "cookie"), ("affinity-mode", "persistent")]),
];

/// Host, its endpoint, that of its canary, the canary's annotations.
const CANARIES: [(&str, &str, &str, &Annotations); 2] = [
    ("canary.example", "main", "next", &[("canary", "true"), ("canary-weight", "10")]),
    (
        "total.example",
        "main-total",
        "next-total",
        &[("canary", "true"), ("canary-weight", "50"), ("canary-weight-total", "200")],
    ),
];

/// The endpoints of a host, and how often each of its POST requests arrived at any, by target.
#[derive(Default)]
pub struct Pods {
    /// The endpoints; one that is dropped is gone at once, with its connections.
    pub pods: Vec<Echo>,
    /// The requests.
    pub posts: Arc<Mutex<HashMap<String, u32>>>,
}

/// Everything that the gateway sees.
pub struct Scene {
    folder: Folder,
    pods: BTreeMap<&'static str, Pods>,
}

impl Scene {
    /// Makes it below `parent`.
    pub async fn new(parent: &Path) -> Result<Self> {
        let mut scene = Self { folder: Folder::new(parent)?, pods: BTreeMap::new() };
        scene.folder.write("class", &manifests::ingress_class())?;
        for (host, names, annotations) in HOSTS {
            scene.add(host, host, names, annotations).await?;
        }
        for (host, main, next, annotations) in CANARIES {
            scene.add(main, host, &[main], &[]).await?;
            scene.add(next, host, &[next], annotations).await?;
        }
        Ok(scene)
    }

    /// What the gateway is pointed at.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The endpoints of a host.
    pub fn pods_of(&mut self, host: &str) -> Option<&mut Pods> {
        self.pods.get_mut(host)
    }

    /// Adds an Ingress for `host` with a Service of these endpoints.
    async fn add(
        &mut self,
        key: &'static str,
        host: &str,
        names: &[&str],
        annotations: &Annotations,
    ) -> Result<()> {
        let posts = Arc::new(Mutex::new(HashMap::<String, u32>::new()));
        let seen = Arc::clone(&posts);
        let observer: Observer = Arc::new(move |name, method, target| {
            if method == "POST"
                && let Ok(mut seen) = seen.lock()
            {
                *seen.entry(target.to_owned()).or_default() += 1;
            }
            if name == SLOW { SLOWNESS } else { Duration::ZERO }
        });
        let pods = Echo::group_observed(names, observer).await?;
        let service = key.replace('.', "-");
        let port = pods.first().map_or(0, |pod| pod.address().port());
        let addresses: Vec<_> = pods.iter().map(|pod| pod.address().ip().to_string()).collect();
        let addresses = addresses.iter().map(String::as_str);
        let slice = manifests::endpoint_slice(NAMESPACE, &service, port, addresses);
        let ingress = Ingress::new(NAMESPACE, &service).prefix(host, "/", &service);
        let annotate =
            |ingress: Ingress, (name, value): &(&str, &str)| ingress.annotation(name, value);
        let ingress = annotations.iter().fold(ingress, annotate).text();
        let objects = [manifests::service(NAMESPACE, &service), slice, ingress];
        self.folder.write(&service, &manifests::documents(&objects))?;
        self.pods.insert(key, Pods { pods, posts });
        Ok(())
    }
}
