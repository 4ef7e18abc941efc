//! The section about risk: which keys of the ConfigMap decide what is accepted, and which annotations they are about.

use super::{
    super::{
        all,
        definition::{
            Risk,
            State::{Honoured, Refused},
        },
    },
    level,
};
use crate::translate::config::Config;

/// The section in Markdown.
pub fn section() -> String {
    let config = Config::default();
    let restrictions = &config.defaults.restrictions;
    let default_level = level(restrictions.max_risk);
    let default_switch = restrictions.allow_snippets;
    let risky = |risk: Risk| names(|definition| definition.risk == risk);
    let (critical, high) = (risky(Risk::Critical), risky(Risk::High));
    let of = |wanted| {
        let all = all().filter(|(state, one)| *state == wanted && one.risk == Risk::Critical);
        list(all.map(|(_, definition)| definition.name).collect())
    };
    let (compiled, never) = (of(Honoured), of(Refused));
    format!(
        "
## Risk

How much harm an annotation can do in the hands of its author: Low is hardly any, Medium to the author's own traffic, High to others with
some effort, Critical to everything. Two keys of the ConfigMap decide what is accepted; there are no flags for it.

| Key | Without it | What it does |
|---|---|---|
| `annotations-risk-level` | `{default_level}` | The highest risk that is accepted: `Low`, `Medium`, `High` or `Critical`; any other word is Low. An Ingress with an annotation above it is refused, even if the value is empty. |
| `allow-snippet-annotations` | `{default_switch}` | Whether snippets have an effect. While it is false, they are left out with a warning where their risk is accepted, and the admission webhook refuses them. |

- **Snippets need both**: `annotations-risk-level: Critical` and `allow-snippet-annotations: \"true\"`. Then {compiled} are read into typed actions, and
  {never} still refuse their Ingress.
- Critical: {critical}.
- High: {high}.
"
    )
}

fn names(is_wanted: impl Fn(&super::Definition) -> bool) -> String {
    list(
        all()
            .map(|(_, definition)| definition)
            .filter(|one| is_wanted(one))
            .map(|one| one.name)
            .collect(),
    )
}

/// Names in Markdown, sorted.
fn list(mut names: Vec<&str>) -> String {
    names.sort_unstable();
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    if quoted.is_empty() { "none".into() } else { quoted.join(", ") }
}
