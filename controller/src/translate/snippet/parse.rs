//! The directives of a snippet and their blocks, without regard to what they mean.

use super::{
    At, Problem,
    lex::{Lexer, Token, Word},
    shortened,
};

/// A directive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive {
    /// Its name.
    pub name: String,
    /// Where it begins.
    pub at: At,
    /// What follows the name.
    pub words: Vec<Word>,
    /// What is between its braces, if it has any.
    pub block: Option<Vec<Directive>>,
}

/// Blocks inside blocks that are looked at; what is understood has two.
const DEPTH: usize = 4;
/// Words of one directive. Real ones have a dozen.
const WORDS: usize = 512;

/// The directives of a snippet.
///
/// # Errors
///
/// If it is not nginx's syntax.
pub fn parse(text: &str) -> Result<Vec<Directive>, Problem> {
    directives(&mut Lexer::new(text), 0)
}

fn directives(lexer: &mut Lexer<'_>, depth: usize) -> Result<Vec<Directive>, Problem> {
    let mut all = Vec::new();
    let mut words: Vec<Word> = Vec::new();
    loop {
        let Some(token) = lexer.next()? else {
            return match (words.first(), depth) {
                (Some(name), _) => {
                    let reason = "does not end: a semicolon is missing";
                    Err(Problem::new(name.at, reason).about(&name.text))
                }
                (None, 0) => Ok(all),
                (None, _) => Err(Problem::new(lexer.at(), "a closing brace is missing")),
            };
        };
        match token {
            Token::Word(word) => {
                if words.len() >= WORDS {
                    return Err(Problem::new(word.at, "too many words in one directive"));
                }
                words.push(word);
            }
            Token::End(at) => all.push(directive(&mut words, None, at, ";")?),
            Token::Open(at) => {
                if depth >= DEPTH {
                    return Err(Problem::new(at, "too many blocks inside each other"));
                }
                let mut with_block = directive(&mut words, Some(Vec::new()), at, "{")?;
                let inner = directives(lexer, depth + 1);
                with_block.block = Some(inner?);
                all.push(with_block);
            }
            Token::Close(at) => {
                if let Some(name) = words.first() {
                    let reason = "does not end before the closing brace: a semicolon is missing";
                    return Err(Problem::new(at, reason).about(&name.text));
                }
                if depth == 0 {
                    return Err(Problem::new(at, "a closing brace without an opening one"));
                }
                return Ok(all);
            }
        }
    }
}

/// The directive that these words are, which are taken.
fn directive(
    words: &mut Vec<Word>,
    block: Option<Vec<Directive>>,
    at: At,
    end: &str,
) -> Result<Directive, Problem> {
    let mut words = std::mem::take(words).into_iter();
    let Some(name) = words.next() else {
        return Err(Problem::new(at, format!("{end:?} without a directive")));
    };
    if !name.text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        let reason = format!("{:?} is no name of a directive", shortened(&name.text));
        return Err(Problem::new(name.at, reason));
    }
    Ok(Directive { name: name.text, at: name.at, words: words.collect(), block })
}
