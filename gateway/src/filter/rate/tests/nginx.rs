//! The same arrivals at a real nginx with `limit_req`, and at the bucket here.

use std::{
    fmt::Write as _,
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use proptest::{strategy::ValueTree, test_runner::TestRunner};

use super::*;

/// nginx counts by a coarse clock, and shows another one: so far they may differ.
const DOUBT_MS: u64 = 12;
/// How many sequences are tried until there is one in which nothing hangs on that difference.
const TRIES: usize = 8;
/// How long a sequence takes.
const SEQUENCE_MS: u64 = 1500;

/// A rate with the name of its zone.
#[derive(Clone, Copy, Debug)]
struct Zone {
    name: &'static str,
    per: &'static str,
    rate: Rate,
}

impl Zone {
    fn pace(&self) -> Pace {
        if self.per == "s" { Pace::per_second(self.rate) } else { Pace::per_minute(self.rate) }
    }
}

/// A running nginx; ended when it is dropped.
struct Nginx {
    child: Child,
    address: SocketAddr,
    /// Its files.
    _folder: tempfile::TempDir,
}

impl Nginx {
    /// Starts it; `None` where there is none.
    fn start(zones: &[Zone]) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = socket.local_addr().unwrap();
        drop(socket);
        let (file, log) = (folder.path().join("nginx.conf"), folder.path().join("error.log"));
        fs::write(&file, configuration(folder.path(), address, zones)).unwrap();
        let mut command = Command::new("nginx");
        let command = command.arg("-e").arg(&log).arg("-c").arg(&file).stdin(Stdio::null());
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?;
        let nginx = Self { child, address, _folder: folder };
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < deadline, "does not listen: {:?}", fs::read_to_string(&log));
            thread::sleep(Duration::from_millis(5));
        }
        Some(nginx)
    }

    /// Sends requests of a client at these moments (milliseconds from now). Says when each arrived by nginx's clock,
    /// and whether it passed.
    fn replay(&self, zone: &Zone, client: &str, moments: &[u64]) -> Vec<(u64, bool)> {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.set_nodelay(true).unwrap();
        let begin = Instant::now();
        let request = format!("GET /{}?k={client} HTTP/1.1\r\nHost: a\r\n\r\n", zone.name);
        let one = |moment: &u64| {
            let due = begin + Duration::from_millis(*moment);
            thread::sleep(due.saturating_duration_since(Instant::now()));
            stream.write_all(request.as_bytes()).unwrap();
            answer(&mut stream)
        };
        moments.iter().map(one).collect()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads an answer: when nginx says that it was, and whether it is the one of requests that pass.
fn answer(stream: &mut TcpStream) -> (u64, bool) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let value = |name| head.lines().find_map(|line: &str| line.strip_prefix(name));
    let length = value("Content-Length: ").map_or(0, |length| length.parse().unwrap());
    stream.read_exact(&mut vec![0; length]).unwrap();
    let (seconds, milliseconds) = value("X-Moment: ").and_then(|now| now.split_once('.')).unwrap();
    let moment = seconds.parse::<u64>().unwrap() * 1000 + milliseconds.parse::<u64>().unwrap();
    (moment, head.starts_with("HTTP/1.1 204 "))
}

fn configuration(folder: &Path, address: SocketAddr, zones: &[Zone]) -> String {
    let folder = folder.display();
    let mut text = String::new();
    for Zone { name, per, rate: Rate { requests, .. } } in zones {
        writeln!(text, "limit_req_zone $arg_k zone={name}:1m rate={requests}r/{per};").unwrap();
    }
    writeln!(text, "server {{ listen {address}; location @passed {{ return 204; }}").unwrap();
    for Zone { name, rate: Rate { burst, .. }, .. } in zones {
        let burst = if *burst > 0 { format!("burst={burst} nodelay") } else { String::new() };
        let limit = format!("limit_req zone={name} {burst};");
        writeln!(text, "location = /{name} {{ {limit} try_files /nothing @passed; }}").unwrap();
    }
    // A master process would leave its worker behind when it is killed.
    format!(
        "daemon off; master_process off; pid {folder}/pid; events {{ worker_connections 64; }}
http {{
access_log off; keepalive_requests 100000; add_header X-Moment $msec always;
client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
{text}}}
}}
"
    )
}

/// The bucket, with what its answers would be if the clock were a little off.
#[derive(Clone)]
struct Judge {
    pace: Pace,
    bucket: Bucket,
    /// The excess is surely no more than this.
    most: u64,
    /// Thousandths by which the excess may be off.
    doubt: u64,
}

impl Judge {
    /// For a clock that is off by so many milliseconds at most.
    fn new(pace: Pace, off: u64) -> Self {
        // With each request a part of a thousandth is lost.
        Self { pace, bucket: Bucket::default(), most: 0, doubt: pace.leaked(off) + 100 }
    }

    /// Whether a request passes; `None` if that hangs on what the clock is off by.
    fn passes(&mut self, now: u64) -> Option<bool> {
        if self.bucket == Bucket::default() {
            return Some(self.bucket.take(&self.pace, now));
        }
        let leaked = self.pace.leaked(now.saturating_sub(self.bucket.last));
        let more = self.bucket.excess + REQUEST;
        // However it is off, time does not run backwards.
        let most = (more + self.doubt).saturating_sub(leaked).min(self.most + REQUEST);
        let least = more.saturating_sub(leaked + self.doubt);
        let is_certain = most <= self.pace.burst || least > self.pace.burst;
        let passes = self.bucket.take(&self.pace, now);
        if passes {
            self.most = most;
        }
        is_certain.then_some(passes)
    }
}

/// Random arrivals, bursts and pauses, none of them when a little more or less time would decide.
fn some_arrivals(pace: Pace) -> Vec<u64> {
    let mut random = TestRunner::default();
    let gap = prop_oneof![2 => Just(0_u64), 2 => 1_u64..60, 1 => 60_u64..500];
    let mut judge = Judge::new(pace, 3 * DOUBT_MS);
    let mut moments = vec![0];
    judge.passes(FIRST_MOMENT);
    while moments[moments.len() - 1] < SEQUENCE_MS {
        let now = moments[moments.len() - 1] + gap.new_tree(&mut random).unwrap().current();
        let mut after = judge.clone();
        if after.passes(now + FIRST_MOMENT).is_some() {
            judge = after;
            moments.push(now);
        }
    }
    moments
}

/// What the bucket makes of these arrivals; `None` if it cannot be sure.
fn expected(pace: Pace, seen: &[(u64, bool)]) -> Option<Vec<bool>> {
    let mut judge = Judge::new(pace, DOUBT_MS);
    seen.iter().map(|(moment, _)| judge.passes(moment - seen[0].0 + FIRST_MOMENT)).collect()
}

#[test]
fn a_real_nginx_says_the_same_to_the_same_arrivals() {
    let zone = |name, per, requests, burst| Zone { name, per, rate: rate(requests, burst) };
    let zones = [
        zone("a", "s", 10, 3),
        zone("b", "s", 4, 0),
        zone("c", "s", 12, 5),
        zone("d", "m", 240, 2),
        zone("e", "m", 1, 5),
        zone("f", "s", 7, 1),
    ];
    let Some(nginx) = Nginx::start(&zones) else {
        eprintln!("not compared: there is no nginx (scripts/deps compat installs it)");
        return;
    };
    let nginx = &nginx;
    thread::scope(|scope| {
        for zone in &zones {
            scope.spawn(move || {
                for attempt in 0..TRIES {
                    let seen =
                        nginx.replay(zone, &format!("k{attempt}"), &some_arrivals(zone.pace()));
                    let Some(expected) = expected(zone.pace(), &seen) else { continue };
                    let said: Vec<bool> = seen.iter().map(|(_, passed)| *passed).collect();
                    assert_eq!(said, expected, "{zone:?}: {seen:?}");
                    let passed = said.iter().filter(|passed| **passed).count();
                    eprintln!("{zone:?}: {passed} of {} passed, try {attempt}", said.len());
                    return;
                }
                panic!("{zone:?}: {TRIES} sequences were too close to call");
            });
        }
    });
}
