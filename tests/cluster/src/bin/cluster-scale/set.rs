//! Many objects, created through the API: the set that the measurements without a cluster use, too.

use std::{collections::BTreeSet, fs, time::Instant};

use anyhow::{Context, Result, bail};
use futures_util::{StreamExt, TryStreamExt, stream};
use headgate_tests::{manifests::Folder, scale::Scale};
use kube::Client;
use serde_json::{Value, json};

/// Requests at a time.
const CONCURRENCY: usize = 48;

/// An Ingress with its Service and EndpointSlice.
pub(crate) struct Application {
    pub(crate) namespace: String,
    pub(crate) slice: String,
    /// The host of its first rule.
    pub(crate) host: String,
    /// The path of that rule.
    pub(crate) path: String,
}

/// What was created so far.
pub(crate) struct Set {
    client: Client,
    there: BTreeSet<String>,
    /// The applications.
    pub(crate) applications: Vec<Application>,
}

impl Set {
    /// Nothing yet.
    pub(crate) fn new(client: Client) -> Self {
        Self { client, there: BTreeSet::new(), applications: Vec::new() }
    }

    /// Creates what there is not yet of a set; one that is larger than those before, with as many endpoints per Ingress.
    pub(crate) async fn grow(&mut self, scale: &Scale) -> Result<()> {
        let scratch = tempfile::tempdir_in("/run")?;
        let folder = Folder::new(scratch.path())?;
        scale.write(&folder)?;
        let mut ordered = vec![Vec::new(); 3];
        self.applications.clear();
        for entry in fs::read_dir(folder.path())? {
            let text = fs::read_to_string(entry?.path())?;
            let objects: Vec<Value> = serde_saphyr::from_multiple(&text)?;
            self.applications.extend(application(&objects));
            for object in objects {
                if let Some(namespace) =
                    object.pointer("/metadata/namespace").and_then(Value::as_str)
                {
                    ordered[0].push(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}));
                }
                let is_ingress = object["kind"] == "Ingress";
                ordered[if is_ingress { 2 } else { 1 }].push(object);
            }
        }
        let (begin, before) = (Instant::now(), self.there.len());
        for objects in ordered {
            self.create(objects).await?;
        }
        let count = self.there.len() - before;
        eprintln!("{count} objects created in {:.1} s", begin.elapsed().as_secs_f64());
        Ok(())
    }

    /// Creates objects that are not there yet, in any order.
    pub(crate) async fn create(&mut self, objects: Vec<Value>) -> Result<()> {
        let mut requests = Vec::new();
        for mut object in objects {
            let (path, name) = place(&object)?;
            if self.there.insert(format!("{path}/{name}")) {
                // Without addresses, for which there would have to be a proxy.
                if object["kind"] == "Service" {
                    object["spec"]["clusterIP"] = json!("None");
                }
                requests.push((path, object));
            }
        }
        let client = &self.client;
        stream::iter(requests)
            .map(async |(path, object)| send(client, "POST", &path, &object).await)
            .buffer_unordered(CONCURRENCY)
            .try_for_each(async |()| Ok(()))
            .await
    }

    /// The path of an EndpointSlice of the set.
    pub(crate) fn slice(&self, index: usize) -> Option<String> {
        let Application { namespace, slice, .. } = self.applications.get(index)?;
        Some(format!("/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices/{slice}"))
    }
}

fn application(objects: &[Value]) -> Option<Application> {
    let of = |kind: &str| objects.iter().find(|object| object["kind"] == kind);
    let (ingress, slice) = (of("Ingress")?, of("EndpointSlice")?);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let rule = &ingress["spec"]["rules"][0];
    Some(Application {
        namespace: text(&ingress["metadata"]["namespace"]),
        slice: text(&slice["metadata"]["name"]),
        host: text(&rule["host"]),
        path: text(&rule["http"]["paths"][0]["path"]),
    })
}

/// Where an object is created, and its name.
fn place(object: &Value) -> Result<(String, &str)> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (namespace, name) = (text("/metadata/namespace"), text("/metadata/name"));
    let path = match text("/kind") {
        "Namespace" => "/api/v1/namespaces".into(),
        "Service" => format!("/api/v1/namespaces/{namespace}/services"),
        "Secret" => format!("/api/v1/namespaces/{namespace}/secrets"),
        "EndpointSlice" => {
            format!("/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices")
        }
        "Ingress" => format!("/apis/networking.k8s.io/v1/namespaces/{namespace}/ingresses"),
        "IngressClass" => "/apis/networking.k8s.io/v1/ingressclasses".into(),
        kind => bail!("objects of kind {kind:?} are not created here"),
    };
    Ok((path, name))
}

/// Sends a request; its answer is read and dropped.
pub(crate) async fn send(client: &Client, method: &str, path: &str, body: &Value) -> Result<()> {
    let content =
        if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
    let request = http::Request::builder().method(method).uri(path).header("content-type", content);
    let answer = client.request_text(request.body(serde_json::to_vec(body)?)?).await;
    answer.map(drop).with_context(|| format!("{method} {path}"))
}
