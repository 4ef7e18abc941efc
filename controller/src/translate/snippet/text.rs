//! Texts with variables: `$name`, `${name}` and `$1` to `$9`.

use headgate_config::snippet::{Piece, Text, is_variable};

use super::{
    Problem,
    compile::{Compiler, Use},
    lex::Word,
    shortened,
};

/// The text that a word is.
///
/// # Errors
///
/// If a `$` has no name behind it.
pub fn text(compiler: &mut Compiler, word: &Word) -> Result<Text, Problem> {
    text_of(compiler, word, &word.text)
}

/// The text that a part of a word is.
///
/// # Errors
///
/// As [`text`].
pub fn text_of(compiler: &mut Compiler, word: &Word, part: &str) -> Result<Text, Problem> {
    let pieces = pieces(part).ok_or_else(|| {
        let reason =
            format!("has a $ without the name of a variable in {:?}", shortened(&word.text));
        Problem::new(word.at, reason)
    })?;
    for piece in &pieces {
        if let Piece::Variable(name) = piece
            && !is_variable(name)
        {
            compiler.uses.push(Use {
                name: name.clone(),
                at: word.at,
                directive: compiler.directive.clone(),
            });
        }
    }
    Ok(Text { pieces })
}

/// A word that must not have variables.
///
/// # Errors
///
/// If it has.
pub fn plain(word: &Word) -> Result<&str, Problem> {
    if word.text.contains('$') {
        let reason = format!("takes no variables in {:?}", shortened(&word.text));
        return Err(Problem::new(word.at, reason));
    }
    Ok(&word.text)
}

/// The pieces of a text; none if a `$` has no name.
fn pieces(text: &str) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        if at > 0 {
            pieces.push(Piece::Plain(rest[..at].to_owned()));
        }
        rest = &rest[at + 1..];
        if let Some(digit @ b'1'..=b'9') = rest.bytes().next() {
            pieces.push(Piece::Capture(digit - b'0'));
            rest = &rest[1..];
            continue;
        }
        let braced = rest.strip_prefix('{');
        let body = braced.unwrap_or(rest);
        let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        let length = body.bytes().take_while(is_name).count();
        if length == 0 {
            return None;
        }
        let name = body[..length].to_ascii_lowercase();
        rest = &body[length..];
        if braced.is_some() {
            rest = rest.strip_prefix('}')?;
        }
        pieces.push(match name.as_bytes() {
            [digit @ b'1'..=b'9'] => Piece::Capture(digit - b'0'),
            _ => Piece::Variable(name),
        });
    }
    if !rest.is_empty() {
        pieces.push(Piece::Plain(rest.to_owned()));
    }
    Some(pieces)
}
