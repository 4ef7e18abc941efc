//! `docs/annotations.md` and `docs/configmap.md` say what the definitions of annotations and keys say.
//!
//! `BLESS=1 cargo test -p headgate-controller --test documentation` writes their tables again; what is above them is
//! written by hand.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::{env, fs, path::Path};

use headgate_controller::translate::{annotation_tables, configmap_tables};

/// Everything behind this line is written by this test.
const MARK: &str =
    "<!-- From here on: BLESS=1 cargo test -p headgate-controller --test documentation -->\n";

#[test]
fn the_tables_of_annotations_are_current() {
    check("annotations.md", &annotation_tables());
}

#[test]
fn the_tables_of_the_configmap_are_current() {
    check("configmap.md", &configmap_tables());
}

fn check(name: &str, current: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
    let text = fs::read_to_string(&path).unwrap();
    let (head, tables) = text.split_once(MARK).expect("the page has a mark");
    if env::var_os("BLESS").is_some() {
        fs::write(path, format!("{head}{MARK}{current}")).unwrap();
        return;
    }
    let different = current.lines().zip(tables.lines()).find(|(current, text)| current != text);
    assert!(
        tables == current,
        "docs/{name} is not current; write it with `BLESS=1 cargo test -p headgate-controller --test documentation`. First difference: {different:#?}"
    );
}
