//! Variables with one value per try: joined by commas, and by colons after an internal redirect.

use super::{
    Attempt, Escape,
    number::{push_number, push_seconds},
    variable::variables,
};

variables! {
    /// What is shown of each try.
    Upstream {
        Addr = "upstream_addr",
        Status = "upstream_status",
        ResponseTime = "upstream_response_time",
        ConnectTime = "upstream_connect_time",
        HeaderTime = "upstream_header_time",
        ResponseLength = "upstream_response_length",
    }
}

impl Upstream {
    /// Appends the value of every try.
    pub(super) fn write(self, line: &mut Vec<u8>, attempts: &[Attempt<'_>], escape: Escape) {
        if attempts.is_empty() {
            return escape.write_missing(line);
        }
        for (index, attempt) in attempts.iter().enumerate() {
            if index > 0 {
                line.extend_from_slice(if attempt.after_redirect { b" : " } else { b", " });
            }
            self.write_one(line, attempt);
        }
    }

    fn write_one(self, line: &mut Vec<u8>, attempt: &Attempt<'_>) {
        let time = match self {
            Self::Addr => return line.extend_from_slice(attempt.addr.as_bytes()),
            Self::ResponseLength => return push_number(line, attempt.response_length),
            Self::Status => match attempt.status {
                Some(status) => return push_number(line, status.into()),
                None => None,
            },
            Self::ResponseTime => attempt.response_time,
            Self::ConnectTime => attempt.connect_time,
            Self::HeaderTime => attempt.header_time,
        };
        match time {
            Some(time) => push_seconds(line, time),
            None => line.push(b'-'),
        }
    }
}
