//! The stock bodies of answers that the gateway makes itself: errors and redirects, byte for byte as the reference
//! sends them (configmap-and-flags §11). All static; nothing is formatted per request. Which status is answered, and
//! with which headers besides `Content-Type`, is decided by the callers.

use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use memchr::memmem;

mod html;

/// `Content-Type` of every body of this module.
pub const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("text/html");

/// What varies in the stock pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Name the server's version under the rule (`server-tokens`).
    pub server_version: bool,
    /// Append the lines that keep some browsers from showing a page of their own, see [`wants_padding`]. Has no
    /// effect below status 400.
    pub padding: bool,
}

/// Causes of a 400 that have a page of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadRequest {
    /// The head of the request is larger than allowed.
    HeaderTooLarge,
    /// The client's certificate was not accepted.
    CertificateError,
    /// A client certificate is required, and none was sent.
    CertificateMissing,
    /// Plain HTTP arrived at a TLS port.
    PlainHttpOnHttpsPort,
}

/// The body for `status`; empty where the reference has no page for it.
pub fn body(status: StatusCode, style: Style) -> Bytes {
    html::by_status(status.as_u16()).map_or_else(Bytes::new, |page| page.bytes(style))
}

/// The body of a 400 with a known cause.
pub fn bad_request(cause: BadRequest, style: Style) -> Bytes {
    html::bad_request(cause).bytes(style)
}

/// Whether pages for the client with this `User-Agent` are padded: old Internet Explorers, and Chrome.
pub fn wants_padding(user_agent: Option<&[u8]>) -> bool {
    let Some(agent) = user_agent else {
        return false;
    };
    let names = |token: &[u8]| memmem::find(agent, token).is_some();
    if names(b"Opera") {
        return false;
    }
    // The reference counts an agent with `Gecko/` as a Gecko browser, whatever else it claims to be. Chrome's own
    // text is `like Gecko) Chrome/`, without that slash.
    names(b"MSIE ") || (names(b"Chrome/") && !names(b"Gecko/"))
}

/// The text of the status line as the reference writes it, where it differs from the registered one.
pub fn reason(status: StatusCode) -> Option<&'static str> {
    Some(match status.as_u16() {
        302 => "Moved Temporarily",
        405 => "Not Allowed",
        408 => "Request Time-out",
        413 => "Request Entity Too Large",
        414 => "Request-URI Too Large",
        416 => "Requested Range Not Satisfiable",
        503 => "Service Temporarily Unavailable",
        504 => "Gateway Time-out",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(status: u16, style: Style) -> String {
        let status = StatusCode::from_u16(status).unwrap();
        String::from_utf8(body(status, style).to_vec()).unwrap()
    }

    #[test]
    fn the_404_page_is_the_references_byte_for_byte() {
        assert_eq!(
            text(404, Style::default()),
            "<html>\r\n<head><title>404 Not Found</title></head>\r\n<body>\r\n<center><h1>404 Not Found</h1></center>\r\n\
             <hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
        );
    }

    #[test]
    fn titles_are_the_references_where_they_differ_from_the_registered_ones() {
        for (status, title) in [
            (302, "302 Found"),
            (308, "308 Permanent Redirect"),
            (401, "401 Authorization Required"),
            (405, "405 Not Allowed"),
            (408, "408 Request Time-out"),
            (413, "413 Request Entity Too Large"),
            (414, "414 Request-URI Too Large"),
            (416, "416 Requested Range Not Satisfiable"),
            (503, "503 Service Temporarily Unavailable"),
            (504, "504 Gateway Time-out"),
        ] {
            let page = text(status, Style::default());
            assert!(page.contains(&format!("<title>{title}</title>")), "{page}");
            assert!(page.contains(&format!("<h1>{title}</h1>")), "{page}");
        }
    }

    #[test]
    fn a_status_without_a_page_has_an_empty_body() {
        for status in [200, 204, 304, 418, 499, 511] {
            assert_eq!(text(status, Style::default()), "", "{status}");
        }
    }

    #[test]
    fn the_version_is_named_only_on_request() {
        let style = Style { server_version: true, ..Style::default() };
        assert!(text(502, style).contains("<hr><center>nginx/1.27.1</center>"));
        assert!(!text(502, Style::default()).contains("1.27"));
    }

    #[test]
    fn padding_follows_error_pages_but_not_redirects() {
        let style = Style { padding: true, ..Style::default() };
        let line = "<!-- a padding to disable MSIE and Chrome friendly error page -->\r\n";
        assert_eq!(text(404, style), text(404, Style::default()) + &line.repeat(6));
        assert_eq!(text(308, style), text(308, Style::default()));
    }

    #[test]
    fn a_special_400_keeps_the_plain_heading_and_adds_its_cause() {
        let page = bad_request(BadRequest::PlainHttpOnHttpsPort, Style::default());
        assert_eq!(
            page,
            "<html>\r\n<head><title>400 The plain HTTP request was sent to HTTPS port</title></head>\r\n<body>\r\n\
             <center><h1>400 Bad Request</h1></center>\r\n\
             <center>The plain HTTP request was sent to HTTPS port</center>\r\n\
             <hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
        );
    }

    #[test]
    fn chrome_and_old_explorers_are_padded_and_others_are_not() {
        let chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36";
        for agent in [chrome, "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)"] {
            assert!(wants_padding(Some(agent.as_bytes())), "{agent}");
        }
        for agent in [
            "curl/8.5.0",
            "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
            "Mozilla/4.0 (compatible; MSIE 6.0; X11; Linux i686) Opera 7.20",
        ] {
            assert!(!wants_padding(Some(agent.as_bytes())), "{agent}");
        }
        assert!(!wants_padding(None));
    }
}
