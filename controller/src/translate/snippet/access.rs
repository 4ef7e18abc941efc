//! `allow` and `deny`.

use headgate_config::protection::AccessRule;

use super::{
    Problem,
    compile::{Compiler, Frame},
    parse::Directive,
    shortened, text,
};

/// `allow` or `deny`, with an address, a network or `all`.
pub fn rule(_: &mut Compiler, frame: &mut Frame, directive: &Directive) -> Result<(), Problem> {
    let word = &directive.words[0];
    let network = match text::plain(word)? {
        "all" => None,
        text => Some(text.parse().map_err(|_| {
            let reason = format!("{:?} is no address or network", shortened(text));
            Problem::new(word.at, reason)
        })?),
    };
    frame.level.access.push(AccessRule { allows: directive.name == "allow", network });
    Ok(())
}
