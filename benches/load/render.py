"""Writes a scenario's route table in the words of each peer: Kubernetes objects, nginx locations, HAProxy rules."""

import base64
import json
import os

from protection import PREFIX

HERE = os.path.dirname(os.path.abspath(__file__))
CONFIGS = os.path.join(HERE, "configs")


def fill(name, values):
    """A file of configs/ with every @KEY@ replaced."""
    with open(os.path.join(CONFIGS, name)) as file:
        return replaced(file.read(), values)


def replaced(text, values):
    """A text with every @KEY@ replaced, in the order of the values: what comes earlier may hold the keys of what comes later."""
    for key, value in values.items():
        text = text.replace(f"@{key}@", str(value))
    return text


def quoted(text):
    """A double-quoted string that is valid in YAML (JSON strings are) and in nginx for the characters used here."""
    return json.dumps(text)


def base64_text(text):
    """The text in base64, as Secrets carry it."""
    return base64.b64encode(text.encode()).decode()


def manifests(scenario, upstream_port, certificate, key, passwords):
    """The table as one multi-document YAML text: class, services, endpoints, certificate, passwords, one Ingress per host."""
    docs = ["apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata:\n  name: nginx\n"
            "spec:\n  controller: k8s.io/ingress-nginx\n"]
    for service in scenario.services():
        docs.append(f"apiVersion: v1\nkind: Service\nmetadata:\n  name: {service}\n  namespace: bench\n"
                    "spec:\n  ports:\n  - name: http\n    port: 80\n    targetPort: http\n")
        docs.append("apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"
                    f"metadata:\n  name: {service}-1\n  namespace: bench\n  labels:\n    kubernetes.io/service-name: {service}\n"
                    f"addressType: IPv4\nports:\n- name: http\n  protocol: TCP\n  port: {upstream_port}\n"
                    "endpoints:\n- addresses: [127.0.0.1]\n  conditions:\n    ready: true\n")
    if scenario.tls:
        docs.append("apiVersion: v1\nkind: Secret\ntype: kubernetes.io/tls\nmetadata:\n  name: bench-tls\n  namespace: bench\n"
                    f"data:\n  tls.crt: {base64_text(certificate)}\n  tls.key: {base64_text(key)}\n")
    docs.append(f"apiVersion: v1\nkind: Secret\nmetadata:\n  name: passwords\n  namespace: bench\ndata:\n  auth: {base64_text(passwords)}\n")
    for number, host in enumerate(scenario.hosts):
        docs.append(ingress(number, host, scenario))
    return "---\n".join(docs)


def ingress(number, host, scenario):
    """One host as an Ingress."""
    text = (f"apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: ingress-{number}\n  namespace: bench\n"
            "  creationTimestamp: \"2026-01-01T00:00:00Z\"\n")
    annotations = {**scenario.protection.annotations, **({"use-regex": "true"} if host.regex else {})}
    if annotations:
        text += "  annotations:\n" + "".join(f"    {PREFIX}{name}: {quoted(value)}\n" for name, value in annotations.items())
    text += "spec:\n  ingressClassName: nginx\n"
    if scenario.tls:
        text += f"  tls:\n  - hosts: [{host.name}]\n    secretName: bench-tls\n"
    text += f"  rules:\n  - host: {host.name}\n    http:\n      paths:\n"
    for path in host.paths:
        text += (f"      - path: {quoted(path.path)}\n        pathType: {path.kind}\n        backend:\n"
                 f"          service:\n            name: {path.service}\n            port:\n              number: 80\n")
    return text


def nginx_servers(scenario, metrics):
    """The table as nginx server blocks, with the reference's expansion of Prefix paths and its order of regular expressions."""
    template = fill("ingress-location.conf", {"METRICS": "true" if metrics else "false"})
    blocks = []
    for number, host in enumerate(scenario.hosts):
        lines = [f"    server {{\n        server_name {host.name};",
                 "        listen 127.0.0.1:@HTTP_PORT@;\n        listen 127.0.0.1:@HTTPS_PORT@ ssl http2;",
                 "        set $proxy_upstream_name \"-\";"]
        lines.append(f"        {scenario.protection.ingress_server}")
        for match, path in nginx_matches(host):
            values = {"PROTECTION": scenario.protection.ingress_location, "MATCH": match, "INGRESS": f"ingress-{number}", "SERVICE": path.service,
                      "PATH": path.path.replace("$", "")}
            location = template
            for key, value in values.items():
                location = location.replace(f"@{key}@", value)
            lines.append(location)
        blocks.append("\n".join(lines) + "    }\n")
    return "".join(blocks)


def nginx_matches(host):
    """(location match, path) pairs of a host in the order in which nginx has to see them."""
    ordered = sorted(host.paths, key=lambda path: len(path.path), reverse=True)
    if host.regex:
        return [(f"~* \"^{path.path}\"", path) for path in ordered]
    found = []
    for path in ordered:
        if path.kind == "Exact":
            found.append((f"= {path.path}", path))
        elif path.path == "/":
            found.append(("/", path))
        else:
            found += [(f"{path.path}/", path), (f"= {path.path}", path)]
    return found


def lua_backends(scenario, upstream_port):
    """The endpoints as the JSON that the Lua balancer reads."""
    return json.dumps([{"name": f"bench-{service}-80", "load-balance": "round_robin",
                        "endpoints": [{"address": "127.0.0.1", "port": str(upstream_port)}]}
                       for service in scenario.services()])


def haproxy_rules(scenario, upstream_port):
    """The table as HAProxy (rules, backends): a host test and a path test per path, longest path first."""
    rules, backends = [], []
    for number, host in enumerate(scenario.hosts):
        rules.append(f"    acl host_{number} hdr(host) -i {host.name}")
        for path in sorted(host.paths, key=lambda path: len(path.path), reverse=True):
            test = f"{{ path {path.path} }}" if path.kind == "Exact" else f"{{ path_beg {path.path} }}"
            rules.append(f"    use_backend {path.service} if host_{number} {test}")
    for service in scenario.services():
        backends.append(f"backend {service}\n    server one 127.0.0.1:{upstream_port}\n")
    return "\n".join(rules) + "\n", "\n".join(backends)
