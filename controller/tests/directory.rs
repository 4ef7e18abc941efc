//! The runner over real folders: what is published when files come, change and go.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail where it stands")]

use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
};

use headgate_config::{Endpoints, Snapshot};
use headgate_controller::{Controller, DirectoryError, Options, run_directory};
use tempfile::TempDir;

const CLASS: &str = "apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {name: nginx}\nspec: {controller: k8s.io/ingress-nginx}\n";
const SERVICE: &str = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80, targetPort: 8080}]}\n";
const PATIENCE: Duration = Duration::from_secs(10);

fn ingress(name: &str, host: &str) -> String {
    format!(
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: {name}}}\nspec:\n  ingressClassName: nginx\n  rules:\n\
         \x20 - host: {host}\n    http: {{paths: [{{path: /, pathType: Prefix, backend: {{service: {{name: web, port: {{number: 80}}}}}}}}]}}\n"
    )
}

/// A running controller and what it published.
struct Served {
    _controller: Controller,
    snapshots: Receiver<Snapshot>,
    last: Snapshot,
}

impl Served {
    fn start(folder: &Path) -> Self {
        let (send, snapshots) = channel();
        let options = Options { resolve_services_by_name: true, ..Options::default() };
        let publish = move |snapshot| drop(send.send(snapshot));
        let controller = run_directory(options, vec![folder.to_owned()], publish).unwrap();
        let last = snapshots.recv_timeout(PATIENCE).unwrap();
        Self { _controller: controller, snapshots, last }
    }

    /// Waits for a snapshot that satisfies a condition.
    fn until(&mut self, condition: impl Fn(&Snapshot) -> bool) -> &Snapshot {
        let deadline = Instant::now() + PATIENCE;
        while !condition(&self.last) {
            let left = deadline.saturating_duration_since(Instant::now());
            self.last = self
                .snapshots
                .recv_timeout(left)
                .unwrap_or_else(|_| panic!("not reached: {:#?}", self.last));
        }
        &self.last
    }

    /// The same, and every snapshot on the way has to pass a check.
    fn until_through(
        &mut self,
        condition: impl Fn(&Snapshot) -> bool,
        check: impl Fn(&Snapshot),
    ) -> &Snapshot {
        self.until(|snapshot| {
            check(snapshot);
            condition(snapshot)
        })
    }

    fn until_hosts(&mut self, hosts: &[&str]) -> &Snapshot {
        self.until(|snapshot| names(snapshot) == hosts)
    }
}

fn names(snapshot: &Snapshot) -> Vec<&str> {
    snapshot.hosts.iter().map(|host| host.name.as_str()).filter(|name| *name != "_").collect()
}

fn replace(path: &Path, text: &str) {
    let aside = path.with_extension("tmp");
    fs::write(&aside, text).unwrap();
    fs::rename(&aside, path).unwrap();
}

fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("class.yaml"), format!("{CLASS}---\n{SERVICE}")).unwrap();
    folder
}

#[test]
fn a_missing_folder_is_an_error() {
    let missing = folder().path().join("not-there");
    let error = run_directory(Options::default(), vec![missing.clone()], |_| ()).unwrap_err();
    assert!(matches!(&error, DirectoryError::Unreadable { path, .. } if *path == missing));
    assert!(error.to_string().contains("not-there"), "{error}");
}

#[test]
fn everything_is_read_before_the_first_snapshot() {
    let folder = folder();
    for i in 0..200 {
        let deep = folder.path().join(format!("d{}", i % 7));
        fs::create_dir_all(&deep).unwrap();
        fs::write(deep.join(format!("{i}.yaml")), ingress(&format!("i{i}"), &format!("h{i}.test")))
            .unwrap();
    }
    let served = Served::start(folder.path());
    assert_eq!(names(&served.last).len(), 200);
}

#[test]
fn files_come_change_and_go() {
    let folder = folder();
    let file = folder.path().join("a.yaml");
    let mut served = Served::start(folder.path());
    fs::write(&file, ingress("a", "one.test")).unwrap();
    served.until_hosts(&["one.test"]);
    replace(&file, &ingress("a", "two.test"));
    served.until_hosts(&["two.test"]);
    fs::write(&file, ingress("a", "three.test")).unwrap();
    served.until_hosts(&["three.test"]);
    fs::rename(&file, folder.path().join("b.yml")).unwrap();
    fs::write(folder.path().join("c.json"), "{}").unwrap();
    fs::remove_file(folder.path().join("b.yml")).unwrap();
    served.until_hosts(&[]);
}

/// Repeats what makes a file be gone or incomplete for a moment. No snapshot on the way to the next version lacks the
/// file's objects, as long as the moment was short.
fn nothing_is_lost_meanwhile(file: &Path, moment: impl Fn(&Path, &str)) {
    let mut served = Served::start(file.parent().unwrap());
    for version in 0..30 {
        let (first, last) = (format!("first-{version}.test"), format!("last-{version}.test"));
        let started = Instant::now();
        moment(file, &two_ingresses(&first, &last));
        let is_short = started.elapsed() < Duration::from_millis(50);
        served.until_through(
            |snapshot| names(snapshot) == [&first, &last],
            |snapshot| {
                assert!(!is_short || names(snapshot).len() == 2, "{:?}", names(snapshot));
                assert_eq!(*snapshot.verdicts, []);
            },
        );
    }
}

fn two_ingresses(first: &str, last: &str) -> String {
    format!("{}---\n{}", ingress("first", first), ingress("last", last))
}

/// A folder whose file `a.yaml` holds two Ingresses.
fn folder_of_two() -> (TempDir, PathBuf) {
    let folder = folder();
    let file = folder.path().join("a.yaml");
    fs::write(&file, two_ingresses("first.test", "last.test")).unwrap();
    (folder, file)
}

#[test]
fn a_file_that_is_written_anew_is_not_missed_meanwhile() {
    let (_folder, file) = folder_of_two();
    nothing_is_lost_meanwhile(&file, |file, text| {
        // As version control does it; and the writing takes its time.
        fs::remove_file(file).unwrap();
        let mut file = File::create_new(file).unwrap();
        let (begin, end) = text.split_at(text.len() / 2 + 20);
        file.write_all(begin.as_bytes()).unwrap();
        std::thread::yield_now();
        file.write_all(end.as_bytes()).unwrap();
    });
}

#[test]
fn a_file_whose_old_version_is_moved_aside_is_not_missed_meanwhile() {
    let (_folder, file) = folder_of_two();
    nothing_is_lost_meanwhile(&file, |file, text| {
        // As editors do it that keep a backup.
        fs::rename(file, file.with_extension("yaml~")).unwrap();
        fs::write(file, text).unwrap();
    });
}

#[test]
fn a_link_that_is_set_anew_is_not_missed_meanwhile() {
    let (folder, file) = folder_of_two();
    fs::remove_file(&file).unwrap();
    let version = folder.path().join("version.txt");
    fs::write(&version, two_ingresses("first.test", "last.test")).unwrap();
    symlink(&version, &file).unwrap();
    nothing_is_lost_meanwhile(&file, |file, text| {
        fs::remove_file(file).unwrap();
        replace(&version, text);
        symlink(&version, file).unwrap();
    });
}

fn one_test_is_served(snapshot: &Snapshot) {
    assert!(names(snapshot).contains(&"one.test"), "{:?}", names(snapshot));
    assert_eq!(*snapshot.verdicts, []);
}

#[test]
fn an_object_that_moves_to_another_file_is_not_missed_meanwhile() {
    let folder = folder();
    let file = |name: &str| folder.path().join(name);
    fs::write(file("z.yaml"), ingress("a", "one.test")).unwrap();
    let mut served = Served::start(folder.path());
    fs::rename(file("z.yaml"), file("a.yaml")).unwrap();
    fs::write(file("b.yaml"), ingress("b", "two.test")).unwrap();
    served
        .until_through(|snapshot| names(snapshot) == ["one.test", "two.test"], one_test_is_served);
}

#[test]
fn new_folders_are_followed() {
    let folder = folder();
    let mut served = Served::start(folder.path());
    let deep = folder.path().join("x/y");
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("a.yaml"), ingress("a", "one.test")).unwrap();
    served.until_hosts(&["one.test"]);
    replace(&deep.join("a.yaml"), &ingress("a", "two.test"));
    served.until_hosts(&["two.test"]);
    fs::rename(folder.path().join("x"), folder.path().join(".hidden")).unwrap();
    served.until_hosts(&[]);
}

#[test]
fn a_broken_file_keeps_what_it_held() {
    let folder = folder();
    let file = folder.path().join("a.yaml");
    fs::write(&file, ingress("a", "one.test")).unwrap();
    let mut served = Served::start(folder.path());
    assert_eq!(*served.last.verdicts, []);
    replace(&file, "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: a\n");
    let snapshot = served.until(|snapshot| !snapshot.verdicts.is_empty());
    assert_eq!(names(snapshot), ["one.test"]);
    assert!(snapshot.verdicts[0].message.contains("a.yaml:"), "{:?}", snapshot.verdicts);
    replace(&file, &ingress("a", "two.test"));
    let snapshot = served.until_hosts(&["two.test"]);
    assert_eq!(*snapshot.verdicts, []);
}

#[test]
fn a_folder_that_is_away_keeps_what_it_held() {
    let outer = tempfile::tempdir().unwrap();
    let (here, away) = (outer.path().join("manifests"), outer.path().join("away"));
    fs::create_dir(&here).unwrap();
    fs::write(here.join("base.yaml"), format!("{CLASS}---\n{SERVICE}")).unwrap();
    fs::write(here.join("a.yaml"), ingress("a", "one.test")).unwrap();
    let mut served = Served::start(&here);
    fs::rename(&here, &away).unwrap();
    let snapshot = served.until(|snapshot| !snapshot.verdicts.is_empty());
    assert_eq!(names(snapshot), ["one.test"]);
    fs::rename(&away, &here).unwrap();
    replace(&here.join("a.yaml"), &ingress("a", "two.test"));
    served.until_hosts(&["two.test"]);
    served.until(|snapshot| snapshot.verdicts.is_empty());
    // Its new watch works.
    replace(&here.join("a.yaml"), &ingress("a", "three.test"));
    served.until_hosts(&["three.test"]);
}

#[test]
fn a_folder_that_is_made_anew_is_followed() {
    let outer = tempfile::tempdir().unwrap();
    let here = outer.path().join("manifests");
    let write = |host: &str| {
        fs::create_dir(&here).unwrap();
        fs::write(here.join("base.yaml"), format!("{CLASS}---\n{SERVICE}")).unwrap();
        fs::write(here.join("a.yaml"), ingress("a", host)).unwrap();
    };
    write("one.test");
    let mut served = Served::start(&here);
    replace(&here.join("a.yaml"), &ingress("a", "two.test"));
    served.until_hosts(&["two.test"]);
    for (first, then) in [("three.test", "four.test"), ("five.test", "six.test")] {
        fs::remove_dir_all(&here).unwrap();
        write(first);
        served.until_hosts(&[first]);
        replace(&here.join("a.yaml"), &ingress("a", then));
        served.until_hosts(&[then]);
    }
}

#[test]
fn of_two_files_with_one_object_the_first_has_it() {
    let folder = folder();
    let (first, second) = (folder.path().join("1.yaml"), folder.path().join("2.yaml"));
    fs::write(&second, ingress("a", "two.test")).unwrap();
    let mut served = Served::start(folder.path());
    served.until_hosts(&["two.test"]);
    fs::write(&first, ingress("a", "one.test")).unwrap();
    let snapshot = served.until_hosts(&["one.test"]);
    let message = &snapshot.verdicts[0].message;
    assert!(
        message.contains("2.yaml is not used") && message.contains("1.yaml has it"),
        "{message}"
    );
    replace(&second, &ingress("a", "new.test"));
    fs::remove_file(&first).unwrap();
    assert_eq!(*served.until_hosts(&["new.test"]).verdicts, []);
}

#[test]
fn a_mounted_config_map_is_swapped_by_its_link() {
    let folder = folder();
    let version = |name: &str, host: &str| {
        let version = folder.path().join(name);
        fs::create_dir(&version).unwrap();
        fs::write(version.join("a.yaml"), ingress("a", host)).unwrap();
    };
    version("..1", "one.test");
    symlink("..1", folder.path().join("..data")).unwrap();
    symlink("..data/a.yaml", folder.path().join("a.yaml")).unwrap();
    let mut served = Served::start(folder.path());
    served.until_hosts(&["one.test"]);
    version("..2", "two.test");
    // What is behind the link's next target is not served before the link is swapped, and nothing is missed.
    fs::write(folder.path().join("b.yaml"), ingress("b", "b.test")).unwrap();
    served.until_through(|snapshot| names(snapshot) == ["b.test", "one.test"], one_test_is_served);
    fs::write(folder.path().join("..2/a.yaml"), ingress("a", "two.test")).unwrap();
    fs::write(folder.path().join("c.yaml"), ingress("c", "c.test")).unwrap();
    served.until_through(
        |snapshot| names(snapshot) == ["b.test", "c.test", "one.test"],
        one_test_is_served,
    );
    symlink("..2", folder.path().join("..tmp")).unwrap();
    fs::rename(folder.path().join("..tmp"), folder.path().join("..data")).unwrap();
    fs::remove_dir_all(folder.path().join("..1")).unwrap();
    served.until_through(
        |snapshot| names(snapshot) == ["b.test", "c.test", "two.test"],
        |snapshot| assert_eq!((names(snapshot).len(), &**snapshot.verdicts), (3, &[][..])),
    );
}

#[test]
fn a_service_without_slices_is_reached_by_name() {
    let folder = folder();
    fs::write(folder.path().join("a.yaml"), ingress("a", "one.test")).unwrap();
    let served = Served::start(folder.path());
    let endpoints: Vec<_> =
        served.last.upstreams.sorted().iter().map(|upstream| upstream.endpoints.clone()).collect();
    let name = "web".to_owned();
    assert_eq!(endpoints, [Endpoints::Name { name, port: 8080, remote_only: false }]);
}
