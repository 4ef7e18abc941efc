//! Directives about what the upstream is sent: `more_set_input_headers`, `more_clear_input_headers`,
//! `proxy_set_header`.

use headgate_config::snippet::{InputAction, InputRule, SentHeader};

use super::{
    Problem, arguments,
    compile::{Compiler, Frame},
    parse::Directive,
};

/// `more_set_input_headers [-r] [-t TYPES] 'Name: value' …`
pub fn set(
    compiler: &mut Compiler,
    frame: &mut Frame,
    directive: &Directive,
) -> Result<(), Problem> {
    let options = arguments::options(directive.at, &directive.words, "rt")?;
    for word in options.headers {
        let (name, value) = arguments::header(compiler, word)?;
        if is_own(&name) {
            let reason = format!(
                "sets {name}, which the gateway writes itself; use proxy_set_header, or upstream-vhost for Host"
            );
            return Err(Problem::new(word.at, reason));
        }
        let only_if_there = options.only_if_there;
        let action = if value.pieces.is_empty() {
            InputAction::Clear(name.to_ascii_lowercase())
        } else {
            InputAction::Set { name, value, only_if_there }
        };
        frame.level.input.push(InputRule { types: options.types.clone(), action });
    }
    Ok(())
}

/// `more_clear_input_headers [-t TYPES] Name …`, a name possibly with `*` at its end. What the gateway writes itself is
/// sent in any case.
pub fn clear(_: &mut Compiler, frame: &mut Frame, directive: &Directive) -> Result<(), Problem> {
    let options = arguments::options(directive.at, &directive.words, "t")?;
    for word in options.headers {
        let (name, is_prefix) = arguments::cleared(word)?;
        let action =
            if is_prefix { InputAction::ClearPrefix(name) } else { InputAction::Clear(name) };
        frame.level.input.push(InputRule { types: options.types.clone(), action });
    }
    Ok(())
}

/// `proxy_set_header NAME VALUE`
pub fn send(
    compiler: &mut Compiler,
    frame: &mut Frame,
    directive: &Directive,
) -> Result<(), Problem> {
    let [name, value] = &*directive.words else { return Ok(()) };
    let is = |other: &str| name.text.eq_ignore_ascii_case(other);
    if is("connection") || is("upgrade") {
        // So do all instructions for WebSockets, which work without.
        compiler.notes.push(format!(
            "proxy_set_header {} has no effect: connections are upgraded wherever clients ask for it",
            name.text
        ));
        return Ok(());
    }
    if is("host") {
        let reason = "would send a second Host; use the annotation upstream-vhost instead";
        return Err(Problem::new(name.at, reason));
    }
    if is("proxy") && !value.text.is_empty() {
        let reason = "sets Proxy, which many an application takes for its own setting";
        return Err(Problem::new(name.at, reason));
    }
    let name = arguments::header_name(name, &name.text)?;
    let value = arguments::value(compiler, value)?;
    frame.level.sent.push(SentHeader { name, value });
    Ok(())
}

/// Whether the gateway writes a header of a request itself, whatever the client sends. `_` is as `-`, which it is to many an
/// upstream.
fn is_own(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('_', "-");
    let known = ["host", "expect", "proxy", "x-real-ip", "x-request-id", "x-scheme"];
    known.contains(&&*name)
        || name.starts_with("x-forwarded-")
        || name.starts_with("x-original-forwarded-")
        || name.starts_with("ssl-client-")
}
