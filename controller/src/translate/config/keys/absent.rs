//! Keys that ask for what there is none of here: whoever sets them is told what that means.

use super::{Apply, Draft, value};

pub(super) const KEYS: &[(&str, Apply)] = &[
    ("enable-modsecurity", |draft, text| {
        note(
            draft,
            value::bool(text)?,
            "enable-modsecurity: there is no firewall here: all requests are served unfiltered; have them filtered elsewhere",
        )
    }),
    ("enable-owasp-modsecurity-crs", |draft, text| {
        note(
            draft,
            value::bool(text)?,
            "enable-owasp-modsecurity-crs: there is no firewall here: requests are not filtered by any rules; have them filtered elsewhere",
        )
    }),
    ("geoip2-autoreload-in-minutes", |draft, text| {
        note(
            draft,
            value::int(text)? > 0,
            "geoip2-autoreload-in-minutes has no effect: there is no GeoIP database here; remove the key",
        )
    }),
    ("use-geoip2", |draft, text| {
        note(
            draft,
            value::bool(text)?,
            "use-geoip2: there is no GeoIP database here: $geoip2_city_country_code and all other $geoip2_… are empty in log formats, and do not exist elsewhere; remove the key, and them",
        )
    }),
    ("worker-processes", |draft, text| {
        let text = text.trim();
        if !matches!(text, "" | "auto") {
            value::count(text).map_err(|_| "auto or a number")?;
        }
        note(
            draft,
            !matches!(text, "" | "auto"),
            "worker-processes has no effect: threads are made when the process starts, one for each core unless --workers says otherwise",
        )
    }),
];

fn note(draft: &mut Draft, is_wanted: bool, text: &str) -> Result<(), &'static str> {
    if is_wanted {
        draft.notes.push(text.to_owned());
    }
    Ok(())
}
