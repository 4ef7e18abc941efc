//! `sub_filter` and what belongs to it.

use headgate_config::snippet::Replacement;

use super::{
    Problem, arguments,
    compile::{Compiler, Frame},
    parse::Directive,
    shortened, text,
};

/// Longest text that is looked for: so much of a body is held back at most.
const LONGEST: usize = 4096;

/// `sub_filter TEXT REPLACEMENT`
pub fn replace(
    compiler: &mut Compiler,
    frame: &mut Frame,
    directive: &Directive,
) -> Result<(), Problem> {
    let [text, by] = &*directive.words else { return Ok(()) };
    let looked_for = text::plain(text)?.to_ascii_lowercase();
    if looked_for.is_empty() || looked_for.len() > LONGEST {
        let reason = format!("looks for a text that is empty or longer than {LONGEST} bytes");
        return Err(Problem::new(text.at, reason));
    }
    let by = text::text(compiler, by)?;
    frame.level.replacements.push(Replacement { text: looked_for, by });
    Ok(())
}

/// `sub_filter_once on|off`
pub fn once(_: &mut Compiler, frame: &mut Frame, directive: &Directive) -> Result<(), Problem> {
    frame.level.once = Some(arguments::switch(&directive.words[0])?);
    Ok(())
}

/// `sub_filter_last_modified on|off`
pub fn last_modified(
    _: &mut Compiler,
    frame: &mut Frame,
    directive: &Directive,
) -> Result<(), Problem> {
    frame.level.keeps_last_modified = Some(arguments::switch(&directive.words[0])?);
    Ok(())
}

/// `sub_filter_types TYPE …`, besides `text/html`; `*` is every type.
pub fn types(_: &mut Compiler, frame: &mut Frame, directive: &Directive) -> Result<(), Problem> {
    let mut types = vec!["text/html".to_owned()];
    for word in &directive.words {
        let kind = text::plain(word)?.to_ascii_lowercase();
        if kind != "*" && !kind.contains('/') {
            let reason = format!("{:?} is no type", shortened(&kind));
            return Err(Problem::new(word.at, reason));
        }
        types.push(kind);
    }
    frame.level.types = Some(if types.iter().any(|kind| kind == "*") { Vec::new() } else { types });
    Ok(())
}
