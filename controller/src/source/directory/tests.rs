use std::{fs, os::unix::fs::symlink, time::Duration};

use tempfile::TempDir;

use super::{settling::SETTLE, *};

/// A folder with what was read from it.
struct Read {
    folder: TempDir,
    directory: Directory,
    objects: Objects,
    now: Instant,
}

impl Read {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::open(vec![folder.path().to_owned()]).unwrap();
        Self { folder, directory, objects: Objects::default(), now: Instant::now() }
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// The Services after a rescan, when all has settled, each with its port.
    fn services(&mut self) -> Vec<(String, i32)> {
        self.services_at_once();
        self.services_in(SETTLE)
    }

    /// The Services after a rescan.
    fn services_at_once(&mut self) -> Vec<(String, i32)> {
        self.directory.rescan(self.now, &mut self.objects);
        self.known()
    }

    /// The Services after a file was reported.
    fn services_after(&mut self, change: fn(PathBuf) -> Change, file: &str) -> Vec<(String, i32)> {
        let change = change(self.folder.path().join(file));
        self.directory.follow([change].into(), self.now, &mut self.objects);
        self.known()
    }

    /// The Services when all looks that are due after this time were taken.
    fn services_in(&mut self, time: Duration) -> Vec<(String, i32)> {
        self.now += time;
        while let Some(at) = self.directory.next_look().filter(|at| *at <= self.now) {
            self.directory.follow(BTreeSet::new(), at, &mut self.objects);
        }
        self.known()
    }

    fn known(&self) -> Vec<(String, i32)> {
        let names = ["a", "b", "c"].map(|name| Key::new("default", name));
        let services = names.iter().filter_map(|key| Some((key, self.objects.service(key)?)));
        services.map(|(key, service)| (key.name().to_owned(), service.ports[0].number)).collect()
    }

    fn remove(&self, file: &str) {
        fs::remove_file(self.folder.path().join(file)).unwrap();
    }

    fn messages(&self) -> Vec<String> {
        self.directory.verdicts().into_iter().map(|verdict| verdict.message).collect()
    }
}

fn service(name: &str, port: i32) -> String {
    format!(
        "---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{ports: [{{port: {port}}}]}}\n"
    )
}

fn named(services: &[(&str, i32)]) -> Vec<(String, i32)> {
    services.iter().map(|(name, port)| ((*name).to_owned(), *port)).collect()
}

#[test]
fn good_documents_of_a_broken_file_are_applied_and_none_is_deleted() {
    let mut read = Read::new();
    read.write("x.yaml", &(service("a", 1) + &service("b", 1)));
    assert_eq!(read.services(), named(&[("a", 1), ("b", 1)]));
    read.write("x.yaml", &(service("a", 2) + "---\nkind: [\n" + &service("c", 2)));
    assert_eq!(read.services(), named(&[("a", 2), ("b", 1), ("c", 2)]));
    assert!(read.messages()[0].contains("x.yaml:"), "{:?}", read.messages());
    read.write("x.yaml", &service("c", 3));
    assert_eq!(read.services(), named(&[("c", 3)]));
    assert_eq!(read.messages(), [""; 0]);
}

#[test]
fn a_broken_object_keeps_its_version_before() {
    let mut read = Read::new();
    read.write("x.yaml", &service("a", 1));
    assert_eq!(read.services(), named(&[("a", 1)]));
    read.write("x.yaml", &service("a", 1).replace("port: 1", "port: many"));
    assert_eq!(read.services(), named(&[("a", 1)]));
    let verdicts = read.directory.verdicts();
    assert_eq!(verdicts[0].object.to_string(), "Service default/a");
}

#[test]
fn a_change_within_one_tick_of_the_clock_is_seen() {
    let mut read = Read::new();
    for port in 1..=20 {
        read.write("x.yaml", &service("a", 10 + port));
        assert_eq!(read.services(), named(&[("a", 10 + port)]));
    }
}

#[test]
fn only_manifests_are_read() {
    let mut read = Read::new();
    for file in ["a.txt", ".a.yaml", ".git/a.yaml", "a.yaml~", "yaml"] {
        read.write(file, &service("a", 1));
    }
    assert_eq!(read.services(), []);
    for (file, name) in [("a.yml", "a"), ("deep/er/b.yaml", "b"), ("c.json", "c")] {
        read.write(file, &service(name, 1));
    }
    assert_eq!(read.services(), named(&[("a", 1), ("b", 1), ("c", 1)]));
}

#[test]
fn an_object_moves_from_file_to_file() {
    let mut read = Read::new();
    read.write("2.yaml", &service("a", 2));
    assert_eq!(read.services(), named(&[("a", 2)]));
    read.write("1.yaml", &service("a", 1));
    assert_eq!(read.services(), named(&[("a", 1)]));
    assert_eq!(read.messages().len(), 1);
    read.write("1.yaml", "");
    assert_eq!(read.services(), named(&[("a", 2)]));
    assert_eq!(read.messages(), [""; 0]);
}

#[test]
fn of_one_object_twice_in_a_file_the_last_counts() {
    let mut read = Read::new();
    read.write("x.yaml", &(service("a", 1) + &service("a", 2)));
    assert_eq!(read.services(), named(&[("a", 2)]));
}

#[test]
fn links_that_lead_back_up_end() {
    let mut read = Read::new();
    read.write("deep/a.yaml", &service("a", 1));
    symlink(read.folder.path(), read.folder.path().join("deep/up")).unwrap();
    symlink("nowhere", read.folder.path().join("dangling.yaml")).unwrap();
    assert_eq!(read.services(), named(&[("a", 1)]));
}

#[test]
fn a_file_that_must_not_be_read_keeps_what_it_held() {
    let mut read = Read::new();
    read.write("x.yaml", &service("a", 1));
    assert_eq!(read.services(), named(&[("a", 1)]));
    // Not UTF-8 is as good as no permission, which the superuser always has.
    fs::write(read.folder.path().join("x.yaml"), b"\xff\xfe").unwrap();
    assert_eq!(read.services(), named(&[("a", 1)]));
    assert!(read.messages()[0].contains("not UTF-8"), "{:?}", read.messages());
    read.remove("x.yaml");
    assert_eq!(read.services(), []);
}

#[test]
fn a_folder_named_like_a_manifest_is_none() {
    let mut read = Read::new();
    fs::create_dir(read.folder.path().join("a.yaml")).unwrap();
    assert_eq!(read.services_after(Change::File, "a.yaml"), []);
    assert_eq!(read.services_in(SETTLE), []);
}

#[test]
fn a_file_that_is_gone_is_removed_when_it_stays_away() {
    let just_before = SETTLE - Duration::from_millis(1);
    for change in [Change::Unsettled, Change::File] {
        let mut read = Read::new();
        read.write("x.yaml", &service("a", 1));
        read.services();
        read.remove("x.yaml");
        assert_eq!(read.services_after(change, "x.yaml"), named(&[("a", 1)]));
        assert_eq!(read.services_in(just_before), named(&[("a", 1)]));
        assert_eq!(read.services_after(change, "x.yaml"), named(&[("a", 1)]));
        assert_eq!(read.services_at_once(), named(&[("a", 1)]), "a rescan is no reason");
        assert_eq!(read.services_in(SETTLE - just_before), []);
        assert_eq!(read.directory.next_look(), None);
    }
}

#[test]
fn a_folder_that_is_gone_is_removed_when_it_stays_away() {
    let mut read = Read::new();
    read.write("deep/x.yaml", &service("a", 1));
    read.services();
    let (deep, away) = (read.folder.path().join("deep"), read.folder.path().join(".away"));
    fs::rename(&deep, &away).unwrap();
    assert_eq!(read.services_after(Change::Folder, "deep"), named(&[("a", 1)]));
    fs::rename(&away, &deep).unwrap();
    assert_eq!(read.services_in(SETTLE * 2), named(&[("a", 1)]));
    fs::rename(&deep, &away).unwrap();
    assert_eq!(read.services_after(Change::Folder, "deep"), named(&[("a", 1)]));
    assert_eq!(read.services_in(SETTLE), []);
}

#[test]
fn a_file_that_is_back_is_read_when_it_is_complete() {
    let mut read = Read::new();
    read.write("x.yaml", &(service("a", 1) + &service("b", 1)));
    read.services();
    read.remove("x.yaml");
    read.services_after(Change::Unsettled, "x.yaml");
    read.write("x.yaml", &service("a", 2));
    let before = named(&[("a", 1), ("b", 1)]);
    assert_eq!(read.services_after(Change::Unsettled, "x.yaml"), before);
    assert_eq!(read.services_at_once(), before, "a rescan does not read it half written");
    read.write("x.yaml", &(service("a", 2) + &service("b", 2)));
    assert_eq!(read.services_after(Change::File, "x.yaml"), named(&[("a", 2), ("b", 2)]));
    assert_eq!(read.services_in(SETTLE), named(&[("a", 2), ("b", 2)]));
}

#[test]
fn a_file_whose_end_is_not_reported_is_read_later() {
    let mut read = Read::new();
    read.services();
    read.write("x.yaml", &service("a", 1));
    assert_eq!(read.services_after(Change::Unsettled, "x.yaml"), []);
    assert_eq!(read.services_in(SETTLE), named(&[("a", 1)]));
}

#[test]
fn a_file_that_went_and_came_back_starts_anew() {
    let mut read = Read::new();
    read.write("x.yaml", &service("a", 1));
    read.services();
    for _ in 0..3 {
        read.remove("x.yaml");
        assert_eq!(read.services_after(Change::Unsettled, "x.yaml"), named(&[("a", 1)]));
        assert_eq!(read.services_in(SETTLE * 2 / 3), named(&[("a", 1)]));
        read.write("x.yaml", &service("a", 1));
        assert_eq!(read.services_after(Change::File, "x.yaml"), named(&[("a", 1)]));
    }
}

#[test]
fn a_file_that_is_gone_gives_way_to_one_that_is_there() {
    for (from, to) in [("a.yaml", "z.yaml"), ("z.yaml", "a.yaml")] {
        let mut read = Read::new();
        read.write(from, &service("a", 1));
        read.services();
        read.remove(from);
        read.write(to, &service("a", 2));
        // In whichever order it is reported.
        for files in [[from, to], [to, from]] {
            read.services_after(Change::File, files[0]);
            assert_eq!(read.services_after(Change::File, files[1]), named(&[("a", 2)]));
            assert_eq!(read.messages(), [""; 0]);
        }
        assert_eq!(read.services_in(SETTLE * 2), named(&[("a", 2)]));
    }
}

#[test]
fn a_file_that_may_be_half_written_is_read_later_unless_its_end_is_reported() {
    let mut read = Read::new();
    read.write("x.yaml", &(service("a", 1) + &service("b", 1)));
    let before = read.services();
    read.write("x.yaml", &service("a", 2));
    assert_eq!(read.services_at_once(), before);
    assert_eq!(read.services_in(SETTLE), named(&[("a", 2)]));
    read.write("x.yaml", &service("a", 3));
    assert_eq!(read.services_after(Change::File, "x.yaml"), named(&[("a", 3)]));
}

#[test]
fn a_file_that_is_reported_is_read_at_once_beside_a_rescan() {
    let mut read = Read::new();
    read.write("x.yaml", &service("a", 1));
    read.services();
    read.write("x.yaml", &service("a", 2));
    let file = Change::File(read.folder.path().join("x.yaml"));
    read.directory.follow([file, Change::Anything].into(), read.now, &mut read.objects);
    assert_eq!(read.known(), named(&[("a", 2)]));
    assert_eq!(read.directory.next_look(), None);
}

#[test]
fn roots_are_absolute_and_each_is_there_once() {
    let here = env::current_dir().unwrap();
    let above = here.parent().unwrap();
    let name = here.file_name().unwrap().to_str().unwrap();
    let back = format!("../{name}/src/");
    let absolute = here.join("src").to_str().unwrap().to_owned();
    let named = ["src", "./src", "src/.", &back, &absolute, "..", "src/../src"];
    let directory = Directory::open(named.map(PathBuf::from).into()).unwrap();
    // What is behind a name may be above something else.
    assert_eq!(directory.roots(), [here.join("src"), above.to_owned(), here.join("src/../src")]);
}

#[test]
fn what_a_removed_root_held_stays_until_it_is_back() {
    let mut read = Read::new();
    let outer = read.folder.path().to_owned();
    let root = outer.join("root");
    fs::create_dir(&root).unwrap();
    read.directory = Directory::open(vec![root.clone()]).unwrap();
    read.write("root/a.yaml", &service("a", 1));
    assert_eq!(read.services(), named(&[("a", 1)]));
    fs::remove_file(root.join("a.yaml")).unwrap();
    assert_eq!(read.services_after(Change::Unsettled, "root/a.yaml"), named(&[("a", 1)]));
    fs::remove_dir(&root).unwrap();
    assert_eq!(read.services_in(2 * SETTLE), named(&[("a", 1)]));
    assert!(!read.directory.is_complete());
    assert_eq!(read.services(), named(&[("a", 1)]));
    fs::create_dir(&root).unwrap();
    read.write("root/b.yaml", &service("b", 2));
    assert_eq!(read.services(), named(&[("b", 2)]));
    assert!(read.directory.is_complete());
}

#[test]
fn an_object_whose_annotation_is_no_text_is_refused_and_its_last_version_stays() {
    let mut read = Read::new();
    let service = |port: u16, value: &str| {
        format!(
            "apiVersion: v1\nkind: Service\nmetadata:\n  name: a\n  annotations:\n    x.test/y: {value}\nspec:\n  ports:\n  - port: {port}\n"
        )
    };
    read.write("a.yaml", &service(80, "\"true\""));
    assert_eq!(read.services(), [("a".into(), 80)]);
    read.write("a.yaml", &service(81, "true"));
    assert_eq!(read.services(), [("a".into(), 80)]);
    let verdicts = read.directory.verdicts();
    assert_eq!(verdicts[0].object.to_string(), "Service default/a");
    assert_eq!((verdicts[0].effect, &*verdicts[0].reason), (Effect::Refused, "Invalid"));
    assert!(verdicts[0].message.contains("a.yaml:6: metadata.annotations[\"x.test/y\"]"));
    read.write("a.yaml", &service(81, "'true'"));
    assert_eq!(read.services(), [("a".into(), 81)]);
    assert_eq!(read.directory.verdicts(), []);
}

#[test]
fn kinds_that_nobody_reads_are_told_once() {
    let mut read = Read::new();
    let deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n---\n";
    read.write("a.yaml", &format!("{deployment}{deployment}a: b\n"));
    read.services();
    let news = read.directory.news_of_passed_over();
    assert_eq!(news.as_deref(), Some("2 Deployment, 1 document without a kind"));
    read.write("a.yaml", deployment);
    read.services();
    assert_eq!(read.directory.news_of_passed_over(), None);
    read.write("b.yaml", "apiVersion: batch/v1\nkind: Job\n");
    read.services();
    let news = read.directory.news_of_passed_over();
    assert_eq!(news.as_deref(), Some("1 Deployment, 1 Job"));
    assert_eq!(read.directory.verdicts(), []);
}
