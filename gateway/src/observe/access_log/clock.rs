//! The time of a log line. Its texts change once a second and are kept for as long.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Renders the current time, with the texts of the second cached. Times are in UTC.
#[derive(Debug)]
pub(super) struct Clock {
    second: u64,
    now: Now,
}

/// A moment in the forms that a log line may contain.
#[derive(Debug)]
pub(super) struct Now {
    /// As in `$time_local`: `21/Nov/2026:13:55:54 +0000`.
    pub(super) local: String,
    /// As in `$time_iso8601`: `2026-11-21T13:55:54+00:00`.
    pub(super) iso: String,
    /// Since 1970.
    pub(super) since_epoch: Duration,
}

/// A moment as text outside of the log: seconds since 1970 with `seconds` (`$msec`), otherwise `$time_iso8601`.
pub(crate) fn time_text(time: SystemTime, seconds: bool) -> String {
    let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    if seconds {
        return format!("{}.{:03}", since_epoch.as_secs(), since_epoch.subsec_millis());
    }
    render(since_epoch.as_secs()).iso
}

/// A moment as in RFC 3164: `Nov 21 13:55:54`.
pub(super) fn stamp(time: SystemTime) -> String {
    let second = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (_, month, day) = date(second / 86_400);
    let (hour, minute, rest) = (second / 3600 % 24, second / 60 % 60, second % 60);
    format!("{} {day:2} {hour:02}:{minute:02}:{rest:02}", MONTHS[month as usize - 1])
}

impl Default for Clock {
    fn default() -> Self {
        Self { second: 0, now: render(0) }
    }
}

impl Clock {
    /// The given time as text.
    pub(super) fn at(&mut self, time: SystemTime) -> &Now {
        let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        if since_epoch.as_secs() != self.second {
            self.second = since_epoch.as_secs();
            self.now = render(self.second);
        }
        self.now.since_epoch = since_epoch;
        &self.now
    }
}

fn render(second: u64) -> Now {
    let (year, month, day) = date(second / 86_400);
    let (hour, minute, rest) = (second / 3600 % 24, second / 60 % 60, second % 60);
    let name = MONTHS[month as usize - 1];
    Now {
        local: format!("{day:02}/{name}/{year:04}:{hour:02}:{minute:02}:{rest:02} +0000"),
        iso: format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{rest:02}+00:00"),
        since_epoch: Duration::from_secs(second),
    }
}

/// Year, month and day of a number of days since 1970, in the Gregorian calendar. Counts from 1 March of the year 0,
/// so that the leap day is the last of its year.
fn date(days: u64) -> (u64, u64, u64) {
    const DAYS_OF_400_YEARS: u64 = 146_097;
    let days = days + 719_468;
    let (era, day) = (days / DAYS_OF_400_YEARS, days % DAYS_OF_400_YEARS);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day_of_month = day - (153 * month + 2) / 5 + 1;
    let (month, carry) = match month {
        0..10 => (month + 3, 0),
        _ => (month - 9, 1),
    };
    (era * 400 + year + carry, month, day_of_month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_right_around_leap_days_and_centuries() {
        for (second, iso) in [
            (0, "1970-01-01T00:00:00+00:00"),
            (951_782_399, "2000-02-28T23:59:59+00:00"),
            (951_782_400, "2000-02-29T00:00:00+00:00"),
            (1_709_251_199, "2024-02-29T23:59:59+00:00"),
            (1_709_251_200, "2024-03-01T00:00:00+00:00"),
            (1_795_269_354, "2026-11-21T13:55:54+00:00"),
            (4_107_542_400, "2100-03-01T00:00:00+00:00"),
        ] {
            assert_eq!(render(second).iso, iso);
        }
    }

    #[test]
    fn the_local_form_has_the_month_by_name() {
        assert_eq!(render(1_795_269_354).local, "21/Nov/2026:13:55:54 +0000");
    }

    #[test]
    fn a_clock_follows_the_time_in_both_directions() {
        let mut clock = Clock::default();
        let at = |milliseconds| UNIX_EPOCH + Duration::from_millis(milliseconds);
        assert_eq!(clock.at(at(1_500)).iso, "1970-01-01T00:00:01+00:00");
        assert_eq!(clock.at(at(1_999)).since_epoch.as_millis(), 1_999);
        assert_eq!(clock.at(at(2_000)).iso, "1970-01-01T00:00:02+00:00");
        assert_eq!(clock.at(at(100)).iso, "1970-01-01T00:00:00+00:00");
    }
}
