"""Starts and stops the processes of a run: the upstream and the peers under test, each pinned to its core."""

import ctypes
import getpass
import http.client
import os
import signal
import socket
import subprocess
import threading
import time

import protection
import render

MODULES = "/usr/lib/nginx/modules"
START_SECONDS = 30
PR_SET_PDEATHSIG = 1


def free_ports(count):
    """That many different free loopback ports."""
    sockets = []
    for _ in range(count):
        sock = socket.socket()
        sock.bind(("127.0.0.1", 0))
        sockets.append(sock)
    ports = [sock.getsockname()[1] for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports


class Peer:
    """One proxy under test, or the upstream."""

    def __init__(self, name, command, http_port, https_port, log=None, ready=None):
        self.name, self.command = name, command
        self.http_port, self.https_port = http_port, https_port
        self.log = log
        self.ready = ready or (lambda: accepts(http_port))
        self.process = None

    def start(self, run, core):
        """Starts the process and waits until it is ready; its standard output goes to the access log if it has one there."""
        out = open(self.log if self.log else os.path.join(run, f"{self.name}.out"), "ab")
        err = open(os.path.join(run, f"{self.name}.stderr"), "ab")
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                        preexec_fn=lambda: prepare_child(core))
        out.close()
        err.close()
        deadline = time.monotonic() + START_SECONDS
        while not self.ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                with open(os.path.join(run, f"{self.name}.stderr"), errors="replace") as file:
                    raise SystemExit(f"{self.name} did not start: {file.read()[-2000:]}")
            time.sleep(0.01)

    def stop(self):
        """Ends the process by its id: asks first, insists after five seconds."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)

    def truncate_log(self):
        """Empties the access log between rounds; every peer opened it for appending."""
        if self.log and self.log != "/dev/null" and os.path.exists(self.log):
            os.truncate(self.log, 0)


def prepare_child(core):
    """Runs in the child: pins it, and ends it when the bench dies however it dies."""
    if core is not None:
        os.sched_setaffinity(0, {core})
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def accepts(port):
    """Whether something accepts connections on the loopback port."""
    with socket.socket() as sock:
        sock.settimeout(1)
        return sock.connect_ex(("127.0.0.1", port)) == 0


def is_ready(port):
    """Whether GET /readyz on the port answers 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


class MetricsSink:
    """The controller's end of the unix socket to which the Lua of nginx-as-ingress sends its request records."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(path)
        os.chmod(path, 0o777)
        self.socket.listen(16)
        self.received = 0
        threading.Thread(target=self.drain, daemon=True).start()

    def drain(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection:
                while chunk := connection.recv(1 << 20):
                    self.received += len(chunk)

    def close(self):
        self.socket.close()


class Bench:
    """Everything that runs for one scenario. A context manager: on exit nothing is left running."""

    def __init__(self, scenario, options, run):
        self.scenario, self.options, self.run = scenario, options, run
        self.upstream_port, self.status_port, service_port = free_ports(3)
        self.values = {"SERVICE_PORT": service_port, "RUN": run, "USER": getpass.getuser(), "UPSTREAM_PORT": self.upstream_port,
                       "STATUS_PORT": self.status_port, "MODULES": MODULES, "REUSE": options.haproxy_reuse,
                       "LUA": os.path.join(render.CONFIGS, "lua")}
        of = scenario.protection
        words = {"HTTP": of.http, "SERVER": of.server, "LOCATION": of.location}
        # What they refer to comes later in the list.
        self.values = {**{f"PROTECTION_{place}": text for place, text in words.items()}, **self.values}
        self.peers, self.others, self.sink = [], [], None

    def __enter__(self):
        # systemd-style umasks would hide the run folder from nginx workers of another user.
        os.chmod(self.run, 0o755)
        self.certificate, self.key = certificate(self.run)
        self.passwords = protection.password_line()
        self.write("passwords", self.passwords)
        os.makedirs(os.path.join(self.run, "files", "big"), exist_ok=True)
        with open(os.path.join(self.run, "files", "big", "64k"), "wb") as file:
            file.write(bytes(range(256)) * 256)
        try:
            self.beside("upstream", self.upstream_port)
            if self.scenario.protection.service:
                self.beside("service", self.values["SERVICE_PORT"])
            for name in self.options.peers:
                if name in self.scenario.peers:
                    self.add(name)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for peer in self.peers + self.others:
            peer.stop()
        if self.sink:
            self.sink.close()

    def beside(self, name, port):
        """Starts what the peers talk to."""
        other = Peer(name, self.nginx(f"{name}.conf", {}), port, None)
        self.others.append(other)
        other.start(self.run, self.options.load_core)

    def add(self, name):
        """Starts one peer by name."""
        http_port, https_port, health_port = free_ports(3)
        log = "/dev/null" if self.options.log == "null" else os.path.join(self.run, f"{name}.access.log")
        values = {"HTTP_PORT": http_port, "HTTPS_PORT": https_port, "LOG": log}
        make = {"nginx": self.plain, "nginx-ingress": self.ingress, "haproxy": self.haproxy, "headgate": self.headgate}[name]
        peer = make(name, values, log, health_port)
        if peer is None:
            return
        self.peers.append(peer)
        peer.start(self.run, self.options.peer_core)

    def write(self, name, text):
        path = os.path.join(self.run, name)
        with open(path, "w") as file:
            file.write(text)
        return path

    def nginx(self, template, values):
        text = render.fill(template, {**values, **self.values})
        path = self.write(template, text)
        return ["nginx", "-p", self.run, "-e", os.path.join(self.run, f"{template}.err"), "-c", path]

    def plain(self, name, values, log, _health_port):
        return Peer(name, self.nginx("plain.conf", values), values["HTTP_PORT"], values["HTTPS_PORT"], log)

    def ingress(self, name, values, log, _health_port):
        self.sink = MetricsSink(os.path.join(self.run, "metrics.sock"))
        self.write("backends.json", render.lua_backends(self.scenario, self.upstream_port))
        tls_hosts = " ".join(host.name for host in self.scenario.hosts) if self.scenario.tls else ""
        values = {"SERVERS": render.nginx_servers(self.scenario, self.options.lua_metrics), "TLS_HOSTS": tls_hosts, **values}
        return Peer(name, self.nginx("ingress.conf", values), values["HTTP_PORT"], values["HTTPS_PORT"], log)

    def haproxy(self, name, values, log, _health_port):
        rules, backends = render.haproxy_rules(self.scenario, self.upstream_port)
        text = render.fill("haproxy.cfg", {**self.values, **values, "RULES": rules, "BACKENDS": backends})
        command = ["haproxy", "-db", "-f", self.write("haproxy.cfg", text)]
        return Peer(name, command, values["HTTP_PORT"], values["HTTPS_PORT"], log)

    def headgate(self, name, values, log, health_port):
        if not os.access(self.options.headgate, os.X_OK):
            print(f"headgate left out: {self.options.headgate} is not there (make release, or HEADGATE_BIN)")
            return None
        folder = os.path.join(self.run, "manifests")
        os.makedirs(folder, exist_ok=True)
        text = render.manifests(self.scenario, self.upstream_port, self.certificate, self.key, self.passwords)
        self.write("manifests/bench.yaml", render.replaced(text, self.values))
        command = [self.options.headgate, "--manifests", folder, "--http-port", str(values["HTTP_PORT"]),
                   "--https-port", str(values["HTTPS_PORT"]), "--healthz-port", str(health_port),
                   "--bind-address", "127.0.0.1", "--ingress-class", "nginx", "--workers", "1"]
        return Peer(name, command, values["HTTP_PORT"], values["HTTPS_PORT"], log, ready=lambda: is_ready(health_port))


def certificate(run):
    """A new self-signed P-256 certificate for the measured hosts, as (certificate, key) in PEM; also as files for the peers."""
    crt, key = os.path.join(run, "bench.crt"), os.path.join(run, "bench.key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
                    "-subj", "/CN=bench.example", "-addext", "subjectAltName=DNS:bench.example,DNS:localhost,DNS:*.bench.example",
                    "-keyout", key, "-out", crt], check=True, stderr=subprocess.DEVNULL)
    with open(crt) as file:
        certificate_text = file.read()
    with open(key) as file:
        key_text = file.read()
    with open(os.path.join(run, "bench.pem"), "w") as file:
        file.write(certificate_text + key_text)
    return certificate_text, key_text
