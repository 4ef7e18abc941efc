//! `set`, `rewrite`, `return`, `break`.

use headgate_config::snippet::{
    PathRewrite, Piece, Reply, SETTABLE, Step, Text, Then, is_variable,
};

use super::{
    Problem,
    compile::{Compiler, Frame},
    parse::Directive,
    shortened, text,
};

/// `break`
pub fn end(_: &mut Compiler, frame: &mut Frame, _: &Directive) -> Result<(), Problem> {
    frame.steps.push(Step::Break);
    Ok(())
}

/// `set $NAME VALUE`
pub fn set(
    compiler: &mut Compiler,
    frame: &mut Frame,
    directive: &Directive,
) -> Result<(), Problem> {
    let [name, value] = &*directive.words else { return Ok(()) };
    let is_name = |text: &&str| {
        let fine = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        fine && text.bytes().any(|byte| !byte.is_ascii_digit())
    };
    let Some(variable) = name.text.strip_prefix('$').filter(is_name) else {
        let reason = format!("{:?} is no name of a variable", shortened(&name.text));
        return Err(Problem::new(name.at, reason));
    };
    let variable = variable.to_ascii_lowercase();
    let is_taken = is_variable(&variable) || OWN.contains(&&*variable);
    if is_taken && !SETTABLE.contains(&&*variable) {
        let reason = format!("cannot give ${variable} another value");
        return Err(Problem::new(name.at, reason));
    }
    let value = text::text(compiler, value)?;
    compiler.sets.insert(variable.clone());
    frame.steps.push(Step::Set { variable, value });
    Ok(())
}

/// Variables by which the reference's own configuration is steered, and that mean nothing here.
const OWN: &[&str] = &[
    "balancer_ewma_score",
    "force_ssl_redirect",
    "limit_rate",
    "pass_port",
    "pass_server_port",
    "preserve_trailing_slash",
    "proxy_alternative_upstream_name",
    "proxy_host",
    "proxy_upstream_name",
];

/// Notes that the named groups of a pattern become variables.
pub fn name_groups(compiler: &mut Compiler, regex: &str) {
    for (at, _) in regex.match_indices("(?") {
        let rest = &regex[at + 2..];
        let rest = rest.strip_prefix('P').unwrap_or(rest);
        let Some(rest) = rest.strip_prefix(['<', '\'']) else { continue };
        let length =
            rest.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
        if length > 0 && rest[length..].starts_with(['>', '\'']) {
            compiler.sets.insert(rest[..length].to_ascii_lowercase());
        }
    }
}

/// `rewrite REGEX REPLACEMENT [last|break|redirect|permanent]`
pub fn rewrite(
    compiler: &mut Compiler,
    frame: &mut Frame,
    directive: &Directive,
) -> Result<(), Problem> {
    let [regex, replacement, rest @ ..] = &*directive.words else { return Ok(()) };
    compiler.check_pattern(regex.at, &regex.text)?;
    name_groups(compiler, &regex.text);
    let then = match rest.first().map(|word| (&*word.text, word.at)) {
        None | Some(("last", _)) if is_url(&replacement.text) => Then::Redirect(302),
        None => Then::Next,
        Some(("last", _)) => Then::Search,
        Some(("break", _)) if is_url(&replacement.text) => Then::Redirect(302),
        Some(("break", _)) => Then::Stay,
        Some(("redirect", _)) => Then::Redirect(302),
        Some(("permanent", _)) => Then::Redirect(301),
        Some((other, at)) => {
            let reason = format!("has no flag {:?}", shortened(other));
            return Err(Problem::new(at, reason));
        }
    };
    let kept = replacement.text.strip_suffix('?');
    let text = text::text_of(compiler, replacement, kept.unwrap_or(&replacement.text))?;
    let (path, query) = match then {
        Then::Redirect(_) => (text, None),
        _ => split_query(text),
    };
    let regex = regex.text.clone();
    frame.steps.push(Step::Rewrite(PathRewrite {
        regex,
        path,
        query,
        keeps_query: kept.is_none(),
        then,
    }));
    Ok(())
}

fn is_url(text: &str) -> bool {
    ["http://", "https://", "$scheme"].iter().any(|start| text.starts_with(start))
}

/// What stands before and behind the first `?` that is written as such.
fn split_query(text: Text) -> (Text, Option<Text>) {
    let mut path = Text::default();
    let mut pieces = text.pieces.into_iter();
    while let Some(piece) = pieces.next() {
        if let Piece::Plain(plain) = &piece
            && let Some((before, behind)) = plain.split_once('?')
        {
            let plain =
                |text: &str| (!text.is_empty()).then(|| Piece::Plain(text.to_owned())).into_iter();
            path.pieces.extend(plain(before));
            let query = plain(behind).chain(pieces).collect();
            return (path, Some(Text { pieces: query }));
        }
        path.pieces.push(piece);
    }
    (path, None)
}

/// `return STATUS [TEXT]`, `return STATUS URL`, `return URL`
pub fn reply(
    compiler: &mut Compiler,
    frame: &mut Frame,
    directive: &Directive,
) -> Result<(), Problem> {
    let first = &directive.words[0];
    let second = directive.words.get(1);
    let is_status = !first.text.is_empty() && first.text.bytes().all(|byte| byte.is_ascii_digit());
    let reply = if is_status {
        let status = first.text.parse().ok().filter(|status| (200..1000).contains(status));
        let status = status.ok_or_else(|| {
            let reason = format!("{:?} is no status of an answer", shortened(&first.text));
            Problem::new(first.at, reason)
        })?;
        let text = second.map(|word| text::text(compiler, word)).transpose()?;
        Reply { status, text }
    } else if second.is_none() && is_url(&first.text) {
        Reply { status: 302, text: Some(text::text(compiler, first)?) }
    } else {
        let reason = format!("begins with {:?}, which is no status", shortened(&first.text));
        return Err(Problem::new(first.at, reason));
    };
    frame.steps.push(Step::Return(reply));
    Ok(())
}
