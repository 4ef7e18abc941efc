"""Drives a peer with wrk or h2load and reads what they report."""

import gzip
import http.client
import json
import os
import ssl
import subprocess
import urllib.request

import measure
from peers import prepare_child
from scenarios import HOST

HERE = os.path.dirname(os.path.abspath(__file__))

# What a browser's call of an API looks like; eight lines with Host.
BROWSER_HEADERS = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Accept": "application/json, text/plain, */*",
    "Accept-Language": "en-GB,en;q=0.7,de;q=0.3",
    "Accept-Encoding": "gzip, deflate, br",
    "Referer": "https://bench.example/app/users",
    "Cookie": "session=5f2b8c0e7d9a4b13a6c1; theme=dark; _ga=GA1.2.1234567890.1700000000",
    "Cache-Control": "no-cache",
}


def first_target(scenario):
    """Host and path of the scenario's first request."""
    return scenario.targets[0] if scenario.targets else (HOST, scenario.path)


def preflight(scenario, peer, upstream_port):
    """Asks every peer for a sample of the targets and compares each answer with the upstream's own. Ends the run on a difference."""
    targets = scenario.targets or [(HOST, scenario.path)]
    for host, path in targets[:: max(1, len(targets) // 20)]:
        expected = ask(scenario, http.client.HTTPConnection("127.0.0.1", upstream_port, timeout=10), host, path)
        got = ask(scenario, connect(scenario, peer), host, path)
        if got != expected:
            raise SystemExit(f"{peer.name}: {host}{path} answers {got[0]} {got[1][:80]!r}, the upstream {expected[0]} {expected[1][:80]!r}")
    if scenario.protection.refused:
        others, status = scenario.protection.refused
        got, _ = ask(scenario, connect(scenario, peer), *targets[0], others)
        if got != status:
            raise SystemExit(f"{peer.name}: answers {got} where {status} is right: it does not protect")


def connect(scenario, peer):
    """A connection to a peer."""
    if not scenario.tls:
        return http.client.HTTPConnection("127.0.0.1", peer.http_port, timeout=10)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return http.client.HTTPSConnection("localhost", peer.https_port, timeout=10, context=context)


def headers_of(scenario):
    """All headers of the scenario's requests but `Host`."""
    return {**BROWSER_HEADERS, **dict(scenario.protection.headers)}


def ask(scenario, connection, host, path, others=None):
    """Status and body of one request; `others` go in place of its headers."""
    try:
        body = "x" * scenario.body_bytes if scenario.body_bytes else None
        connection.request(scenario.method, path, body=body, headers={"Host": host, **headers_of(scenario), **(others or {})})
        answer = connection.getresponse()
        data = answer.read()
        return answer.status, gzip.decompress(data) if answer.headers.get("Content-Encoding") == "gzip" else data
    finally:
        connection.close()


def upstream_requests(status_port):
    """How many requests the upstream has answered so far, from nginx's stub status."""
    with urllib.request.urlopen(f"http://127.0.0.1:{status_port}/", timeout=10) as answer:
        return int(answer.read().split(b"\n")[2].split()[2])


def url(scenario, peer):
    """What the generators are pointed at. TLS goes by name, because an address is not sent as SNI."""
    path = first_target(scenario)[1]
    return f"https://localhost:{peer.https_port}{path}" if scenario.tls else f"http://127.0.0.1:{peer.http_port}{path}"


def wrk(scenario, peer, options, run, seconds):
    """Closed-loop load for that many seconds; what wrk counted, as a dictionary."""
    headers = [word for name, value in headers_of(scenario).items() for word in ("-H", f"{name}: {value}")]
    targets = "-"
    if scenario.targets:
        targets = os.path.join(run, "targets")
        with open(targets, "w") as file:
            file.writelines(f"{host} {path}\n" for host, path in scenario.targets)
    command = ["wrk", "-t1", f"-c{options.connections}", f"-d{seconds}s", "--timeout", "10s", "-H", f"Host: {first_target(scenario)[0]}",
               *headers, "-s", os.path.join(HERE, "wrk.lua"), url(scenario, peer), "--", scenario.method, str(scenario.body_bytes), targets]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60, check=False,
                            preexec_fn=lambda: prepare_child(options.load_core))
    for line in answer.stdout.splitlines():
        if line.startswith("RESULT "):
            return json.loads(line[len("RESULT "):])
    raise SystemExit(f"wrk said nothing useful about {peer.name}: {answer.stdout[-500:]}{answer.stderr[-500:]}")


def round_of(scenario, peer, options, run, status_port):
    """One measured round of one peer: warm-up, load, and CPU time of the peer meanwhile."""
    peer.truncate_log()
    if options.warmup > 0:
        wrk(scenario, peer, options, run, options.warmup)
    peer.truncate_log()
    served_before, cpu_before = upstream_requests(status_port), measure.cpu(peer.process.pid)
    result = wrk(scenario, peer, options, run, options.seconds)
    cpu_after, served_after = measure.cpu(peer.process.pid), upstream_requests(status_port)
    peer.truncate_log()

    done = max(1, result["requests"])
    result["cpu_us"] = measure.cpu_between(cpu_before, cpu_after) / 1000 / done
    result["cpu_share"] = result["cpu_us"] * done / result["duration_us"]
    result["per_second"] = done / (result["duration_us"] / 1e6)
    result["rss_kib"], result["peak_rss_kib"] = measure.memory_kib(peer.process.pid)
    result["errors"] = sum(result[key] for key in ("connect_errors", "read_errors", "write_errors", "timeouts", "bad_status"))
    # One of the two readings counts itself; each connection may have a request in flight when the clock runs out.
    result["upstream_requests"] = served_after - served_before - 1
    unexplained = abs(result["upstream_requests"] - result["requests"])
    result["valid"] = result["errors"] == 0 and result["requests"] > 0 and unexplained <= 2 * options.connections
    return result


def fixed_rate(scenario, peer, options, run):
    """Load at a fixed rate with h2load in HTTP/1.1 mode; latency percentiles in microseconds without the first second."""
    log = os.path.join(run, "h2load.log")
    if os.path.exists(log):
        os.unlink(log)
    headers = [word for name, value in headers_of(scenario).items() for word in ("-H", f"{name}: {value}")]
    host, path = first_target(scenario)
    port = peer.https_port if scenario.tls else peer.http_port
    per_connection = options.rate / options.connections
    # By count, not by duration: h2load 1.52 hangs in HTTP/1.1 when a rate is combined with a warm-up time.
    total = int(per_connection * (options.seconds + 1)) * options.connections
    command = ["h2load", "--h1", "-t1", f"-c{options.connections}", f"-n{total}", f"--rps={per_connection:.3f}",
               f"--log-file={log}", f"--connect-to=127.0.0.1:{port}", *headers, f"{'https' if scenario.tls else 'http'}://{host}{path}"]
    subprocess.run(command, capture_output=True, timeout=options.seconds + 60, check=True,
                   preexec_fn=lambda: prepare_child(options.load_core))
    peer.truncate_log()
    with open(log) as file:
        answers = [tuple(int(word) for word in line.split("\t")[:3]) for line in file]
    bad = sum(status != 200 for _start, status, _micros in answers) + total - len(answers)
    begin = min((start for start, _status, _micros in answers), default=0) + 1_000_000
    micros = sorted(micros for start, _status, micros in answers if start >= begin)
    at = lambda share: micros[min(len(micros) - 1, int(len(micros) * share))] if micros else 0
    return {"requests": len(micros), "per_second": len(micros) / options.seconds, "errors": bad, "valid": bad == 0 and bool(micros),
            "p50_us": at(0.5), "p90_us": at(0.9), "p99_us": at(0.99), "p999_us": at(0.999)}
