//! What an alias stands for (routing §2.6).

use headgate_config::HostPattern;

/// How an alias is compared with request hosts; `None` for what can match nothing.
pub fn alias_pattern(alias: &str) -> Option<HostPattern> {
    if let Some(regex) = alias.strip_prefix('~') {
        return Some(HostPattern::Regex(regex.to_owned()));
    }
    let name = alias.to_ascii_lowercase();
    let pattern = if let Some(parent) = name.strip_prefix("*.") {
        HostPattern::AnyDepth(parent.to_owned())
    } else if let Some(parent) = name.strip_prefix('.') {
        HostPattern::SelfAndBelow(parent.to_owned())
    } else if let Some(stem) = name.strip_suffix(".*") {
        HostPattern::Trailing(stem.to_owned())
    } else {
        HostPattern::Exact(name)
    };
    let text = match &pattern {
        HostPattern::AnyDepth(text)
        | HostPattern::SelfAndBelow(text)
        | HostPattern::Trailing(text)
        | HostPattern::Exact(text) => text,
        HostPattern::OneLabel(_) | HostPattern::Regex(_) | HostPattern::Default => return None,
    };
    (!text.is_empty() && !text.contains('*')).then_some(pattern)
}
