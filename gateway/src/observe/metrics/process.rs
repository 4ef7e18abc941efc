//! Metrics of the process, from `/proc`: `process_*` always, and `nginx_process_*` under the reference's names while
//! metrics are enabled (operations §3.2, §3.5). What cannot be read is left out.

use std::{fs, sync::atomic::Ordering::Relaxed};

use super::{
    Metrics,
    text::{Exposition, Kind},
};

/// Clock ticks per second in `/proc`, the same on every Linux.
const TICKS: f64 = 100.0;

/// What `/proc` tells about this process.
#[derive(Debug, Default)]
struct Process {
    cpu_seconds: Option<f64>,
    start_time: Option<f64>,
    resident_bytes: Option<u64>,
    virtual_bytes: Option<u64>,
    open_files: Option<u64>,
    max_files: Option<u64>,
    read_bytes: Option<u64>,
    written_bytes: Option<u64>,
}

/// Appends the process metrics.
pub(super) fn write(text: &mut Exposition, metrics: &Metrics) {
    let process = Process::read();
    let number = |value: Option<u64>| value.map(|value| value as f64);
    for (name, kind, help, value) in [
        (
            "process_cpu_seconds_total",
            Kind::Counter,
            "Total user and system CPU time spent in seconds.",
            process.cpu_seconds,
        ),
        (
            "process_max_fds",
            Kind::Gauge,
            "Maximum number of open file descriptors.",
            number(process.max_files),
        ),
        (
            "process_open_fds",
            Kind::Gauge,
            "Number of open file descriptors.",
            number(process.open_files),
        ),
        (
            "process_resident_memory_bytes",
            Kind::Gauge,
            "Resident memory size in bytes.",
            number(process.resident_bytes),
        ),
        (
            "process_start_time_seconds",
            Kind::Gauge,
            "Start time of the process since unix epoch in seconds.",
            process.start_time,
        ),
        (
            "process_virtual_memory_bytes",
            Kind::Gauge,
            "Virtual memory size in bytes.",
            number(process.virtual_bytes),
        ),
    ] {
        if let Some(value) = value {
            text.family(name, kind, help);
            text.sample(name, &[], value);
        }
    }
    let in_flight = "promhttp_metric_handler_requests_in_flight";
    text.family(in_flight, Kind::Gauge, "Current number of scrapes being served.");
    text.sample(in_flight, &[], 1);
    let scrapes = "promhttp_metric_handler_requests_total";
    text.family(scrapes, Kind::Counter, "Total number of scrapes by HTTP status code.");
    text.sample(scrapes, &[("code", "200")], metrics.scrapes.load(Relaxed));
    if metrics.settings.enabled {
        reference_names(text, &process);
    }
}

fn reference_names(text: &mut Exposition, process: &Process) {
    let number = |value: Option<u64>| value.map(|value| value as f64);
    for (name, kind, help, value) in [
        ("num_procs", Kind::Gauge, "number of processes", Some(1.0)),
        ("cpu_seconds_total", Kind::Counter, "Cpu usage in seconds", process.cpu_seconds),
        ("read_bytes_total", Kind::Counter, "number of bytes read", number(process.read_bytes)),
        (
            "write_bytes_total",
            Kind::Counter,
            "number of bytes written",
            number(process.written_bytes),
        ),
        (
            "resident_memory_bytes",
            Kind::Gauge,
            "number of bytes of memory in use",
            number(process.resident_bytes),
        ),
        (
            "virtual_memory_bytes",
            Kind::Gauge,
            "number of bytes of memory in use",
            number(process.virtual_bytes),
        ),
        (
            "oldest_start_time_seconds",
            Kind::Gauge,
            "start time in seconds since 1970/01/01",
            process.start_time,
        ),
    ] {
        if let Some(value) = value {
            let name = format!("nginx_ingress_controller_nginx_process_{name}");
            text.family(&name, kind, help);
            text.instance_sample(&name, &[], value);
        }
    }
}

impl Process {
    fn read() -> Self {
        let file = |path| fs::read_to_string(path).unwrap_or_default();
        let mut process = Self::default();
        process.add_status(&file("/proc/self/status"));
        process.add_io(&file("/proc/self/io"));
        process.add_stat(&file("/proc/self/stat"), &file("/proc/stat"));
        process.max_files = file("/proc/self/limits")
            .lines()
            .find_map(|line| line.strip_prefix("Max open files"))
            .and_then(first_number);
        // One of them is the directory itself.
        process.open_files = fs::read_dir("/proc/self/fd")
            .ok()
            .map(|files| (files.count() as u64).saturating_sub(1));
        process
    }

    fn add_status(&mut self, status: &str) {
        let kilobytes = |field: &str| {
            let mut lines = status.lines();
            let value = lines.find_map(|line| line.strip_prefix(field));
            value.and_then(first_number).map(|number| number * 1024)
        };
        self.resident_bytes = kilobytes("VmRSS:");
        self.virtual_bytes = kilobytes("VmSize:");
    }

    fn add_io(&mut self, io: &str) {
        let bytes = |field: &str| {
            let mut lines = io.lines();
            lines.find_map(|line| line.strip_prefix(field)).and_then(first_number)
        };
        self.read_bytes = bytes("read_bytes:");
        self.written_bytes = bytes("write_bytes:");
    }

    fn add_stat(&mut self, stat: &str, system: &str) {
        // The name of the program, in parentheses, may contain anything; the fields begin behind it with the third.
        let Some((_, fields)) = stat.rsplit_once(')') else {
            return;
        };
        let field = |number: usize| -> Option<f64> {
            fields.split_ascii_whitespace().nth(number - 3)?.parse().ok()
        };
        self.cpu_seconds = match (field(14), field(15)) {
            (Some(user), Some(system)) => Some((user + system) / TICKS),
            _ => None,
        };
        let boot = system.lines().find_map(|line| line.strip_prefix("btime "));
        let boot: Option<f64> = boot.and_then(|boot| boot.trim().parse().ok());
        self.start_time = match (boot, field(22)) {
            (Some(boot), Some(ticks)) => Some(boot + ticks / TICKS),
            _ => None,
        };
    }
}

fn first_number(text: &str) -> Option<u64> {
    text.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_behind_a_program_name_with_parentheses() {
        let mut process = Process::default();
        let stat = "7 (a) b) S 1 1 1 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 4 0 1000 0 0";
        process.add_stat(stat, "cpu 1\nbtime 1700000000\n");
        assert_eq!(process.cpu_seconds, Some(3.0));
        assert_eq!(process.start_time, Some(1_700_000_010.0));
    }

    #[test]
    fn this_process_has_memory_files_and_a_start() {
        let process = Process::read();
        assert!(process.resident_bytes.unwrap() > 100_000);
        assert!(process.virtual_bytes >= process.resident_bytes);
        assert!(process.open_files.unwrap() >= 3);
        assert!(process.max_files.unwrap() >= process.open_files.unwrap());
        assert!(process.start_time.unwrap() > 1_600_000_000.0);
        assert!(process.cpu_seconds.is_some());
    }

    #[test]
    fn unreadable_files_leave_their_values_out() {
        let mut process = Process::default();
        process.add_stat("", "");
        process.add_status("");
        process.add_io("garbage");
        assert!(process.cpu_seconds.is_none() && process.resident_bytes.is_none());
        assert!(process.read_bytes.is_none());
    }
}
