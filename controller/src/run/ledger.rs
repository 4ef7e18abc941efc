//! When the log says what was taken: at once if nothing was said just before, otherwise all that came meanwhile in one
//! line. Whatever changes how often, it is about a line a second.

use std::time::{Duration, Instant};

use super::taken::Taken;

/// Between two lines, at least.
const EVERY: Duration = Duration::from_secs(1);
/// Findings that are told one by one in that time, at most, when they do not hold any more.
const CLEARED: u32 = 10;

/// What was taken and not told yet.
#[derive(Debug, Default)]
pub struct Ledger {
    open: Taken,
    batches: u32,
    /// When the next line may be written.
    next: Option<Instant>,
    /// Cleared findings that were told since then.
    told: (Option<Instant>, u32),
}

impl Ledger {
    /// Notes what was taken; the line to write now, if it is time.
    pub fn note(&mut self, taken: Taken, now: Instant) -> Option<String> {
        if !taken.is_empty() {
            self.open.add(taken);
            self.batches += 1;
        }
        self.due(now)
    }

    /// The line to write now, if there is anything to say and it is time.
    pub fn due(&mut self, now: Instant) -> Option<String> {
        if self.batches == 0 || self.next.is_some_and(|next| now < next) {
            return None;
        }
        self.next = Some(now + EVERY);
        let batches = std::mem::take(&mut self.batches);
        Some(std::mem::take(&mut self.open).line(batches))
    }

    /// When there is a line to write.
    pub fn deadline(&self) -> Option<Instant> {
        self.next.filter(|_| self.batches > 0)
    }

    /// Whether one more cleared finding may be told on a line of its own.
    pub fn may_tell(&mut self, now: Instant) -> bool {
        let (since, told) = &mut self.told;
        if since.is_none_or(|since| now >= since + EVERY) {
            (*since, *told) = (Some(now), 0);
        }
        *told += 1;
        *told <= CLEARED
    }
}

#[cfg(test)]
mod tests {
    use super::{super::taken::Fate, *};
    use crate::objects::{Key, Kind};

    fn taken(name: &str) -> Taken {
        let object = (Kind::Ingress, Key::new("a", name));
        Taken { objects: [(object, Fate::Changed)].into(), differs: true, ..Taken::default() }
    }

    #[test]
    fn a_single_change_is_told_at_once() {
        let (mut ledger, now) = (Ledger::default(), Instant::now());
        assert!(ledger.note(taken("web"), now).unwrap().contains("Ingress a/web changed"));
        assert_eq!((ledger.deadline(), ledger.due(now + EVERY)), (None, None));
        assert!(ledger.note(taken("web"), now + EVERY).is_some());
    }

    #[test]
    fn a_hundred_changes_in_a_second_are_two_lines_with_totals() {
        let (mut ledger, start) = (Ledger::default(), Instant::now());
        let mut lines = Vec::new();
        for number in 0..100 {
            let now = start + Duration::from_millis(10 * number);
            lines.extend(ledger.note(taken(&format!("{number:02}")), now));
        }
        let deadline = ledger.deadline().expect("the rest waits");
        lines.extend(ledger.due(deadline));
        assert_eq!(lines.len(), 2, "{lines:?}");
        let line = &lines[1];
        assert!(
            line.contains("in 99 steps: 99 Ingresses changed (a/01, a/02, a/03 and 96 more)"),
            "{line}"
        );
        assert_eq!(ledger.deadline(), None);
    }

    #[test]
    fn what_says_nothing_is_no_line() {
        let (mut ledger, now) = (Ledger::default(), Instant::now());
        assert_eq!((ledger.note(Taken::default(), now), ledger.deadline()), (None, None));
    }

    #[test]
    fn only_so_many_cleared_findings_are_told_in_a_second() {
        let (mut ledger, now) = (Ledger::default(), Instant::now());
        let told = (0..1000).filter(|_| ledger.may_tell(now)).count();
        assert_eq!(told, CLEARED as usize);
        assert!(ledger.may_tell(now + EVERY));
    }
}
