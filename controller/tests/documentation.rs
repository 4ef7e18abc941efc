//! `docs/annotations.md` and `docs/configmap.md` say what the definitions of annotations and keys say, and each row of
//! `docs/differences.md` has its number.
//!
//! `BLESS=1 cargo test -p headgate-controller --test documentation` writes their tables again; what is above them is
//! written by hand.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail where it stands")]

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

/// Each deliberate difference has a number that stays, and a reason out of the list at the top of the page.
#[test]
fn differences_are_numbered_in_order_and_each_has_a_reason() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/differences.md");
    let text = fs::read_to_string(path).unwrap();
    let reasons: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("- *")?.split_once("*:"))
        .map(|(reason, _)| reason)
        .collect();
    assert!(!reasons.is_empty());
    let mut last = 0;
    let is_heading = |line: &&str| line.starts_with("| No.") || line.starts_with("|---");
    for row in text.lines().filter(|line| line.starts_with('|') && !is_heading(line)) {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [number, _, _, _, reason] = cells[..] else { panic!("not five cells: {row}") };
        let number: u32 = number.strip_prefix('D').and_then(|it| it.parse().ok()).expect(row);
        assert!(number > last, "D{number} follows D{last}");
        assert!(reasons.contains(&reason), "D{number} has no reason: {reason:?}");
        last = number;
    }
    assert!(last > 0);
}
