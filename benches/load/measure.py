"""CPU time and memory of a process with all its threads and children, read from /proc. Linux only."""

import os

TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def tree(pid):
    """The process and its descendants, as process ids."""
    found, queue = [], [pid]
    while queue:
        current = queue.pop()
        found.append(current)
        try:
            for task in os.listdir(f"/proc/{current}/task"):
                with open(f"/proc/{current}/task/{task}/children") as file:
                    queue.extend(int(child) for child in file.read().split())
        except OSError:
            continue
    return found


def cpu(pid):
    """A reading of the CPU time used so far by the process tree."""
    ticks, threads = 0, {}
    for member in tree(pid):
        try:
            with open(f"/proc/{member}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
            for task in os.listdir(f"/proc/{member}/task"):
                with open(f"/proc/{member}/task/{task}/schedstat") as file:
                    threads[int(task)] = int(file.read().split()[0])
        except OSError:
            continue
    return {"ticks": ticks, "threads": threads}


def cpu_between(before, after):
    """Nanoseconds of CPU between two readings.

    The scheduler's per-thread counters are exact to the nanosecond but vanish with their thread; then the process counters
    are used, which keep what ended threads used and are exact to one clock tick.
    """
    if set(before["threads"]) <= set(after["threads"]):
        return sum(spent - before["threads"].get(task, 0) for task, spent in after["threads"].items())
    return (after["ticks"] - before["ticks"]) * TICK_NS


def memory_kib(pid):
    """Resident and peak resident memory of the process tree in KiB, as (now, peak); shared pages count once per process."""
    now = peak = 0
    for member in tree(pid):
        try:
            with open(f"/proc/{member}/status") as file:
                for line in file:
                    if line.startswith("VmRSS:"):
                        now += int(line.split()[1])
                    elif line.startswith("VmHWM:"):
                        peak += int(line.split()[1])
        except OSError:
            continue
    return now, peak
