//! Reviews from bytes to bytes, against objects that a source has read.

mod overlap;
mod patterns;
mod places;
mod speed;
mod table;
mod wire;

use std::sync::{Arc, Mutex};

use k8s_openapi::api::{
    core::v1::{ConfigMap, Secret, Service},
    networking::v1::{Ingress, IngressClass},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;
use crate::{Options, objects::Object};

const UID: &str = "0c0ffee0-1234-4abc-8def-0123456789ab";

/// A controller without threads.
struct Plane {
    objects: Objects,
    translator: Translator,
    examiner: Examiner,
}

/// What a review says.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    refusal: Option<String>,
    warnings: Vec<String>,
}

/// A plane with a reviewer in front of it.
struct Bench {
    plane: Arc<Mutex<Plane>>,
    reviewer: Reviewer,
    runtime: tokio::runtime::Runtime,
}

impl Bench {
    fn new(options: Options) -> Self {
        let plane = Plane {
            objects: Objects::default(),
            translator: Translator::new(options),
            examiner: Examiner::default(),
        };
        let plane = Arc::new(Mutex::new(plane));
        let judge = Arc::clone(&plane);
        let reviewer = Reviewer::new(move |case| {
            let Plane { objects, translator, examiner } = &mut *judge.lock().unwrap();
            examiner.examine(case, translator, objects);
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let bench = Self { plane, reviewer, runtime };
        bench.apply(typed::<IngressClass>(json!({
            "metadata": { "name": "nginx" }, "spec": { "controller": "k8s.io/ingress-nginx" },
        })));
        bench
    }

    fn apply(&self, object: Object) {
        self.plane.lock().unwrap().objects.apply(&object);
        self.settle();
    }

    fn remove(&self, kind: crate::objects::Kind, key: &str) {
        assert!(self.plane.lock().unwrap().objects.remove(kind, &Key::parse(key)));
        self.settle();
    }

    /// What the controller's thread does after a change.
    fn settle(&self) {
        let Plane { objects, translator, examiner } = &mut *self.plane.lock().unwrap();
        let changes = objects.take_changes();
        translator.translate(objects, &changes);
        examiner.note(&translator.take_looked_at(), translator);
    }

    fn answer(&self, body: &[u8]) -> Answer {
        self.runtime.block_on(self.reviewer.review(body))
    }

    /// Reviews an Ingress, and makes sure that the answer has the form that the API server wants.
    fn review(&self, ingress: &Value) -> Said {
        let answer = self.answer(review_of(ingress).to_string().as_bytes());
        assert_eq!(answer.status, 200);
        let answer: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(answer["apiVersion"], "admission.k8s.io/v1");
        assert_eq!(answer["kind"], "AdmissionReview");
        let response = &answer["response"];
        assert_eq!(response["uid"], "review-1");
        let status = &response["status"];
        let refusal = match response["allowed"].as_bool().unwrap() {
            true => {
                assert!(status.is_null());
                None
            }
            false => {
                assert_eq!(status["status"], "Failure");
                assert_eq!(status["code"], 400);
                assert_eq!(status["reason"], "BadRequest");
                Some(status["message"].as_str().unwrap().to_owned())
            }
        };
        let warnings = response["warnings"].as_array().into_iter().flatten();
        let warnings = warnings.map(|warning| warning.as_str().unwrap().to_owned()).collect();
        Said { refusal, warnings }
    }

    fn refusal(&self, ingress: &Value) -> Option<String> {
        self.review(ingress).refusal
    }
}

fn typed<T: DeserializeOwned + Into<Object>>(value: Value) -> Object {
    serde_json::from_value::<T>(value).unwrap().into()
}

/// The review that an API server sends about an Ingress.
fn review_of(ingress: &Value) -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "review-1",
            "kind": { "group": "networking.k8s.io", "version": "v1", "kind": "Ingress" },
            "resource": { "group": "networking.k8s.io", "version": "v1", "resource": "ingresses" },
            "name": ingress["metadata"]["name"], "namespace": ingress["metadata"]["namespace"],
            "operation": "CREATE", "userInfo": { "username": "somebody" },
            "object": ingress, "oldObject": null, "dryRun": false,
        },
    })
}

fn backend() -> Value {
    json!({ "service": { "name": "web", "port": { "number": 80 } } })
}

/// An Ingress with paths `(host, path, pathType)`.
fn ingress(name: &str, paths: &[(&str, &str, &str)]) -> Value {
    let rules: Vec<_> = paths
        .iter()
        .map(|(host, path, kind)| {
            let path = json!({ "path": path, "pathType": kind, "backend": backend() });
            json!({ "host": host, "http": { "paths": [path] } })
        })
        .collect();
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": { "name": name, "namespace": "ns", "uid": UID },
        "spec": { "ingressClassName": "nginx", "rules": rules },
    })
}

/// The usual one with an annotation more.
fn annotated(name: &str, value: &str) -> Value {
    with(plain(), "/metadata/annotations", json!({ name: value }))
}

fn plain() -> Value {
    ingress("app", &[("app.test", "/", "Prefix")])
}

/// The same with one value set, by JSON pointer; its parent must exist.
fn with(mut object: Value, pointer: &str, value: Value) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    object.pointer_mut(parent).unwrap().as_object_mut().unwrap().insert(name.into(), value);
    object
}

/// Annotations that are named without their prefix.
fn with_annotations(object: Value, annotations: &[(&str, &str)]) -> Value {
    let annotations: serde_json::Map<_, _> = annotations
        .iter()
        .map(|(name, value)| (format!("nginx.ingress.kubernetes.io/{name}"), (*value).into()))
        .collect();
    with(object, "/metadata/annotations", annotations.into())
}

fn existing(ingress: Value) -> Object {
    typed::<Ingress>(ingress)
}

fn config_map(data: Value) -> Object {
    typed::<ConfigMap>(json!({ "metadata": { "name": "conf", "namespace": "sys" }, "data": data }))
}

fn with_config_map() -> Options {
    Options { configmap: Some("sys/conf".parse().unwrap()), ..Options::default() }
}

fn service(name: &str) -> Object {
    typed::<Service>(json!({
        "metadata": { "name": name, "namespace": "ns" },
        "spec": { "clusterIP": "10.0.0.1", "ports": [{ "name": "http", "port": 80, "protocol": "TCP" }] },
    }))
}

fn secret(name: &str) -> Object {
    typed::<Secret>(json!({
        "metadata": { "name": name, "namespace": "ns" }, "stringData": { "tls.crt": "nonsense" },
    }))
}
