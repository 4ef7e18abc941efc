//! `if`.

use headgate_config::snippet::{Condition, Step};

use super::{
    At, Problem,
    compile::{Compiler, Context, Frame},
    lex::Word,
    parse::Directive,
    rewriting, shortened, text,
};

/// `if (CONDITION) { … }`
pub fn branch(
    compiler: &mut Compiler,
    frame: &mut Frame,
    directive: &Directive,
) -> Result<(), Problem> {
    let condition = condition(compiler, directive)?;
    let is_server = frame.context == Context::Server;
    let context = if is_server { Context::ServerIf } else { Context::LocationIf };
    let inner = compiler.walk(context, directive.block.as_deref().unwrap_or_default())?;
    let policy = (!is_server).then_some(frame.branches.len());
    if !is_server {
        frame.branches.push(inner.level);
    }
    frame.steps.push(Step::If { condition, steps: inner.steps, policy });
    Ok(())
}

fn condition(compiler: &mut Compiler, directive: &Directive) -> Result<Condition, Problem> {
    let words = without_parentheses(&directive.words)
        .ok_or_else(|| Problem::new(directive.at, "needs a condition in parentheses"))?;
    let first = &words[0];
    if matches!(first.text.trim_start_matches('!'), "-f" | "-d" | "-e" | "-x") {
        let reason = format!("asks for files by {}, of which there are none here", first.text);
        return Err(Problem::new(first.at, reason));
    }
    if !first.text.starts_with('$') || first.text.len() < 2 {
        let reason = format!("begins with {:?}, and not with a variable", shortened(&first.text));
        return Err(Problem::new(first.at, reason));
    }
    let left = text::text(compiler, first)?;
    if left.pieces.len() != 1 {
        return Err(Problem::new(first.at, "compares more than one variable"));
    }
    let (operator, right) = match &words[1..] {
        [] => return Ok(Condition::Truth(left)),
        [operator, right] => (operator, right),
        _ => {
            let reason = "has a condition that is neither a variable nor a comparison of two texts";
            return Err(Problem::new(first.at, reason));
        }
    };
    let (negated, sign) = match operator.text.strip_prefix('!') {
        Some(sign) => (true, sign),
        None => (false, &*operator.text),
    };
    match sign {
        "=" => Ok(Condition::Equal { left, right: text::text(compiler, right)?, negated }),
        "~" | "~*" => {
            compiler.check_pattern(right.at, &right.text)?;
            rewriting::name_groups(compiler, &right.text);
            let regex = right.text.clone();
            Ok(Condition::Found { text: left, regex, fold: sign == "~*", negated })
        }
        _ => {
            let reason = format!("has no comparison {:?}", shortened(&operator.text));
            Err(Problem::new(operator.at, reason))
        }
    }
}

/// The words between `(` and `)`, which may be words of their own or stand at the first and the last.
fn without_parentheses(words: &[Word]) -> Option<Vec<Word>> {
    let mut words = words.to_vec();
    let first = words.first_mut()?;
    first.text = first.text.strip_prefix('(')?.to_owned();
    first.at = At { column: first.at.column + 1, ..first.at };
    if first.text.is_empty() {
        words.remove(0);
    }
    let last = words.last_mut()?;
    last.text = last.text.strip_suffix(')')?.to_owned();
    if last.text.is_empty() {
        words.pop();
    }
    (!words.is_empty()).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inner(words: &[&str]) -> Option<Vec<String>> {
        let words: Vec<_> = words
            .iter()
            .map(|text| Word { text: (*text).into(), at: At { line: 1, column: 1 } })
            .collect();
        Some(without_parentheses(&words)?.into_iter().map(|word| word.text).collect())
    }

    #[test]
    fn parentheses_are_words_or_stand_at_words() {
        for words in [&["(", "$a", "=", "b", ")"][..], &["($a", "=", "b)"], &["($a", "=", "b", ")"]]
        {
            assert_eq!(inner(words).unwrap(), ["$a", "=", "b"]);
        }
        assert_eq!(inner(&["($a)"]).unwrap(), ["$a"]);
        for words in [&["$a"][..], &["($a"], &["$a)"], &["()"], &["(", ")"], &["("]] {
            assert_eq!(inner(words), None, "{words:?}");
        }
    }
}
