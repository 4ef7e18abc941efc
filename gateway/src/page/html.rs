//! The texts of the stock pages, put together at compile time.

use bytes::Bytes;

use super::{BadRequest, Style};

/// One page in its four forms.
pub(super) struct Page {
    plain: &'static str,
    plain_padded: &'static str,
    versioned: &'static str,
    versioned_padded: &'static str,
}

impl Page {
    /// The page in the given style, without a copy.
    pub(super) fn bytes(&self, style: Style) -> Bytes {
        let text = match (style.server_version, style.padding) {
            (false, false) => self.plain,
            (false, true) => self.plain_padded,
            (true, false) => self.versioned,
            (true, true) => self.versioned_padded,
        };
        Bytes::from_static(text.as_bytes())
    }
}

macro_rules! padding {
    () => {
        concat!(padding!(2), padding!(2), padding!(2))
    };
    (2) => {
        concat!(padding!(1), padding!(1))
    };
    (1) => {
        "<!-- a padding to disable MSIE and Chrome friendly error page -->\r\n"
    };
}

macro_rules! html {
    ($title:literal, $heading:literal, [$($cause:literal)?], $server:literal $($end:tt)*) => {
        concat!(
            "<html>\r\n<head><title>", $title, "</title></head>\r\n<body>\r\n",
            "<center><h1>", $heading, "</h1></center>\r\n",
            $("<center>", $cause, "</center>\r\n",)?
            "<hr><center>", $server, "</center>\r\n</body>\r\n</html>\r\n"
            $($end)*
        )
    };
}

macro_rules! error {
    ($title:literal) => {
        error!($title, $title, [])
    };
    ($title:literal, $heading:literal, $cause:tt) => {
        Page {
            plain: html!($title, $heading, $cause, "nginx"),
            plain_padded: html!($title, $heading, $cause, "nginx", padding!()),
            versioned: html!($title, $heading, $cause, "nginx/1.27.1"),
            versioned_padded: html!($title, $heading, $cause, "nginx/1.27.1", padding!()),
        }
    };
}

macro_rules! redirect {
    ($title:literal) => {
        Page {
            plain: html!($title, $title, [], "nginx"),
            plain_padded: html!($title, $title, [], "nginx"),
            versioned: html!($title, $title, [], "nginx/1.27.1"),
            versioned_padded: html!($title, $title, [], "nginx/1.27.1"),
        }
    };
}

/// The page of a status, if it has one.
pub(super) fn by_status(status: u16) -> Option<Page> {
    Some(match status {
        301 => redirect!("301 Moved Permanently"),
        302 => redirect!("302 Found"),
        303 => redirect!("303 See Other"),
        307 => redirect!("307 Temporary Redirect"),
        308 => redirect!("308 Permanent Redirect"),
        400 => error!("400 Bad Request"),
        401 => error!("401 Authorization Required"),
        402 => error!("402 Payment Required"),
        403 => error!("403 Forbidden"),
        404 => error!("404 Not Found"),
        405 => error!("405 Not Allowed"),
        406 => error!("406 Not Acceptable"),
        408 => error!("408 Request Time-out"),
        409 => error!("409 Conflict"),
        410 => error!("410 Gone"),
        411 => error!("411 Length Required"),
        412 => error!("412 Precondition Failed"),
        413 => error!("413 Request Entity Too Large"),
        414 => error!("414 Request-URI Too Large"),
        415 => error!("415 Unsupported Media Type"),
        416 => error!("416 Requested Range Not Satisfiable"),
        421 => error!("421 Misdirected Request"),
        429 => error!("429 Too Many Requests"),
        500 => error!("500 Internal Server Error"),
        501 => error!("501 Not Implemented"),
        502 => error!("502 Bad Gateway"),
        503 => error!("503 Service Temporarily Unavailable"),
        504 => error!("504 Gateway Time-out"),
        505 => error!("505 HTTP Version Not Supported"),
        507 => error!("507 Insufficient Storage"),
        _ => return None,
    })
}

/// The page of a 400 with a known cause.
pub(super) fn bad_request(cause: BadRequest) -> Page {
    match cause {
        BadRequest::HeaderTooLarge => error!(
            "400 Request Header Or Cookie Too Large",
            "400 Bad Request",
            ["Request Header Or Cookie Too Large"]
        ),
        BadRequest::CertificateError => error!(
            "400 The SSL certificate error",
            "400 Bad Request",
            ["The SSL certificate error"]
        ),
        BadRequest::CertificateMissing => error!(
            "400 No required SSL certificate was sent",
            "400 Bad Request",
            ["No required SSL certificate was sent"]
        ),
        BadRequest::PlainHttpOnHttpsPort => error!(
            "400 The plain HTTP request was sent to HTTPS port",
            "400 Bad Request",
            ["The plain HTTP request was sent to HTTPS port"]
        ),
    }
}
