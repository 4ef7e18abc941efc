//! `docs/annotations.md` says what the definitions of the annotations say.
//!
//! `BLESS=1 cargo test -p headgate-controller --test documentation` writes its tables again; what is above them is
//! written by hand.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::{env, fs, path::Path};

use headgate_controller::translate::annotation_tables;

/// Everything behind this line is written by this test.
const MARK: &str =
    "<!-- From here on: BLESS=1 cargo test -p headgate-controller --test documentation -->\n";

#[test]
fn the_tables_of_annotations_are_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/annotations.md");
    let text = fs::read_to_string(&path).unwrap();
    let (head, tables) = text.split_once(MARK).expect("docs/annotations.md has a mark");
    let current = annotation_tables();
    if env::var_os("BLESS").is_some() {
        fs::write(path, format!("{head}{MARK}{current}")).unwrap();
        return;
    }
    let different = current.lines().zip(tables.lines()).find(|(current, text)| current != text);
    assert!(
        tables == current,
        "docs/annotations.md is not current; write it with `BLESS=1 cargo test -p headgate-controller --test documentation`. First difference: {different:#?}"
    );
}
