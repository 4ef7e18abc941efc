//! The runner over real folders: what is published when files come, change and go.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail where it stands")]

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
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
    symlink("..2", folder.path().join("..tmp")).unwrap();
    fs::rename(folder.path().join("..tmp"), folder.path().join("..data")).unwrap();
    served.until_hosts(&["two.test"]);
}

#[test]
fn a_service_without_slices_is_reached_by_name() {
    let folder = folder();
    fs::write(folder.path().join("a.yaml"), ingress("a", "one.test")).unwrap();
    let served = Served::start(folder.path());
    let endpoints: Vec<_> =
        served.last.upstreams.values().map(|upstream| upstream.endpoints.clone()).collect();
    let name = "web".to_owned();
    assert_eq!(endpoints, [Endpoints::Name { name, port: 8080 }]);
}
