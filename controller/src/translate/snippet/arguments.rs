//! Options and headers that the `more_` directives have in common, and single words with a fixed meaning.

use headgate_config::snippet::Text;

use super::{At, Problem, compile::Compiler, lex::Word, shortened, text};
use crate::translate::annotations::external_auth::headers::frames;

/// `-s`, `-t`, `-r` and `-a`, and the words behind them.
#[derive(Debug, Default)]
pub struct Options<'w> {
    /// `-s`
    pub statuses: Vec<u16>,
    /// `-t`, in lower case.
    pub types: Vec<String>,
    /// `-r`
    pub only_if_there: bool,
    /// `-a`
    pub appends: bool,
    /// What is no option.
    pub headers: Vec<&'w Word>,
}

/// Reads the words of a `more_` directive; `allowed` are its options.
///
/// # Errors
///
/// An option that it does not have or that lacks its value, or no header at all.
pub fn options<'w>(at: At, words: &'w [Word], allowed: &str) -> Result<Options<'w>, Problem> {
    let mut options = Options::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let Some(option) = word.text.strip_prefix('-') else {
            options.headers.push(word);
            continue;
        };
        if option.len() != 1 || !allowed.contains(option) {
            let reason = format!("has no option {:?}", shortened(&word.text));
            return Err(Problem::new(word.at, reason));
        }
        let mut value = || {
            words.next().ok_or_else(|| {
                Problem::new(word.at, format!("lacks the value of its option {:?}", word.text))
            })
        };
        match option {
            "s" => {
                let value = value()?;
                options.statuses.extend(statuses(value)?);
            }
            "t" => {
                let value = text::plain(value()?)?;
                options.types.extend(value.split_whitespace().map(str::to_ascii_lowercase));
            }
            "r" => options.only_if_there = true,
            _ => options.appends = true,
        }
    }
    match options.headers.is_empty() {
        false => Ok(options),
        true => Err(Problem::new(at, "names no header")),
    }
}

fn statuses(word: &Word) -> Result<Vec<u16>, Problem> {
    let wrong = || {
        let reason = format!("{:?} is no list of statuses", shortened(&word.text));
        Problem::new(word.at, reason)
    };
    let all: Option<Vec<u16>> = word
        .text
        .split_whitespace()
        .map(|status| status.parse().ok().filter(|status| (100..1000).contains(status)))
        .collect();
    all.filter(|all| !all.is_empty()).ok_or_else(wrong)
}

/// A header as `Name: value`; without a value it is to be removed.
///
/// # Errors
///
/// If the name is none, or the value holds what no header may.
pub fn header(compiler: &mut Compiler, word: &Word) -> Result<(String, Text), Problem> {
    let (name, value) = word.text.split_once(':').unwrap_or((&word.text, ""));
    let name = header_name(word, name.trim())?;
    Ok((name, value_of(compiler, word, value.trim())?))
}

/// The value of a header.
///
/// # Errors
///
/// If it holds what no header may.
pub fn value(compiler: &mut Compiler, word: &Word) -> Result<Text, Problem> {
    value_of(compiler, word, &word.text)
}

fn value_of(compiler: &mut Compiler, word: &Word, value: &str) -> Result<Text, Problem> {
    if value.chars().any(|char| char.is_control() && char != '\t') {
        return Err(Problem::new(word.at, "has a header with a line break or control character"));
    }
    text::text_of(compiler, word, value)
}

/// The name of a header.
///
/// # Errors
///
/// If it is none, or of one that only the gateway itself may write.
pub fn header_name(word: &Word, name: &str) -> Result<String, Problem> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || name.contains('$') || !name.bytes().all(is_token) {
        let reason = format!("{:?} is no name of a header", shortened(name));
        return Err(Problem::new(word.at, reason));
    }
    if frames(name) {
        let reason =
            format!("may not touch {name}, which frames the message or says where it goes");
        return Err(Problem::new(word.at, reason));
    }
    Ok(name.to_owned())
}

/// Names that a directive removes, with a `*` at the end of a beginning.
///
/// # Errors
///
/// As [`header_name`].
pub fn cleared(word: &Word) -> Result<(String, bool), Problem> {
    // The reference ignores a value.
    let name = word.text.split_once(':').map_or(&*word.text, |(name, _)| name).trim();
    match name.strip_suffix('*') {
        // Of all headers, or of those that frame the message, too.
        Some("") => Err(Problem::new(word.at, "needs the beginning of a name before the *")),
        Some(start) => Ok((header_name(word, start)?.to_ascii_lowercase(), true)),
        None => Ok((header_name(word, name)?.to_ascii_lowercase(), false)),
    }
}

/// `on` or `off`.
///
/// # Errors
///
/// Anything else.
pub fn switch(word: &Word) -> Result<bool, Problem> {
    match &*word.text {
        "on" => Ok(true),
        "off" => Ok(false),
        other => {
            Err(Problem::new(word.at, format!("{:?} is neither on nor off", shortened(other))))
        }
    }
}
