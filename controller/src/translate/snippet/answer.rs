//! Directives about answers: `more_set_headers`, `more_clear_headers`, `add_header`, `expires`, `proxy_hide_header`,
//! `default_type`, `gzip`.

use headgate_config::snippet::{AddedHeader, AnswerRule, Expires, HeaderAction};

use super::{
    Problem, arguments,
    compile::{Compiler, Frame},
    parse::Directive,
    shortened, text,
};
use crate::translate::config::value;

/// `more_set_headers [-s STATUSES] [-t TYPES] [-a] 'Name: value' …`
pub fn set(
    compiler: &mut Compiler,
    frame: &mut Frame,
    directive: &Directive,
) -> Result<(), Problem> {
    let options = arguments::options(directive.at, &directive.words, "sta")?;
    for word in options.headers {
        let (name, value) = arguments::header(compiler, word)?;
        let action = if value.pieces.is_empty() {
            HeaderAction::Clear(name.to_ascii_lowercase())
        } else if options.appends {
            HeaderAction::Append { name, value }
        } else {
            HeaderAction::Set { name, value }
        };
        let (statuses, types) = (options.statuses.clone(), options.types.clone());
        frame.level.answer.push(AnswerRule { statuses, types, action });
    }
    Ok(())
}

/// `more_clear_headers [-s STATUSES] [-t TYPES] Name …`, a name possibly with `*` at its end.
pub fn clear(_: &mut Compiler, frame: &mut Frame, directive: &Directive) -> Result<(), Problem> {
    let options = arguments::options(directive.at, &directive.words, "st")?;
    for word in options.headers {
        let (name, is_prefix) = arguments::cleared(word)?;
        let action =
            if is_prefix { HeaderAction::ClearPrefix(name) } else { HeaderAction::Clear(name) };
        let (statuses, types) = (options.statuses.clone(), options.types.clone());
        frame.level.answer.push(AnswerRule { statuses, types, action });
    }
    Ok(())
}

/// `add_header NAME VALUE [always]`
pub fn add_header(
    compiler: &mut Compiler,
    frame: &mut Frame,
    directive: &Directive,
) -> Result<(), Problem> {
    let [name, value, rest @ ..] = &*directive.words else { return Ok(()) };
    let always = match rest {
        [] => false,
        [word] if word.text == "always" => true,
        [word, ..] => {
            let reason = format!("has {:?} where only always may be", shortened(&word.text));
            return Err(Problem::new(word.at, reason));
        }
    };
    let name = arguments::header_name(name, &name.text)?;
    let value = arguments::value(compiler, value)?;
    frame.level.added.push(AddedHeader { name, value, always });
    Ok(())
}

/// `proxy_hide_header NAME`
pub fn hide(_: &mut Compiler, frame: &mut Frame, directive: &Directive) -> Result<(), Problem> {
    let word = &directive.words[0];
    let name = arguments::header_name(word, &word.text)?;
    frame.level.hidden.push(name.to_ascii_lowercase());
    Ok(())
}

/// `default_type TYPE`
pub fn default_type(
    _: &mut Compiler,
    frame: &mut Frame,
    directive: &Directive,
) -> Result<(), Problem> {
    let word = &directive.words[0];
    let kind = text::plain(word)?;
    if kind.is_empty() || !kind.bytes().all(|byte| (b' '..0x7f).contains(&byte)) {
        return Err(Problem::new(word.at, format!("{:?} is no type", shortened(kind))));
    }
    frame.level.default_type = Some(kind.to_owned());
    Ok(())
}

/// `gzip on|off`
pub fn gzip(
    compiler: &mut Compiler,
    frame: &mut Frame,
    directive: &Directive,
) -> Result<(), Problem> {
    let is_on = arguments::switch(&directive.words[0])?;
    if is_on {
        let note = "gzip on has no effect by itself: answers are compressed where use-gzip of the ConfigMap says so";
        compiler.notes.push(note.into());
    }
    frame.level.gzip = Some(is_on);
    Ok(())
}

/// `expires [modified] TIME`, `expires epoch|max|off`
pub fn expires(_: &mut Compiler, frame: &mut Frame, directive: &Directive) -> Result<(), Problem> {
    let (word, is_modified) = match &*directive.words {
        [word] => (word, false),
        [modified, word] if modified.text == "modified" => (word, true),
        [other, ..] => {
            let reason = format!("has {:?} where only modified may be", shortened(&other.text));
            return Err(Problem::new(other.at, reason));
        }
        [] => return Ok(()),
    };
    let text = text::plain(word)?;
    let wrong = || Problem::new(word.at, format!("{:?} is no time", shortened(text)));
    frame.level.expires = Some(match (text, is_modified) {
        ("epoch", false) => Expires::Epoch,
        ("max", false) => Expires::Max,
        ("off", false) => Expires::Off,
        (_, false) if text.starts_with('@') => {
            let time = text.strip_prefix('@').and_then(seconds);
            let time = time.filter(|time| *time <= 24 * 60 * 60).ok_or_else(wrong)?;
            Expires::Daily(u32::try_from(time).map_err(|_| wrong())?)
        }
        (_, true) => Expires::AfterModified(signed(text).ok_or_else(wrong)?),
        (_, false) => Expires::After(signed(text).ok_or_else(wrong)?),
    });
    Ok(())
}

fn signed(text: &str) -> Option<i64> {
    match text.strip_prefix('-') {
        Some(rest) => seconds(rest).map(|time| -time),
        None => seconds(text.strip_prefix('+').unwrap_or(text)),
    }
}

/// Whole seconds of a time as nginx writes it.
fn seconds(text: &str) -> Option<i64> {
    let time = value::time(text).ok().filter(|_| !text.ends_with("ms"))?;
    i64::try_from(time.as_secs()).ok()
}
