//! Where a document of a text ends and the next one begins.

/// The documents of a text with the line on which each begins, counted from 1. A line that starts with `---` and a
/// blank ends a document wherever it stands, even inside a scalar (YAML 1.2, c-forbidden); so does `...`.
pub fn documents(text: &str) -> Vec<(u64, &str)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (mut found, mut start, mut start_line, mut at) = (Vec::new(), 0, 1, 0);
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        let is_mark = |mark| {
            line.strip_prefix(mark)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
        };
        if is_mark("---") || is_mark("...") {
            found.push((start_line, &text[start..at]));
            (start, start_line) = (at, number);
            if is_mark("...") {
                (start, start_line) = (at + line.len(), number + 1);
            }
        }
        at += line.len();
    }
    found.push((start_line, &text[start..]));
    found.retain(|(_, document)| !is_blank(document));
    found
}

/// Whether a document holds nothing but comments, directives and its own mark.
fn is_blank(document: &str) -> bool {
    document.lines().all(|line| {
        let line = line.strip_prefix("---").unwrap_or(line).trim();
        line.is_empty() || line.starts_with(['#', '%'])
    })
}
