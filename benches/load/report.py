"""Turns raw rounds into the table that is printed."""

from statistics import median

# The project's targets for the `small` scenario: headgate's CPU per request against each peer.
TARGETS = {"nginx-ingress": 0.6, "nginx": 1.2, "haproxy": 1.1}


def table(names, rounds):
    """One line per peer with the medians of its valid rounds."""
    lines = [f"{'peer':<15}{'CPU-us/req':>11}{'req/s':>9}{'p50 ms':>9}{'p99 ms':>9}{'core':>7}{'peak RSS':>11}{'errors':>8}  rounds"]
    for name in names:
        mine = [one[name] for one in rounds if name in one]
        good = [one for one in mine if one["valid"]]
        if not good:
            lines.append(f"{name:<15}  no valid round; errors {[one['errors'] for one in mine]}, "
                         f"upstream saw {[one['upstream_requests'] for one in mine]} of {[one['requests'] for one in mine]}")
            continue
        middle = lambda key: median(one[key] for one in good)
        lines.append(f"{name:<15}{middle('cpu_us'):>11.2f}{middle('per_second'):>9.0f}{middle('p50_us') / 1000:>9.2f}"
                     f"{middle('p99_us') / 1000:>9.2f}{middle('cpu_share'):>7.0%}{max(one['peak_rss_kib'] for one in good) / 1024:>8.1f} MB"
                     f"{sum(one['errors'] for one in mine):>8}  {len(good)} of {len(mine)} valid")
    return "\n".join(lines)


def ratios(names, rounds):
    """headgate's CPU per request divided by each peer's: (peer, median, lowest, highest) over the rounds where both are valid."""
    found = []
    for name in names:
        if name == "headgate":
            continue
        values = [one["headgate"]["cpu_us"] / one[name]["cpu_us"] for one in rounds
                  if "headgate" in one and name in one and one["headgate"]["valid"] and one[name]["valid"]]
        if values:
            found.append((name, median(values), min(values), max(values)))
    return found


def ratio_lines(found, with_targets):
    """The ratios as text, each with its target and whether it is met."""
    lines = []
    for name, middle, low, high in found:
        line = f"headgate / {name:<14} {middle:5.2f}   (rounds {low:.2f} to {high:.2f})"
        if with_targets:
            line += f"   target <= {TARGETS[name]}: {'met' if middle <= TARGETS[name] else 'MISSED'}"
        lines.append(line)
    return "\n".join(lines)


def missed(found):
    """Names of the peers whose target is not met."""
    return [name for name, middle, _, _ in found if middle > TARGETS[name]]


def latency_table(names, rounds):
    """Latency at a fixed rate, medians over the rounds."""
    lines = [f"{'peer':<15}{'req/s':>9}{'p50 us':>9}{'p90 us':>9}{'p99 us':>9}{'p99.9 us':>10}{'errors':>8}"]
    for name in names:
        mine = [one[name] for one in rounds if name in one]
        if mine:
            middle = lambda key: median(one[key] for one in mine)
            lines.append(f"{name:<15}{middle('per_second'):>9.0f}{middle('p50_us'):>9.0f}{middle('p90_us'):>9.0f}"
                         f"{middle('p99_us'):>9.0f}{middle('p999_us'):>10.0f}{sum(one['errors'] for one in mine):>8}")
    return "\n".join(lines)
