//! The last steps of an answer: what all answers carry is added, a stock page is printed, what may be is compressed.

use headgate_config::Settings;
use http::{HeaderMap, HeaderValue, Response, StatusCode, Version, header};
use hyper::ext::ReasonPhrase;

use super::{Answer, Stock};
use crate::{
    live::{LiveConfig, LiveSettings},
    page,
    proxy::{
        exchange::Exchange,
        response_body::{Encoded, ResponseBody, Source},
        revise, snippet,
    },
};

impl Answer {
    /// Adds what all answers carry and makes the response.
    pub fn finish(
        mut self,
        mut exchange: Box<Exchange>,
        live: &LiveConfig,
    ) -> Response<ResponseBody> {
        let settings = &live.settings;
        if let Some(origin) = exchange.allowed_origin.take()
            && let Some(cors) = exchange.cors()
        {
            cors.add_to(origin, &mut self.headers);
        }
        if let Some(hsts) = &settings.hsts
            && exchange.connection.tls
            && exchange.is_located()
        {
            self.headers.insert(header::STRICT_TRANSPORT_SECURITY, hsts.clone());
        }
        if exchange.version() != Version::HTTP_2 && self.status != StatusCode::SWITCHING_PROTOCOLS {
            let value = self.connection(&exchange, settings);
            self.headers.insert(header::CONNECTION, HeaderValue::from_static(value));
        }
        if let Some(cookies) = exchange.cookies.take() {
            cookies.add_to(self.status, &mut self.headers);
        }
        revise::add(&mut self.headers, &exchange, live);
        let wants_compression =
            !exchange.has_snippets() || snippet::finish(&exchange, live, &mut self);
        let reason = self.print_page(&exchange, &settings.spec);
        if settings.compressor.is_some() && wants_compression {
            self.compress(&exchange, live);
        }
        exchange.status = self.status.as_u16();
        exchange.head_sent = head_length(&self.headers);
        if self.source.is_upstream() {
            // It may go on for hours.
            exchange.release_table();
        }
        let mut response = Response::new(match self.tunnel {
            Some(tunnel) => {
                tunnel.start(exchange);
                ResponseBody::of_upgrade()
            }
            None => ResponseBody::new(self.source, exchange),
        });
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        if let Some(reason) = reason {
            response.extensions_mut().insert(ReasonPhrase::from_static(reason.as_bytes()));
        }
        response
    }

    /// Makes a stock page the body; the text of its status line, if that is not the registered one.
    fn print_page(&mut self, exchange: &Exchange, settings: &Settings) -> Option<&'static str> {
        let server_version = settings.headers.server_tokens;
        let (body, reason) = match self.page? {
            Stock::Status | Stock::Fallback => {
                let style = page::Style { padding: exchange.wants_padding(), server_version };
                (page::body(self.status, style), page::reason(self.status))
            }
            Stock::BadRequest(cause) => {
                let style = page::Style { padding: false, server_version };
                (page::bad_request(cause, style), None)
            }
        };
        self.source = Source::Full(Some(body));
        reason
    }

    fn compress(&mut self, exchange: &Exchange, live: &LiveConfig) {
        // The reference only knows what an upstream has announced.
        let length =
            self.source.left().filter(|_| self.page.is_some() || exchange.attempts.is_empty());
        if let Some(encoder) =
            revise::compress(self.status, &mut self.headers, length, exchange, live)
        {
            let inner = std::mem::replace(&mut self.source, Source::Empty);
            self.source = Source::Encoded(Box::new(Encoded::new(inner, encoder)));
        }
    }

    /// What is said about the connection. The reference always says something.
    fn connection(&self, exchange: &Exchange, settings: &LiveSettings) -> &'static str {
        let leaves_body = exchange.leaves_body();
        if self.close || leaves_body {
            exchange.connection.linger();
        }
        // As long as an upstream answers, the upload to it may yet come to its end.
        let close = self.close
            || (leaves_body && !self.source.is_upstream())
            || !exchange.wants_keep_alive()
            || exchange.worker.is_leaving()
            || settings.spec.keep_alive.is_zero()
            || exchange.connection.has_had_enough(settings);
        if close { "close" } else { "keep-alive" }
    }
}

/// Bytes that a head takes on the wire, status line included, as HTTP/1 writes it.
fn head_length(headers: &HeaderMap) -> u64 {
    const STATUS_LINE: usize = 17;
    let lines: usize =
        headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    (STATUS_LINE + lines + 2) as u64
}
