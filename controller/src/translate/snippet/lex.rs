//! The words of nginx's configuration: quotes, escapes, comments and `${name}`, as its own reader takes them apart.

use std::{iter::Peekable, str::CharIndices};

use super::{At, Problem};

/// One word, with its escapes and quotes undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// What it says.
    pub text: String,
    /// Where it begins.
    pub at: At,
}

/// What a snippet is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// A word.
    Word(Word),
    /// `{`
    Open(At),
    /// `}`
    Close(At),
    /// `;`
    End(At),
}

/// Takes a text apart. One pass; each character is looked at a fixed number of times.
pub struct Lexer<'t> {
    text: &'t str,
    chars: Peekable<CharIndices<'t>>,
    at: At,
}

impl<'t> Lexer<'t> {
    /// For a text.
    pub fn new(text: &'t str) -> Self {
        Self { text, chars: text.char_indices().peekable(), at: At { line: 1, column: 1 } }
    }

    /// Where it has come to.
    pub fn at(&self) -> At {
        self.at
    }

    /// The next token; none at the end.
    ///
    /// # Errors
    ///
    /// If a quote does not end, or what follows it does not belong there.
    pub fn next(&mut self) -> Result<Option<Token>, Problem> {
        self.skip_blanks();
        let at = self.at;
        let Some(&(start, first)) = self.chars.peek() else { return Ok(None) };
        Ok(Some(match first {
            ';' | '{' | '}' => {
                self.advance();
                match first {
                    ';' => Token::End(at),
                    '{' => Token::Open(at),
                    _ => Token::Close(at),
                }
            }
            '"' | '\'' => {
                self.advance();
                Token::Word(Word { text: self.quoted(first, at)?, at })
            }
            _ => Token::Word(Word { text: self.bare(start)?, at }),
        }))
    }

    fn advance(&mut self) -> Option<char> {
        let (_, char) = self.chars.next()?;
        if char == '\n' {
            self.at = At { line: self.at.line.saturating_add(1), column: 1 };
        } else {
            self.at.column = self.at.column.saturating_add(1);
        }
        Some(char)
    }

    fn skip_blanks(&mut self) {
        let mut in_comment = false;
        while let Some(&(_, char)) = self.chars.peek() {
            match char {
                '\n' => in_comment = false,
                _ if in_comment => {}
                ' ' | '\t' | '\r' => {}
                '#' => in_comment = true,
                _ => return,
            }
            self.advance();
        }
    }

    /// A word up to its closing quote; the opening one is behind us.
    fn quoted(&mut self, quote: char, at: At) -> Result<String, Problem> {
        let start = self.position();
        loop {
            let end = self.position();
            match self.advance() {
                None => return Err(Problem::new(at, format!("the quote {quote} does not end"))),
                Some('\\') => {
                    self.advance();
                }
                Some(char) if char == quote => {
                    return match self.chars.peek() {
                        None | Some((_, ' ' | '\t' | '\r' | '\n' | ';' | '{' | ')')) => {
                            unescaped(&self.text[start..end], at)
                        }
                        Some((_, other)) => {
                            let reason = format!("{other:?} right behind a quote");
                            Err(Problem::new(self.at, reason))
                        }
                    };
                }
                Some(_) => {}
            }
        }
    }

    /// A word without quotes.
    fn bare(&mut self, start: usize) -> Result<String, Problem> {
        let at = self.at;
        let mut behind_dollar = false;
        while let Some(&(_, char)) = self.chars.peek() {
            match char {
                '{' if behind_dollar => {}
                ' ' | '\t' | '\r' | '\n' | ';' | '{' => break,
                _ => {}
            }
            behind_dollar = char == '$';
            self.advance();
            if char == '\\' {
                self.advance();
            }
        }
        unescaped(&self.text[start..self.position()], at)
    }

    fn position(&mut self) -> usize {
        self.chars.peek().map_or(self.text.len(), |(position, _)| *position)
    }
}

/// A word without its escapes: `\"`, `\'` and `\\` are what follows the backslash, `\t`, `\r` and `\n` control
/// characters, and every other backslash stays, as patterns need it.
fn unescaped(text: &str, at: At) -> Result<String, Problem> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        if char.is_control() && !matches!(char, '\t' | '\r' | '\n') {
            return Err(Problem::new(at, format!("the word holds the control character {char:?}")));
        }
        if char != '\\' {
            out.push(char);
            continue;
        }
        match chars.next() {
            Some(quoted @ ('"' | '\'' | '\\')) => out.push(quoted),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('n') => out.push('\n'),
            Some(other) => {
                if other.is_control() {
                    return Err(Problem::new(at, "a backslash before a control character"));
                }
                out.extend(['\\', other]);
            }
            None => out.push('\\'),
        }
    }
    Ok(out)
}
