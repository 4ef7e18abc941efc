//! Annotations that are known and not supported yet: checked, and named once in a warning.
//!
//! Each file below becomes a family of its own when somebody reads it.

mod firewall;

use super::{Annotations, definition::Definition, values::Values};
use crate::translate::wording;

pub const ANNOTATIONS: &[&[Definition]] = &[firewall::ANNOTATIONS];

/// Values that ask for nothing but what happens anyway.
const NO_WISH: &[(&str, &str)] = &[("enable-modsecurity", "false")];

pub fn read(values: &mut Values<'_>, _: &mut Annotations) {
    let is_wish =
        |name: &&str| values.raw(name).is_some_and(|value| !NO_WISH.contains(&(name, value)));
    let all = ANNOTATIONS.iter().copied().flatten();
    let mut names: Vec<_> = all.map(|definition| definition.name).filter(is_wish).collect();
    if !names.is_empty() {
        names.sort_unstable();
        values.warn(
            "NotSupported",
            wording::without_effect(
                "annotation",
                &names,
                ["is not supported yet", "are not supported yet"],
            ),
        );
    }
}
