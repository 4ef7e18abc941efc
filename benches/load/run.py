#!/usr/bin/env python3
"""CPU time per proxied request of headgate beside nginx, nginx configured as ingress-nginx, and HAProxy, in one run.

See README.md for the method. Everything runs on loopback and is ended by process id on any exit.
"""

import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time

# No __pycache__ in the source tree.
sys.dont_write_bytecode = True

import load
import report
from peers import Bench
from scenarios import SCENARIOS

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PEERS = ("nginx", "nginx-ingress", "haproxy", "headgate")


def arguments():
    env = os.environ.get
    cores = sorted(os.sched_getaffinity(0))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenario", default=env("BENCH_SCENARIO", "small"), help=f"comma list of {', '.join(SCENARIOS)}, or all (default small)")
    parser.add_argument("--peers", default=env("BENCH_PEERS", ",".join(PEERS)), help="comma list; default all four")
    parser.add_argument("--rounds", type=int, default=int(env("BENCH_ROUNDS", "5")), help="interleaved rounds (default 5)")
    parser.add_argument("--seconds", type=int, default=int(env("BENCH_SECONDS", "6")), help="length of a round per peer (default 6)")
    parser.add_argument("--warmup", type=int, default=int(env("BENCH_WARMUP", "1")), help="seconds of load before each round (default 1)")
    parser.add_argument("--connections", type=int, default=int(env("BENCH_CONNECTIONS", "64")), help="keep-alive connections (default 64)")
    parser.add_argument("--routes", type=int, default=int(env("BENCH_ROUTES", "1000")), help="size of the hosts and regex scenarios (default 1000)")
    parser.add_argument("--rate", type=int, default=0, help="measure latency at this fixed request rate instead of CPU time")
    parser.add_argument("--log", choices=("file", "null"), default=env("BENCH_LOG", "file"), help="access logs to a file (default) or to /dev/null")
    parser.add_argument("--haproxy-reuse", choices=("safe", "aggressive", "always"), default="safe", help="HAProxy's http-reuse (default safe)")
    parser.add_argument("--no-lua-metrics", dest="lua_metrics", action="store_false", help="nginx-ingress without request metrics in Lua")
    parser.add_argument("--headgate", default=env("HEADGATE_BIN", os.path.join(ROOT, "target/release/headgate")), help="the binary under test")
    parser.add_argument("--peer-core", type=int, default=cores[0], help="core of the proxies")
    parser.add_argument("--load-core", type=int, default=cores[-1], help="core of generator and upstream")
    parser.add_argument("--quick", action="store_true", help="one round of one second each: does it all still run?")
    parser.add_argument("--check", action="store_true", help="exit status 1 if a target of the small scenario is missed")
    parser.add_argument("--keep", action="store_true", help="keep the run's folder with configurations and logs, and name it")
    parser.add_argument("--out", default=os.path.join(ROOT, "target/bench-load"), help="folder for raw results")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds, options.warmup = 1, 1, 0
    options.peers = [name for name in options.peers.split(",") if name]
    names = list(SCENARIOS) if options.scenario == "all" else options.scenario.split(",")
    for unknown in [name for name in names if name not in SCENARIOS] + [name for name in options.peers if name not in PEERS]:
        parser.error(f"unknown scenario or peer: {unknown}")
    # nginx closes a connection after 1000 requests and h2load 1.52 then hangs in HTTP/1.1 mode.
    if options.rate / options.connections * (options.seconds + 1) > 950:
        parser.error("more than 950 requests per connection: lower --rate or --seconds, or raise --connections")
    options.scenarios = [SCENARIOS[name](options.routes) for name in names]
    if len(cores) < 2:
        print("warning: one core only; proxies share it with the generator")
    return options


def first_line(command):
    """First line a program prints about itself, or why not."""
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
        return (answer.stdout + answer.stderr).strip().splitlines()[0]
    except (OSError, IndexError) as error:
        return str(error)


def machine(options):
    """What the figures depend on, for the head of the report and the raw file."""
    with open("/proc/cpuinfo") as file:
        model = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), platform.machine())
    return {"date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "cpu": model, "cores": os.cpu_count(), "kernel": platform.release(),
            "nginx": first_line(["nginx", "-v"]), "haproxy": first_line(["haproxy", "-v"]), "wrk": first_line(["wrk", "-v"]),
            "headgate": first_line([options.headgate, "--version"]), "load_average": os.getloadavg()[0]}


def measure_scenario(scenario, options, run):
    """All rounds of one scenario, interleaved; each round starts with another peer."""
    rounds = []
    with Bench(scenario, options, run) as bench:
        for peer in bench.peers:
            load.preflight(scenario, peer, bench.upstream_port)
        for number in range(options.rounds):
            shift = number % max(1, len(bench.peers))
            results = {}
            for peer in bench.peers[shift:] + bench.peers[:shift]:
                if options.rate:
                    results[peer.name] = load.fixed_rate(scenario, peer, options, run)
                else:
                    results[peer.name] = load.round_of(scenario, peer, options, run, bench.status_port)
                    one = results[peer.name]
                    print(f"  round {number + 1} {peer.name:<15}{one['cpu_us']:8.2f} CPU-us/req {one['per_second']:8.0f} req/s"
                          f"{'' if one['valid'] else '   INVALID'}", flush=True)
            rounds.append(results)
        if bench.sink and options.lua_metrics and not bench.sink.received:
            raise SystemExit("nginx-ingress sent no request metrics: its Lua is not doing its work")
        return [peer.name for peer in bench.peers], rounds


def main():
    options = arguments()
    subprocess.run([os.path.join(HERE, "check-deps.sh")], check=True)
    # A signal must unwind the stack, so that the processes of the run are ended.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(130))
    about = machine(options)
    print("\n".join(f"{key}: {value}" for key, value in about.items()))
    os.makedirs(options.out, exist_ok=True)
    failed = []
    for scenario in options.scenarios:
        print(f"\n{scenario.name}: {scenario.summary}; {options.connections} connections, {options.rounds} x {options.seconds} s", flush=True)
        run = tempfile.mkdtemp(prefix="headgate-bench-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
        try:
            names, rounds = measure_scenario(scenario, options, run)
        finally:
            if options.keep:
                print(f"kept: {run}")
            else:
                shutil.rmtree(run, ignore_errors=True)
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        raw = os.path.join(options.out, f"{stamp}-{scenario.name}{'-rate' if options.rate else ''}.json")
        with open(raw, "w") as file:
            json.dump({"machine": about, "scenario": scenario.name, "options": {key: value for key, value in vars(options).items()
                                                                               if key != "scenarios"}, "rounds": rounds}, file, indent=1)
        failed += [f"{scenario.name}/{name}: invalid round" for one in rounds for name, result in one.items() if not result["valid"]]
        print()
        if options.rate:
            print(report.latency_table(names, rounds))
        else:
            found = report.ratios(names, rounds)
            print(report.table(names, rounds))
            print(report.ratio_lines(found, scenario.name == "small"))
            if options.check and scenario.name == "small":
                failed += [f"target against {name} missed" for name in report.missed(found)]
        print(f"raw: {os.path.relpath(raw, ROOT)}")
    if failed:
        raise SystemExit("failed: " + "; ".join(failed))


if __name__ == "__main__":
    main()
