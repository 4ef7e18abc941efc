//! Keys about the compression of answers (configmap-and-flags §9), with `zstd-*` of our own.

use headgate_config::Coding;

use super::{Apply, set};
use crate::translate::config::{Draft, value};

pub const KEYS: &[(&str, Apply)] = &[
    ("brotli-level", |draft, text| level(&mut draft.settings.compression.brotli, text, 0, 11)),
    ("brotli-min-length", |draft, text| min_length(&mut draft.settings.compression.brotli, text)),
    ("brotli-types", |draft, text| types(&mut draft.settings.compression.brotli, text)),
    ("enable-brotli", |draft, text| {
        enable(draft, text, |draft| &mut draft.settings.compression.brotli)
    }),
    ("enable-zstd", |draft, text| {
        enable(draft, text, |draft| &mut draft.settings.compression.zstd)
    }),
    ("gzip-disable", |draft, text| {
        text.trim().clone_into(&mut draft.settings.compression.gzip_disable);
        Ok(())
    }),
    ("gzip-level", |draft, text| level(&mut draft.settings.compression.gzip, text, 1, 9)),
    ("gzip-min-length", |draft, text| min_length(&mut draft.settings.compression.gzip, text)),
    ("gzip-types", |draft, text| types(&mut draft.settings.compression.gzip, text)),
    ("use-gzip", |draft, text| enable(draft, text, |draft| &mut draft.settings.compression.gzip)),
    ("zstd-level", |draft, text| level(&mut draft.settings.compression.zstd, text, 1, 15)),
    ("zstd-min-length", |draft, text| min_length(&mut draft.settings.compression.zstd, text)),
    ("zstd-types", |draft, text| types(&mut draft.settings.compression.zstd, text)),
];

type Applied = Result<(), &'static str>;

fn enable(draft: &mut Draft, text: &str, coding: fn(&mut Draft) -> &mut Coding) -> Applied {
    set(&mut coding(draft).enabled, value::bool(text))
}

/// How hard a coding tries.
fn level(coding: &mut Coding, text: &str, least: u8, most: u8) -> Applied {
    let level = u8::try_from(value::int(text)?).ok();
    let level = level.filter(|level| (least..=most).contains(level));
    coding.level = level.ok_or(match most {
        9 => "a level from 1 to 9",
        11 => "a level from 0 to 11",
        _ => "a level from 1 to 15",
    })?;
    Ok(())
}

fn min_length(coding: &mut Coding, text: &str) -> Applied {
    set(&mut coding.min_length, value::count(text))
}

/// Types between spaces; commas do no harm.
fn types(coding: &mut Coding, text: &str) -> Applied {
    let types = text.split([' ', ',', '\t', '\n', '\r']).filter(|name| !name.is_empty());
    coding.types = types.map(str::to_ascii_lowercase).collect();
    Ok(())
}
