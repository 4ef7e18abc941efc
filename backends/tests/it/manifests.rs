//! The manifests and the program agree: ports, arguments, environment, probes, and where the Ingress sends what.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{App, SERVICES, eventually};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests")
}

fn objects(folder: &Path) -> Vec<Value> {
    let mut objects = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            text.lines().take(2).all(|line| line.starts_with("# ")),
            "{} opens without a word",
            path.display()
        );
        objects.extend(serde_saphyr::from_multiple::<Value>(&text).unwrap());
    }
    objects
}

fn of_kind<'a>(objects: &'a [Value], kind: &'a str) -> impl Iterator<Item = &'a Value> {
    objects.iter().filter(move |object| object["kind"] == kind)
}

/// Every (service name, port number) that the Ingresses among `objects` send requests to.
fn targets(objects: &[Value]) -> Vec<(&str, u64)> {
    let rules = of_kind(objects, "Ingress")
        .flat_map(|ingress| ingress["spec"]["rules"].as_array().unwrap());
    let paths = rules.flat_map(|rule| rule["http"]["paths"].as_array().unwrap());
    let services = paths.map(|path| &path["backend"]["service"]);
    services
        .map(|service| {
            (service["name"].as_str().unwrap(), service["port"]["number"].as_u64().unwrap())
        })
        .collect()
}

#[test]
fn every_ingress_points_at_a_port_of_a_service_beside_it() {
    for set in ["app", "examples"] {
        let objects = objects(&folder().join(set));
        let targets = targets(&objects);
        assert!(!targets.is_empty());
        for (name, port) in targets {
            let mut services =
                of_kind(&objects, "Service").filter(|service| service["metadata"]["name"] == name);
            let service = services.next().unwrap_or_else(|| panic!("no service {name}"));
            assert_eq!(service["spec"]["ports"][0]["port"], port, "{name}");
        }
    }
}

#[test]
fn the_blog_is_routed_as_it_always_was() {
    let objects = objects(&folder().join("app"));
    let ingress = of_kind(&objects, "Ingress").next().unwrap();
    assert_eq!(
        ingress["metadata"]["annotations"],
        json!({"nginx.ingress.kubernetes.io/use-regex": "true"})
    );
    for (rule, host) in
        ingress["spec"]["rules"].as_array().unwrap().iter().zip(["posts.com", "posts.localhost"])
    {
        assert_eq!(rule["host"], host);
        let path = |path: &str, kind: &str, service: &str, port: u16| {
            let service = json!({"name": service, "port": {"number": port}});
            json!({"path": path, "pathType": kind, "backend": {"service": service}})
        };
        let expected = json!([
            path("/posts/create", "Prefix", "posts-srv", 4000),
            path("/posts/[^/]+/comments", "ImplementationSpecific", "comments-srv", 4001),
            path("/posts", "Prefix", "query-srv", 4002),
            path("/", "Prefix", "client-srv", 3000),
        ]);
        assert_eq!(rule["http"]["paths"], expected, "{host}");
    }
}

#[test]
fn each_service_selects_its_deployment_on_the_port_of_the_program() {
    let objects = objects(&folder().join("app"));
    let local = backends::Service::all_local(Path::new("data"));
    for deployment in of_kind(&objects, "Deployment") {
        let container = &deployment["spec"]["template"]["spec"]["containers"][0];
        let program =
            local.iter().find(|service| json!([service.name()]) == container["args"]).unwrap();
        let port = json!(program.address().port());
        assert_eq!(container["ports"][0]["containerPort"], port);
        for (probe, path) in [("readinessProbe", "/readyz"), ("livenessProbe", "/healthz")] {
            assert_eq!(container[probe]["httpGet"], json!({"path": path, "port": port}), "{probe}");
        }
        let labels = &deployment["spec"]["template"]["metadata"]["labels"];
        let mut services =
            of_kind(&objects, "Service").filter(|service| &service["spec"]["selector"] == labels);
        let ports = &services.next().unwrap()["spec"]["ports"][0];
        assert_eq!((&ports["port"], &ports["targetPort"]), (&port, &port));
    }
    assert_eq!(of_kind(&objects, "Deployment").count(), SERVICES.len());
}

#[tokio::test]
async fn the_program_starts_with_the_environment_of_the_manifests() {
    for deployment in of_kind(&objects(&folder().join("app")), "Deployment") {
        let container = &deployment["spec"]["template"]["spec"]["containers"][0];
        let service =
            SERVICES.into_iter().find(|service| container["args"] == json!([service])).unwrap();
        let mut app = App::new(&[]);
        for variable in container["env"].as_array().into_iter().flatten() {
            let (name, value) =
                (variable["name"].as_str().unwrap(), variable["value"].as_str().unwrap());
            // A directory of the pod; everything else is taken as it is written.
            if name != "DATA_DIR" {
                app.set_env(name, value);
            }
        }
        app.start_service(service);
        let url = app.url(service, "/healthz");
        eventually(service, async || {
            app.http.get(&url).await == Ok((200, json!({"status": "ok"})))
        })
        .await;
    }
}
