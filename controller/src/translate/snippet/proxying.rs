//! Directives about how requests are sent, where locations do not have their own values, and about TLS towards
//! upstreams.

use super::{
    Problem, arguments,
    compile::{Compiler, Context, Frame},
    parse::Directive,
    shortened, text,
};
use crate::translate::config::value;

/// A time in seconds, for locations that do not exist: those of Ingresses have their own, the others ask no upstream.
pub fn time(
    compiler: &mut Compiler,
    frame: &mut Frame,
    directive: &Directive,
) -> Result<(), Problem> {
    check(directive, |text| value::time(text).is_ok())?;
    without_effect(compiler, frame, directive);
    Ok(())
}

/// A size in bytes.
pub fn size(
    compiler: &mut Compiler,
    frame: &mut Frame,
    directive: &Directive,
) -> Result<(), Problem> {
    check(directive, |text| value::size(text).is_ok())?;
    without_effect(compiler, frame, directive);
    Ok(())
}

/// `on` or `off`.
pub fn switch(
    compiler: &mut Compiler,
    frame: &mut Frame,
    directive: &Directive,
) -> Result<(), Problem> {
    arguments::switch(&directive.words[0])?;
    without_effect(compiler, frame, directive);
    Ok(())
}

fn check(directive: &Directive, is_fine: impl Fn(&str) -> bool) -> Result<(), Problem> {
    let word = &directive.words[0];
    let text = text::plain(word)?;
    if is_fine(text) {
        return Ok(());
    }
    Err(Problem::new(word.at, format!("has a value that is none: {:?}", shortened(text))))
}

fn without_effect(compiler: &mut Compiler, frame: &Frame, directive: &Directive) {
    let name = &directive.name;
    compiler.notes.push(match frame.context {
        Context::OwnLocation => {
            format!("{name} has no effect in a location that asks no upstream")
        }
        _ => format!("{name} has no effect: every location of an Ingress has its own value"),
    });
}

/// `proxy_ssl_verify on|off`: off is how it is without an annotation.
pub fn tls_verify(_: &mut Compiler, _: &mut Frame, directive: &Directive) -> Result<(), Problem> {
    let word = &directive.words[0];
    if !arguments::switch(word)? {
        return Ok(());
    }
    let reason =
        "needs the certificates to verify with: use proxy-ssl-secret with proxy-ssl-verify";
    Err(Problem::new(word.at, reason))
}
