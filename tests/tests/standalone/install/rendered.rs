//! Objects that an installation consists of, and the commands that its guide gives.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use serde_json::Value;

/// An installation of its own.
pub static STANDALONE: LazyLock<Rendered> =
    LazyLock::new(|| Rendered::of("manifests/install", "headgate"));
/// The one beside an ingress-nginx.
pub static TAKEOVER: LazyLock<Rendered> = LazyLock::new(|| {
    Rendered::of("manifests/install/overlays/replace-ingress-nginx", "ingress-nginx")
});

/// Both installations.
pub fn both() -> [&'static Rendered; 2] {
    [&*STANDALONE, &*TAKEOVER]
}

/// What `kubectl apply -k` would send.
pub struct Rendered {
    pub folder: &'static str,
    pub namespace: &'static str,
    pub objects: Vec<Value>,
}

impl Rendered {
    fn of(folder: &'static str, namespace: &'static str) -> Self {
        let output = kubectl().arg("kustomize").arg(root().join(folder)).output().unwrap();
        assert!(output.status.success(), "{folder}: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        Self { folder, namespace, objects: serde_saphyr::from_multiple(&text).unwrap() }
    }

    /// All objects of a kind.
    pub fn all(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.objects.iter().filter(move |object| object["kind"] == kind)
    }

    /// The object of this kind and name.
    pub fn one(&self, kind: &str, name: &str) -> &Value {
        let mut found = self.all(kind).filter(|object| object["metadata"]["name"] == name);
        let object = found.next().unwrap_or_else(|| panic!("{}: no {kind} {name}", self.folder));
        assert!(found.next().is_none(), "{kind} {name} twice");
        object
    }

    /// The template of its pods.
    pub fn pod(&self) -> &Value {
        &self.one("Deployment", "headgate")["spec"]["template"]
    }

    /// The one container of its pods.
    pub fn container(&self) -> &Value {
        let containers = self.pod()["spec"]["containers"].as_array().unwrap();
        assert_eq!(containers.len(), 1);
        &containers[0]
    }

    /// What the program is started with.
    pub fn arguments(&self) -> Vec<String> {
        assert_eq!(self.container()["command"], serde_json::json!(["/headgate"]));
        serde_json::from_value(self.container()["args"].clone()).unwrap()
    }

    /// The value of an argument that must be there once.
    pub fn argument(&self, flag: &str) -> String {
        let arguments = self.arguments();
        let mut values =
            arguments.iter().filter_map(|argument| argument.strip_prefix(flag)?.strip_prefix('='));
        let value = values.next().unwrap_or_else(|| panic!("{}: no {flag}", self.folder));
        assert!(values.next().is_none(), "{flag} twice");
        value.to_owned()
    }
}

/// The commands of the overlay's README.
pub struct Guide {
    /// One by one; a loop is one.
    pub commands: Vec<String>,
    /// What they patch, where they give a list of operations.
    pub patches: Vec<Value>,
}

/// Reads them: everything that is indented by four.
pub fn takeover_guide() -> Guide {
    let path = root().join(TAKEOVER.folder).join("README.md");
    let text = std::fs::read_to_string(path).unwrap();
    let mut commands: Vec<String> = Vec::new();
    let mut open = false;
    for line in text.lines().filter_map(|line| line.strip_prefix("    ")) {
        match commands.last_mut() {
            Some(last) if open => *last = format!("{last}\n{line}"),
            _ => commands.push(line.into()),
        }
        open = line.ends_with('|')
            || commands.last().is_some_and(|command| command.contains("while read"))
                && line != "done";
    }
    let patches = commands
        .iter()
        .filter_map(|command| command.split_once(" -p '")?.1.strip_suffix('\''))
        .map(|patch| serde_json::from_str(patch).unwrap())
        .filter(Value::is_array)
        .collect();
    Guide { commands, patches }
}

/// The kubectl of the tests' own control plane, which `make test` builds; without it, the machine's.
fn kubectl() -> Command {
    let printed = Command::new(root().join("scripts/apiserver")).arg("--print").output().unwrap();
    let built = PathBuf::from(String::from_utf8(printed.stdout).unwrap().trim());
    if !built.is_file() {
        return Command::new("kubectl");
    }
    let mut command = Command::new(built);
    command.arg("kubectl");
    command
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}
