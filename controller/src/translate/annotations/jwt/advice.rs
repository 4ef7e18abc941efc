//! What is said about tokens that are asked for as written, where they are easy to forge or to borrow.

use std::net::Ipv4Addr;

use headgate_config::protection::TokenAuth;

use super::{AUDIENCE, ISSUER, KEYS, is_encrypted};
use crate::translate::annotations::values::Values;

const REASON: &str = "InsecureToken";

/// Says what makes a token worth less than its author may think.
pub fn give(values: &mut Values<'_>, token: &TokenAuth) {
    if token.issuer.is_none() && token.audiences.is_empty() {
        let message = format!(
            "{KEYS} has neither {ISSUER} nor {AUDIENCE} beside it: every token passes that was ever signed with these keys, those for other applications included; add both"
        );
        values.warn(REASON, message);
    }
    if is_from_afar(&token.keys.url) {
        let message = format!(
            "{KEYS}: the keys are fetched over plain http from a host that is not in the cluster: whoever is on the way there can sign tokens; use https"
        );
        values.warn(REASON, message);
    }
}

/// Whether keys come in clear from a host that is neither this machine nor, by its name, a Service.
fn is_from_afar(url: &str) -> bool {
    let Some((_, rest)) = url.split_once("://").filter(|_| !is_encrypted(url)) else {
        return false;
    };
    // There are no addresses in brackets: the check of the value refuses them.
    let host = rest.split(['/', '?', ':']).next().unwrap_or_default();
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let is_here = match host.parse::<Ipv4Addr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => host == "localhost",
    };
    !is_here && !host.ends_with(".svc") && !host.ends_with(".svc.cluster.local")
}
