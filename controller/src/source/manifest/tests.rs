use super::*;
use crate::objects::Body;

fn names(text: &str) -> Vec<String> {
    let manifest = Manifest::parse(text);
    assert_eq!(manifest.faults, []);
    manifest.objects.iter().map(|object| object.reference().to_string()).collect()
}

fn fault(text: &str) -> Fault {
    let manifest = Manifest::parse(text);
    assert_eq!(manifest.faults.len(), 1, "{:?}", manifest.faults);
    manifest.faults[0].clone()
}

const SERVICE: &str =
    "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n";

#[test]
fn documents_of_other_kinds_are_ignored() {
    let text = format!(
        "# a comment\n---\n{SERVICE}---\napiVersion: apps/v1\nkind: Deployment\nspec: [not, looked, at\n---\n"
    );
    assert_eq!(names(&text), ["Service default/web"]);
    assert_eq!(
        names("apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: web}\n"),
        [""; 0]
    );
    assert_eq!(names(""), [""; 0]);
    assert_eq!(names("a: b\n"), [""; 0]);
}

#[test]
fn namespaces_and_classes_have_no_namespace() {
    let text = "apiVersion: v1\nkind: Namespace\nmetadata: {name: a, namespace: odd}\n---\n\
                apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {name: nginx}\nspec: {controller: c}\n---\n\
                apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: b}\n";
    assert_eq!(names(text), ["Namespace a", "IngressClass nginx", "Secret b/s"]);
}

#[test]
fn json_and_flow_style() {
    let json =
        r#"{"kind": "Service", "apiVersion": "v1", "metadata": {"name": "web", "namespace": "x"}}"#;
    assert_eq!(names(json), ["Service x/web"]);
    assert_eq!(
        names("{apiVersion: v1, kind: Service, metadata: {name: web}}"),
        ["Service default/web"]
    );
    assert_eq!(
        names("--- {apiVersion: v1, kind: Service, metadata: {name: web}}"),
        ["Service default/web"]
    );
    assert_eq!(
        names("\"apiVersion\": v1\n\"kind\": Service\nmetadata: {name: web}\n"),
        ["Service default/web"]
    );
}

#[test]
fn lists_hold_objects() {
    let text = "apiVersion: v1\nitems:\n- apiVersion: v1\n  kind: Service\n  metadata: {name: a}\n\
                - apiVersion: apps/v1\n  kind: Deployment\n  metadata: {name: b}\nkind: List\n";
    assert_eq!(names(text), ["Service default/a"]);
    let text =
        "apiVersion: v1\nkind: ServiceList\nitems:\n- metadata: {name: a}\n- metadata: {name: b}\n";
    assert_eq!(names(text), ["Service default/a", "Service default/b"]);
}

#[test]
fn a_bad_item_of_a_list_hides_no_other_and_is_named() {
    let text = "apiVersion: v1\nkind: List\nitems:\n\
                - {apiVersion: v1, kind: Service, metadata: {name: a}}\n\
                - {apiVersion: v1, kind: Service, metadata: {name: b, namespace: x}, spec: {ports: [{port: many}]}}\n\
                - {apiVersion: extensions/v1beta1, kind: Ingress, metadata: {name: c}}\n\
                - {apiVersion: v1, kind: Service, metadata: {}}\n\
                - {apiVersion: v1, kind: Service, metadata: {name: d}}\n";
    let manifest = Manifest::parse(&format!("---\n{text}"));
    let names: Vec<_> =
        manifest.objects.iter().map(|object| object.reference().to_string()).collect();
    assert_eq!(names, ["Service default/a", "Service default/d"]);
    let faults: Vec<_> = manifest.faults.iter().map(|fault| fault.object.as_ref()).collect();
    let faults: Vec<_> = faults.iter().map(|object| object.map(ToString::to_string)).collect();
    let named = |name: &str| Some(name.to_owned());
    assert_eq!(faults, [named("Service x/b"), named("Ingress default/c"), None]);
    assert_eq!(manifest.faults[0].line, 1, "where the list begins");
    assert!(manifest.faults[2].reason.starts_with("items[3]: "), "{:?}", manifest.faults[2]);
}

#[test]
fn the_kind_may_come_last() {
    let text = "addressType: IPv4\napiVersion: discovery.k8s.io/v1\nendpoints: []\nmetadata: {name: a}\nports: []\nkind: EndpointSlice # x\n";
    assert_eq!(names(text), ["EndpointSlice default/a"]);
}

#[test]
fn a_document_that_is_no_yaml_hides_no_other() {
    let text = format!(
        "{SERVICE}---\napiVersion: v1\nkind: Service\nmetadata: [\n---\n{}",
        SERVICE.replace("web", "two")
    );
    let manifest = Manifest::parse(&text);
    assert_eq!(manifest.objects.len(), 2);
    assert_eq!(manifest.faults.len(), 1);
    assert!((5..=9).contains(&manifest.faults[0].line), "{:?}", manifest.faults);
}

#[test]
fn a_fault_names_line_and_object() {
    let fault = fault(
        "# first\n---\napiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec:\n  ports:\n  - port: many\n",
    );
    assert_eq!(fault.line, 8, "{fault:?}");
    assert_eq!(
        fault.object.as_ref().map(ToString::to_string).as_deref(),
        Some("Service default/web")
    );
    assert_eq!(fault.reason, "invalid i32");
}

#[test]
fn an_object_needs_a_name() {
    assert_eq!(
        fault("apiVersion: v1\nkind: Service\nmetadata: {}\n").reason,
        "metadata.name is missing"
    );
}

#[test]
fn old_ingresses_are_a_fault() {
    let fault = fault("apiVersion: extensions/v1beta1\nkind: Ingress\nmetadata: {name: a}\n");
    assert!(fault.reason.contains("networking.k8s.io/v1"), "{fault:?}");
}

#[test]
fn marks_inside_of_text_are_text() {
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  x: |\n    ---\n    kind: Service\n    ...\n";
    let manifest = Manifest::parse(text);
    let Body::ConfigMap(map) = manifest.objects[0].body() else { panic!("{manifest:?}") };
    assert_eq!(map.data.as_ref().unwrap()["x"], "---\nkind: Service\n...\n");
}

#[test]
fn windows_line_ends() {
    assert_eq!(
        names(&format!("\u{feff}{}---\r\n", SERVICE.replace('\n', "\r\n"))),
        ["Service default/web"]
    );
}

const PIN: &str = "12345678";

/// Documents with a Secret that cannot be read, with what is said about it.
fn unreadable_secrets() -> Vec<(String, &'static str)> {
    let head = "apiVersion: v1, kind: Secret, metadata: {name: s}";
    let list = |item: &str| format!("apiVersion: v1\nkind: List\nitems:\n- {{{head}, {item}}}\n");
    let one = |rest: &str| format!("{}\n{rest}\n", head.replace(", ", "\n"));
    let json = |rest: &str| {
        format!(r#"{{"apiVersion": "v1", "kind": "Secret", "metadata": {{"name": "s"}}, {rest}}}"#)
    };
    let json_list =
        |item: &str| format!(r#"{{"apiVersion": "v1", "kind": "List", "items": [{item}]}}"#);
    let (data, string_data) = ("data of a Secret", "stringData of a Secret");
    let (metadata, other) = ("metadata of a Secret", "a Secret cannot be read");
    let no_yaml = "neither YAML nor JSON";
    vec![
        (list("stringData: {pin: 12345678}"), string_data),
        (list("stringData: 12345678"), string_data),
        (list("data: {pin: 12345678}"), data),
        (list("data: {pin: '12345678!'}"), data),
        (list("immutable: '12345678'"), other),
        (list("data: {12345678: a, 12345678: b}"), no_yaml),
        (list("stringData: {pin: *a12345678}"), no_yaml),
        (list("stringData: {pin: a}").replace("name: s", "name: s, labels: 12345678"), metadata),
        (list("a: b").replace("- {", "  12345678\n# {"), no_yaml),
        (one("stringData: [12345678]"), string_data),
        (one("data: {pin: 12345678!}"), data),
        (one("data: {12345678: a, 12345678: b}"), no_yaml),
        (one("stringData:\n  pin: \"12345678"), no_yaml),
        (one("immutable: 12345678"), other),
        (json(r#""stringData": 12345678"#), string_data),
        (json(r#""data": {"12345678": "a", "12345678": *b}"#), no_yaml),
        (json_list(&json(r#""stringData": {"pin": 12345678}"#)), string_data),
        (json_list(&json(r#""stringData": {"12345678": "a", "12345678": *b}"#)), no_yaml),
    ]
}

/// The log and the live table show faults to people who may not read Secrets.
#[test]
fn the_fault_of_a_secret_names_the_field_and_no_value() {
    for (text, expected) in unreadable_secrets() {
        let fault = fault(&text);
        assert!(fault.reason.contains(expected), "{fault:?} of {text}");
        assert!(!format!("{fault:?}").contains(PIN), "{fault:?}");
    }
}

#[test]
fn the_fault_of_a_secret_names_its_line() {
    let text = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata:\n  a: YQ==\n  b: [x]\n";
    let fault = fault(text);
    assert_eq!((fault.line, fault.object.map(|object| object.name)), (6, Some("s".into())));
}

/// An Ingress in block style, as far as a line is not replaced.
fn ingress_with(line: &str, instead: &str) -> String {
    let text = "apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: a
  annotations:
    nginx.ingress.kubernetes.io/use-regex: \"true\"
spec:
  ingressClassName: nginx
  rules:
  - host: \"*.a.example\"
    http:
      paths:
      - path: /
        pathType: Prefix
        backend:
          service:
            name: web
            port:
              number: 80
";
    assert!(text.contains(line), "{line}");
    text.replacen(line, instead, 1)
}

#[test]
fn what_an_api_server_would_refuse_is_refused() {
    for (line, instead, reason) in [
        (
            "pathType: Prefix",
            "pathType: prefix",
            "spec.rules[0].http.paths[0].pathType: \"prefix\" is none; write Prefix, Exact or ImplementationSpecific",
        ),
        (
            "        pathType: Prefix\n",
            "",
            "spec.rules[0].http.paths[0].pathType: is missing; write Prefix, Exact or ImplementationSpecific",
        ),
        (
            "path: /\n",
            "path: nope\n",
            "spec.rules[0].http.paths[0].path: \"nope\" does not begin with a slash; write \"/nope\"",
        ),
        (
            "path: /\n",
            "path: /a/../b\n",
            "spec.rules[0].http.paths[0].path: \"/a/../b\" holds \"/../\", which Prefix and Exact must not; leave it out",
        ),
        (
            "\"*.a.example\"",
            "X_.local/host",
            "spec.rules[0].host: \"X_.local/host\" is no DNS name; use lower-case letters, digits and `-` between dots, and `*.` in front at most",
        ),
        (
            "\"*.a.example\"",
            "10.0.0.1",
            "spec.rules[0].host: \"10.0.0.1\" is an address; a host is a DNS name",
        ),
        (
            "            port:\n              number: 80\n",
            "",
            "spec.rules[0].http.paths[0].backend.service: names no port; give port.number or port.name",
        ),
        (
            "number: 80",
            "number: 99999",
            "spec.rules[0].http.paths[0].backend.service.port.number: 99999 is no port, 1 to 65535",
        ),
        (
            "name: web",
            "name: Web",
            "spec.rules[0].http.paths[0].backend.service.name: \"Web\" cannot be a Service's; use lower-case letters, digits and `-`",
        ),
        (
            "backend:",
            "backnd:",
            "spec.rules[0].http.paths[0].backnd: unknown field; known here are backend, path, pathType; spec.rules[0].http.paths[0].backend: names nothing; give service with its name and port",
        ),
        (
            "  rules:",
            "  ruls:",
            "spec.ruls: unknown field; known here are defaultBackend, ingressClassName, rules, tls; spec: has neither rules nor defaultBackend; give it one of them",
        ),
        ("kind: Ingress", "kind: ingress", "kind \"ingress\" is unknown; write Ingress"),
        (
            "kind: Ingress",
            "knd: Ingress",
            "kind is missing, of an object of apiVersion networking.k8s.io/v1; give it",
        ),
        (
            "apiVersion: networking.k8s.io/v1",
            "",
            "apiVersion is missing; that of kind Ingress is networking.k8s.io/v1",
        ),
    ] {
        let text = ingress_with(line, instead);
        let found = fault(&text);
        assert_eq!((found.effect, found.reason.as_str()), (Effect::Refused, reason), "{text}");
        assert!(Manifest::parse(&text).objects.is_empty(), "{text}");
    }
}

#[test]
fn an_unknown_field_is_told_and_the_rest_is_read() {
    let text = ingress_with("  ingressClassName: nginx", "  ingressClassName: nginx\n  x-note: y");
    let found = fault(&text);
    assert_eq!(found.effect, Effect::Warning);
    assert_eq!(
        found.reason,
        "spec.x-note: unknown field; known here are defaultBackend, ingressClassName, rules, tls"
    );
    assert_eq!(found.object.unwrap().to_string(), "Ingress default/a");
    assert_eq!(Manifest::parse(&text).objects.len(), 1);
    let list = format!(
        "{{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": [{}]}}",
        serde_json::to_string(&from_text::<serde_json::Value>(&text).unwrap()).unwrap()
    );
    assert!(fault(&list).reason.starts_with("items[0]: spec.x-note: "));
}

#[test]
fn what_an_api_server_takes_is_taken() {
    for (line, instead) in [
        ("", ""),
        ("path: /\n", "path: \"/a(/|$)(.*)\"\n"),
        ("path: /\n        pathType: Prefix", "pathType: ImplementationSpecific"),
        ("path: /\n", "path: \"/ä b%20c\" # a note\n"),
        ("number: 80", "name: http"),
        ("  - host: \"*.a.example\"\n    http", "  - http"),
        ("metadata:\n", "metadata:\n  labels: {app: x}\n  finalizers: []\n"),
        ("annotations:\n", "annotations:\n    note: |\n      anything: {here\n"),
        ("  rules:", "  tls:\n  - hosts: [a.example]\n    secretName: tls\n  rules:"),
        (
            "apiVersion: networking.k8s.io/v1",
            "---\na: b\n---\napiVersion: v1\nkind: Pod\n---\napiVersion: networking.k8s.io/v1",
        ),
    ] {
        assert_eq!(names(&ingress_with(line, instead)), ["Ingress default/a"], "{instead}");
    }
}

#[test]
fn texts_that_are_none_are_refused_in_every_form() {
    let list = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Service\n  metadata:\n    name: web\n    labels: {a: 5}\n";
    assert_eq!(
        fault(list).reason,
        "items[0]: metadata.labels[\"a\"] is the number 5, where an API server takes only texts; quote it: \"5\""
    );
    let json = r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"b": true}}"#;
    let found = fault(json);
    assert_eq!((found.effect, found.word), (Effect::Refused, "Invalid"));
    assert_eq!(found.object.unwrap().to_string(), "ConfigMap default/a");
    let secret =
        "kind: Secret\napiVersion: v1\nmetadata: {name: s}\nstringData:\n  hush: 12345678\n";
    assert!(!fault(secret).reason.contains("12345678"));
    assert!(fault(secret).reason.contains("stringData"));
}

#[test]
fn what_routes_requests_elsewhere_is_named_with_its_name() {
    let route = "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: shop, namespace: x}\nspec: {}\n";
    let found = fault(&format!("---\n{SERVICE}---\n{route}"));
    assert_eq!((found.effect, found.word, found.line), (Effect::Warning, "KindNotRead", 6));
    assert_eq!(found.object.unwrap().to_string(), "HTTPRoute x/shop");
}
