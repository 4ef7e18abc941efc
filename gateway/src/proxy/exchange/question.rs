//! Lines of the access log about questions whether a request may pass (`enable-auth-access-log`).

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use http::StatusCode;
use smallvec::SmallVec;

use super::Exchange;
use crate::observe::access_log::{AccessRecord, Attempt};

/// A question that has a line of its own.
pub struct Question {
    began: Instant,
    tried: SmallVec<[SocketAddr; 2]>,
}

impl Question {
    /// Notes an address where it is asked.
    pub fn tried(&mut self, address: SocketAddr) {
        self.tried.push(address);
    }
}

impl Exchange {
    /// A question that begins now; none where they are not logged. As in the reference it does not count whether the location
    /// is logged (annotations §3.21).
    pub fn question(&self) -> Option<Question> {
        let settings = self.live.settings();
        if !(settings.spec.log.questions && settings.spec.access_log) {
            return None;
        }
        let target = self.inbound.raw_target();
        let unlogged = settings.unlogged.as_ref();
        let is_logged = unlogged.is_none_or(|texts| !texts.certainly_match(target));
        is_logged.then(|| Question { began: Instant::now(), tried: SmallVec::new() })
    }

    /// Writes the line of a question that was answered with this status, by whoever was asked last.
    pub fn log_question(&self, question: &Question, status: StatusCode) {
        let elapsed = question.began.elapsed();
        let texts: SmallVec<[String; 2]> = question.tried.iter().map(ToString::to_string).collect();
        let attempts: SmallVec<[Attempt<'_>; 2]> = texts
            .iter()
            .enumerate()
            .map(|(index, addr)| {
                let is_last = index + 1 == texts.len();
                let status = if is_last { status } else { StatusCode::BAD_GATEWAY };
                let time = if is_last { elapsed } else { Duration::ZERO };
                Attempt {
                    addr,
                    status: Some(status.as_u16()),
                    header_time: is_last.then_some(time),
                    response_time: Some(time),
                    ..Attempt::default()
                }
            })
            .collect();
        let record = AccessRecord {
            status: status.as_u16(),
            body_bytes_sent: 0,
            bytes_sent: 0,
            request_length: 0,
            ..self.access_record(elapsed, &attempts)
        };
        self.write_line(&record);
    }
}
