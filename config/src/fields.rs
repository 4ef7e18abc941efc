//! Header fields that a message never takes over from another one. Both planes ask for them: one refuses to set them, the
//! other never copies them. As patterns, so that a place with more names to tell apart still needs one `match` only.

/// Fields that say something about one connection (RFC 9110 §7.6.1): a pattern for names in lower case.
#[macro_export]
macro_rules! hop_by_hop {
    () => {
        "connection" | "keep-alive" | "proxy-connection" | "te" | "transfer-encoding" | "upgrade"
    };
}

/// Fields that only the sender of a message writes: those of its connection, and those that say where it ends (RFC 9112
/// §6), what follows its body (RFC 9110 §6.6.2), where it goes (§7.2) and when its body is sent (§10.1.1). A pattern for
/// names in lower case.
#[macro_export]
macro_rules! senders_own {
    () => {
        $crate::hop_by_hop!() | "content-length" | "expect" | "host" | "trailer"
    };
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_belongs_to_the_connection_is_its_senders() {
        for name in ["connection", "keep-alive", "proxy-connection", "te", "transfer-encoding"] {
            assert!(matches!(name, hop_by_hop!()) && matches!(name, senders_own!()), "{name}");
        }
        assert!(matches!("host", senders_own!()) && !matches!("host", hop_by_hop!()));
        assert!(!matches!("content-type", senders_own!()));
    }
}
