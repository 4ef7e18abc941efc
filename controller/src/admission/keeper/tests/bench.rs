//! A keeper with a stand-in for its API server.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use http::{Method, Request, Response, header};
use k8s_openapi::jiff::{Timestamp, fmt::rfc2822::DateTimePrinter};
use kube::client::Body;
use serde_json::Value;

use super::*;

/// As much of an API server as is asked for.
#[derive(Default)]
pub struct Server {
    pub objects: BTreeMap<String, Value>,
    version: u64,
    /// What its clock says; it does not tell if there is none.
    pub clock: Option<SystemTime>,
    /// Verb and path of everything that was asked.
    asked: Vec<String>,
    /// Requests that are forbidden, by verb and path.
    pub forbidden: Vec<String>,
    /// Done once, before the next write.
    interference: Option<Interference>,
}

pub type Interference = Box<dyn FnOnce(&mut Server) + Send>;

impl Server {
    pub fn put(&mut self, path: &str, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        self.objects.insert(path.into(), object.clone());
        object
    }

    fn answer(&mut self, method: &Method, path: &str, body: &[u8]) -> (u16, Value) {
        let asked = format!("{method} {path}");
        self.asked.push(asked.clone());
        if self.forbidden.contains(&asked) {
            return failure(403, "Forbidden");
        }
        if *method != Method::GET
            && let Some(interfere) = self.interference.take()
        {
            interfere(self);
        }
        let sent: Value = serde_json::from_slice(body).unwrap_or_default();
        match *method {
            Method::POST => {
                let name = sent["metadata"]["name"].as_str().unwrap();
                let path = format!("{path}/{name}");
                match self.objects.contains_key(&path) {
                    true => failure(409, "AlreadyExists"),
                    false => (201, self.put(&path, sent)),
                }
            }
            _ => self.change(method, path, sent),
        }
    }

    fn change(&mut self, method: &Method, path: &str, sent: Value) -> (u16, Value) {
        let Some(now) = self.objects.get(path).cloned() else { return failure(404, "NotFound") };
        match *method {
            Method::PUT
                if sent["metadata"]["resourceVersion"] != now["metadata"]["resourceVersion"] =>
            {
                failure(409, "Conflict")
            }
            Method::PUT => (200, self.put(path, sent)),
            Method::PATCH => {
                let mut merged = now;
                for patch in sent["webhooks"].as_array().unwrap() {
                    let hooks = merged["webhooks"].as_array_mut().unwrap();
                    let hook = hooks.iter_mut().find(|hook| hook["name"] == patch["name"]);
                    hook.unwrap()["clientConfig"]["caBundle"] =
                        patch["clientConfig"]["caBundle"].clone();
                }
                (200, self.put(path, merged))
            }
            _ => (200, now),
        }
    }
}

fn failure(code: u16, reason: &str) -> (u16, Value) {
    let status = json!({
        "apiVersion": "v1", "kind": "Status", "status": "Failure", "reason": reason,
        "code": code, "message": reason,
    });
    (code, status)
}

/// A keeper with its server, and what it has served.
pub struct Bench {
    pub server: Arc<Mutex<Server>>,
    served: Arc<Mutex<Vec<(String, String)>>>,
}

pub type Serve = Box<dyn Fn(&str, &str) -> Result<(), String>>;

impl Bench {
    pub fn new() -> Self {
        let bench = Self { server: Arc::default(), served: Arc::default() };
        let service = |name: &str| json!({ "namespace": "sys", "name": name });
        let hook = |name: &str, called: &str| {
            json!({
                "name": name, "clientConfig": { "service": service(called) },
                "admissionReviewVersions": ["v1"], "sideEffects": "None",
            })
        };
        let webhooks = [hook("ours.test", "hook"), hook("other.test", "other")];
        bench.put(CONFIGURATION, json!({ "metadata": { "name": "hooks" }, "webhooks": webhooks }));
        bench
    }

    pub fn put(&self, path: &str, object: Value) {
        self.server.lock().unwrap().put(path, object);
    }

    pub fn keeper(&self) -> Keeper<Serve> {
        let server = Arc::clone(&self.server);
        let service = tower::service_fn(move |request: Request<Body>| {
            let server = Arc::clone(&server);
            async move {
                let (head, body) = request.into_parts();
                let body = body.collect_bytes().await?;
                let path = head.uri.path();
                let mut server = server.lock().unwrap();
                let (code, answer) = server.answer(&head.method, path, &body);
                let answer = Body::from(answer.to_string().into_bytes());
                let mut response = Response::builder().status(code);
                if let Some(clock) = server.clock {
                    let date = Timestamp::try_from(clock).unwrap();
                    let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&date).unwrap();
                    response = response.header(header::DATE, date);
                }
                Ok::<_, kube::Error>(response.body(answer).unwrap())
            }
        });
        let settings = SelfManaged {
            secret: "sys/hook-certificate".parse().unwrap(),
            service: "sys/hook".parse().unwrap(),
            configuration: Some("hooks".into()),
        };
        let served = Arc::clone(&self.served);
        let serve: Serve = Box::new(move |certificate, key| {
            served.lock().unwrap().push((certificate.into(), key.into()));
            Ok(())
        });
        let client = Client::new(service, "default");
        Keeper { settle: Duration::ZERO, ..Keeper::new(client, settings, serve) }
    }

    pub fn object(&self, path: &str) -> Value {
        self.server.lock().unwrap().objects.get(path).cloned().unwrap_or_default()
    }

    /// What the Secret holds.
    pub fn held(&self) -> Identity {
        held(&serde_json::from_value(self.object(SECRET)).unwrap())
    }

    pub fn bundle(&self, hook: usize) -> Option<Vec<u8>> {
        let bundle = &self.object(CONFIGURATION)["webhooks"][hook]["clientConfig"]["caBundle"];
        serde_json::from_value::<Option<ByteString>>(bundle.clone()).unwrap().map(|held| held.0)
    }

    pub fn take_asked(&self) -> Vec<String> {
        std::mem::take(&mut self.server.lock().unwrap().asked)
    }

    /// Certificate and key, as often as they were handed over.
    pub fn served(&self) -> Vec<(String, String)> {
        self.served.lock().unwrap().clone()
    }

    pub fn forbid(&self, what: String) {
        self.server.lock().unwrap().forbidden.push(what);
    }

    pub fn interfere(&self, what: impl FnOnce(&mut Server) + Send + 'static) {
        self.server.lock().unwrap().interference = Some(Box::new(what));
    }
}
