//! An API server in memory, for tests: keeps objects by path, checks versions, never says anything on a watch.

use std::{collections::BTreeMap, convert::Infallible, future::pending, sync::Arc};

use http::{Method, Request, Response};
use kube::{Client, client::Body};
use parking_lot::Mutex;
use serde_json::{Value, json};

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is served.
    Serve,
    /// It is refused with this status.
    Refuse(u16),
    /// It is refused because its namespace is being deleted.
    Terminating,
    /// It is served, and nobody hears of it.
    Mute,
    /// It is never answered and never served.
    Lose,
}

/// The server. Clones are the same one.
#[derive(Clone, Default)]
pub struct Server(Arc<Mutex<State>>);

type Decide = dyn FnMut(&str) -> Fate + Send;

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Value>,
    version: u64,
    log: Vec<String>,
    decide: Option<Box<Decide>>,
}

impl Server {
    /// A client of it. Must be called on a runtime.
    pub fn client(&self) -> Client {
        let server = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let server = server.clone();
            async move { Ok::<_, Infallible>(server.answer(request).await) }
        });
        Client::new(service, "default")
    }

    /// Puts an object at a path, in a new version.
    pub fn put(&self, path: &str, object: Value) {
        self.0.lock().store(path, object);
    }

    /// The object at a path.
    pub fn object(&self, path: &str) -> Option<Value> {
        self.0.lock().objects.get(path).cloned()
    }

    /// The objects below a path.
    pub fn objects(&self, path: &str) -> Vec<Value> {
        self.0.lock().below(path).cloned().collect()
    }

    /// The requests since this was asked last, each as `METHOD path`, watches left out.
    pub fn take_log(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().log)
    }

    /// Decides about requests, each `METHOD path`, from now on.
    pub fn decide(&self, decide: impl FnMut(&str) -> Fate + Send + 'static) {
        self.0.lock().decide = Some(Box::new(decide));
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let path = head.uri.path().to_owned();
        if head.uri.query().is_some_and(|query| query.contains("watch=true")) {
            return pending().await;
        }
        let body = body.collect_bytes().await.expect("a body in memory");
        let line = format!("{} {path}", head.method);
        let fate = {
            self.0.lock().log.push(line.clone());
            // Whoever decides may want to look at the objects.
            let mut decide = self.0.lock().decide.take();
            let fate = decide.as_mut().map_or(Fate::Serve, |decide| decide(&line));
            self.0.lock().decide = decide;
            fate
        };
        let answered = match fate {
            Fate::Refuse(code) => Err(code),
            Fate::Terminating => Err(403),
            Fate::Lose => return pending().await,
            Fate::Serve | Fate::Mute => self.0.lock().serve(&head.method, &path, &body),
        };
        if fate == Fate::Mute {
            return pending().await;
        }
        let (code, body) = match answered {
            Ok(object) => (200, object),
            Err(code) => {
                let reason = match code {
                    403 => "Forbidden",
                    404 => "NotFound",
                    409 if head.method == Method::POST => "AlreadyExists",
                    409 => "Conflict",
                    _ => "",
                };
                let message = format!("{line} is refused: {reason}");
                let mut status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure",
                    "code": code, "reason": reason, "message": message});
                if fate == Fate::Terminating {
                    status["details"]["causes"] = json!([{"reason": "NamespaceTerminating"}]);
                }
                (code, status)
            }
        };
        let body = Body::from(body.to_string().into_bytes());
        Response::builder().status(code).body(body).expect("a valid status")
    }
}

impl State {
    fn below<'a>(&'a self, path: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
        let prefix = format!("{path}/");
        self.objects.iter().filter(move |(path, _)| path.starts_with(&prefix)).map(|(_, it)| it)
    }

    fn serve(&mut self, method: &Method, path: &str, body: &[u8]) -> Result<Value, u16> {
        let sent = || serde_json::from_slice::<Value>(body).map_err(|_| 400_u16);
        if method == Method::GET {
            let is_list =
                ["leases", "events", "pods", "nodes", "services", "ingresses", "ingressclasses"]
                    .iter()
                    .any(|kind| path.ends_with(&format!("/{kind}")));
            if !is_list {
                return self.objects.get(path).cloned().ok_or(404);
            }
            let items: Vec<_> = self.below(path).cloned().collect();
            return Ok(
                json!({"metadata": {"resourceVersion": self.version.to_string()}, "items": items}),
            );
        }
        let mut sent = sent()?;
        if method == Method::POST {
            let name = sent["metadata"]["name"].as_str().ok_or(422_u16)?;
            let path = format!("{path}/{name}");
            if self.objects.contains_key(&path) {
                return Err(409);
            }
            return Ok(self.store(&path, sent));
        }
        let (path, is_status) = match path.strip_suffix("/status") {
            Some(path) => (path, true),
            None => (path, false),
        };
        let before = self.objects.get(path).ok_or(404_u16)?;
        if before["metadata"]["resourceVersion"] != sent["metadata"]["resourceVersion"] {
            return Err(409);
        }
        if is_status {
            let status = sent["status"].take();
            sent = before.clone();
            sent["status"] = status;
        }
        Ok(self.store(path, sent))
    }

    fn store(&mut self, path: &str, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        self.objects.insert(path.into(), object.clone());
        object
    }
}
