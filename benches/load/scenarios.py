"""What is asked of the peers: the route table, the requests, and the answer that is expected."""

from dataclasses import dataclass, field

import protection as protections

HOST = "bench.example"


@dataclass
class Path:
    """One path of a host, as an Ingress would write it."""

    path: str
    kind: str  # Prefix, Exact or ImplementationSpecific
    service: str


@dataclass
class Host:
    """One host with its paths; `regex` puts it into regular-expression mode."""

    name: str
    paths: list
    regex: bool = False


@dataclass
class Scenario:
    """A route table and the requests that are sent through it."""

    name: str
    summary: str
    hosts: list
    method: str = "GET"
    body_bytes: int = 0
    path: str = "/api/users/42"
    tls: bool = False
    # More than one target: (host, path) pairs requested in turn.
    targets: list = field(default_factory=list)
    # What the requests have to pass.
    protection: protections.Protection = protections.NONE
    # Peers that have no equivalent of the route table are left out.
    peers: tuple = ("nginx", "nginx-ingress", "haproxy", "headgate")

    def services(self):
        """All Service names of the table, sorted."""
        return sorted({path.service for host in self.hosts for path in host.paths})


def everyday_hosts():
    """A small table: the measured host among a few others. `localhost` is there for TLS, where the generator's SNI needs a name."""
    paths = [Path("/api/users", "Prefix", "users"), Path("/api/orders", "Prefix", "orders"), Path("/big", "Prefix", "files"),
             Path("/status", "Exact", "status"), Path("/", "Prefix", "web")]
    hosts = [Host(HOST, paths), Host("localhost", paths)]
    hosts += [Host(f"{name}.bench.example", [Path("/", "Prefix", "web")]) for name in ("shop", "blog", "docs")]
    return hosts


def small(_count):
    return Scenario("small", "GET, small JSON answer, 5 hosts", everyday_hosts())


def post(_count):
    return Scenario("post", "POST of 1 KiB, small JSON answer, 5 hosts", everyday_hosts(), method="POST", body_bytes=1024)


def big(_count):
    return Scenario("big", "GET, 64 KiB answer, 5 hosts", everyday_hosts(), path="/big/64k")


def tls(_count):
    return Scenario("tls", "GET over TLS 1.3 and HTTP/1.1, small JSON answer, 5 hosts", everyday_hosts(), tls=True)


def hosts(count):
    table = [Host(f"app-{i}.bench.example", [Path("/api/users", "Prefix", "users"), Path("/", "Prefix", "web")])
             for i in range(count)]
    targets = [(host.name, f"/api/users/{i}") for i, host in enumerate(table)]
    return Scenario("hosts", f"GET over {count} plain hosts in turn", table, targets=targets,
                    peers=("nginx-ingress", "headgate"))


def regex(count):
    paths = [Path(f"/api/service-{i}/[^/]+/items", "ImplementationSpecific", "users") for i in range(count)]
    paths.append(Path("/", "Prefix", "web"))
    targets = [(HOST, f"/api/service-{i}/a{i}/items") for i in range(count)]
    return Scenario("regex", f"GET over {count} regular-expression paths of one host in turn", [Host(HOST, paths, regex=True)],
                    targets=targets, peers=("nginx-ingress", "headgate"))


def protected(name, summary, by):
    return Scenario(name, f"GET, small JSON answer, 5 hosts, {summary}", everyday_hosts(), protection=by, peers=("nginx", "nginx-ingress", "headgate"))


def basic(_count):
    return protected("basic", "basic authentication by the same user", protections.basic())


def external(_count):
    return protected("external", "a service is asked about each request", protections.external())


def limit(_count):
    return protected("limit", "counted for a limit per client", protections.limit())


SCENARIOS = {make.__name__: make for make in (small, post, big, tls, hosts, regex, basic, external, limit)}
