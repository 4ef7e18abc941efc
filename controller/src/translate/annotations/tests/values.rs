//! Values that annotations take that have a check of their own (annotations §2).

use super::*;

#[test]
fn what_is_accepted_and_what_is_not() {
    for (name, good, bad) in [
        ("affinity", &["cookie", " cookie "][..], &["Cookie", "ip"][..]),
        ("affinity-mode", &["balanced", "persistent"], &["sticky"]),
        ("auth-method", &["GET", "TRACE"], &["get", "GET POST"]),
        ("backend-protocol", &["HTTP", "grpcs", "Auto_Http"], &["HTTP2", ""]),
        ("connection-proxy-header", &["close", "keep-alive"], &["Close", "upgrade"]),
        ("cors-allow-headers", &["X-A, X_B"], &["X-A;", "*"]),
        ("cors-allow-methods", &["GET, POST"], &["GET;", "M-SEARCH"]),
        (
            "cors-allow-origin",
            &["*", "null", "https://a.test", "https://*.a.test:8443, http://b", "a.test"],
            &["https://a.test/path", "https://", "https://*.*.test", "https://a b;"],
        ),
        ("cors-expose-headers", &["*", "X-A, X-B"], &["X:A"]),
        ("custom-http-errors", &["404", "404, 503"], &["200", "600", "404,", "40x", "0404"]),
        ("fastcgi-index", &["index.php"], &["a/b", " ", "$x"]),
        ("load-balance", &["ewma", "round_robin", "chashsubset"], &["least_conn", "EWMA"]),
        ("opentelemetry-operation-name", &["a b_c-1"], &["a/b", "$uri"]),
        ("proxy-cookie-domain", &["off", "a.test b.test"], &["a.test", "a b c", "~a $b"]),
        ("proxy-http-version", &["1.0", "1.1"], &["2", "1"]),
        ("proxy-ssl-ciphers", &["HIGH:!aNULL"], &["HIGH;", "@STRENGTH"]),
        ("proxy-ssl-protocols", &["TLSv1.2 TLSv1.3"], &["TLSv1.1", "SSLv3"]),
        ("session-cookie-expires", &["0", "172800", "1 0"], &["x", "-0", "10s"]),
        ("session-cookie-samesite", &["None", "lax", "STRICT"], &["no"]),
        (
            "ssl-ciphers",
            &["ALL:!aNULL:+RC4:@STRENGTH", "DEFAULT:@SECLEVEL=0", "A-B_C"],
            &["ALL;", "@SECLEVEL=6", "@SECLEVEL", "@strength", "ALL=1"],
        ),
        ("upstream-hash-by", &["$request_uri", "${a}-$b"], &["$a;b", "$a/$b"]),
    ] {
        let accepts = BY_NAME[name].check.accepts;
        let wrong: Vec<_> = good.iter().filter(|value| !accepts(value)).collect();
        assert_eq!(wrong, [&""; 0], "{name} takes them");
        let wrong: Vec<_> = bad.iter().filter(|value| accepts(value)).collect();
        assert_eq!(wrong, [&""; 0], "{name} does not take them");
    }
}

#[test]
fn passwords_in_urls_are_not_repeated() {
    for name in ["auth-url", "auth-signin"] {
        let annotations =
            [("auth-url", "http://a.test/"), (name, "https://svc:secret@a.test/x?y=z")];
        let annotations = &annotations[usize::from(name == "auth-url")..];
        let said = match try_read(annotations) {
            Ok((_, findings)) => format!("{findings:?}"),
            Err(finding) => finding.message,
        };
        assert!(said.contains(name) && said.contains("@a.test/x?y=z"), "{said}");
        assert!(!said.contains("secret") && !said.contains("svc:"), "{said}");
    }
}
