//! `location` in a server-snippet.

use headgate_config::snippet::OwnMatch;

use super::{
    At, Problem,
    compile::{Compiler, Context, Frame, Own},
    lex::Word,
    parse::Directive,
    rewriting, shortened, text,
};

/// `location [=|^~|~|~*] PATH { … }`
pub fn own(
    compiler: &mut Compiler,
    frame: &mut Frame,
    directive: &Directive,
) -> Result<(), Problem> {
    let matcher = matcher(compiler, directive.at, &directive.words)?;
    if frame.locations.iter().any(|own| own.matcher == matcher) {
        return Err(Problem::new(directive.at, "is given twice with the same path"));
    }
    let directives = directive.block.as_deref().unwrap_or_default();
    let inner = compiler.walk(Context::OwnLocation, directives)?;
    frame.locations.push(Own {
        matcher,
        steps: inner.steps,
        level: inner.level,
        branches: inner.branches,
    });
    Ok(())
}

fn matcher(compiler: &mut Compiler, at: At, words: &[Word]) -> Result<OwnMatch, Problem> {
    let (sign, word, path) = match words {
        [sign, path] => (&*sign.text, path, &*path.text),
        [word, ..] => {
            let signs = ["=", "^~", "~*", "~"];
            let sign = signs.into_iter().find(|sign| word.text.starts_with(sign)).unwrap_or("");
            (sign, word, &word.text[sign.len()..])
        }
        [] => return Err(Problem::new(at, "needs a path")),
    };
    let literal = || {
        let path = Word { text: path.to_owned(), at: word.at };
        let text = text::plain(&path)?;
        if text.starts_with('/') {
            return Ok(text.to_owned());
        }
        let reason = format!("has the path {:?}, which is none", shortened(text));
        Err(Problem::new(word.at, reason))
    };
    match sign {
        "=" => Ok(OwnMatch::Exact(literal()?)),
        "" | "^~" => {
            let text = literal()?;
            if text == "/" {
                let reason = "has the path /, which every host has a location for already";
                return Err(Problem::new(word.at, reason));
            }
            Ok(OwnMatch::Prefix { text, is_final: sign == "^~" })
        }
        "~" | "~*" => {
            compiler.check_pattern(word.at, path)?;
            rewriting::name_groups(compiler, path);
            Ok(OwnMatch::Pattern { regex: path.to_owned(), fold: sign == "~*" })
        }
        other => {
            Err(Problem::new(words[0].at, format!("has no comparison {:?}", shortened(other))))
        }
    }
}
