//! Time limits of requests, right to a tick of the coarse clock. A limit that is nearly never reached must cost
//! nearly nothing: setting one is a store and a waker's count, where a timer of the runtime takes a lock twice.

use std::{
    cell::RefCell,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use crate::clock;

/// The limits of one worker.
#[derive(Default)]
pub struct Deadlines {
    entries: RefCell<Entries>,
}

#[derive(Default)]
struct Entries {
    slots: Vec<Option<Entry>>,
    free: Vec<usize>,
}

struct Entry {
    at: u32,
    waker: Option<Waker>,
}

/// One limit; it ends with this value.
pub struct Deadline {
    list: Rc<Deadlines>,
    slot: usize,
}

impl Deadlines {
    /// A limit that is reached in `limit` from now, or up to a tick later.
    pub fn set(self: &Rc<Self>, limit: Duration) -> Deadline {
        let mut entries = self.entries.borrow_mut();
        let entry = Some(Entry { at: moment(limit), waker: None });
        let slot = match entries.free.pop() {
            Some(slot) => {
                entries.slots[slot] = entry;
                slot
            }
            None => {
                entries.slots.push(entry);
                entries.slots.len() - 1
            }
        };
        Deadline { list: Rc::clone(self), slot }
    }

    /// Wakes those whose limit is reached. Called once per tick.
    pub fn wake_expired(&self) {
        let now = clock::tick();
        for entry in self.entries.borrow_mut().slots.iter_mut().flatten() {
            if entry.at <= now
                && let Some(waker) = entry.waker.take()
            {
                waker.wake();
            }
        }
    }
}

/// The tick at which a limit that begins now is surely over.
fn moment(limit: Duration) -> u32 {
    let ticks = limit.as_millis().div_ceil(clock::TICK.as_millis());
    clock::tick().saturating_add(u32::try_from(ticks).unwrap_or(u32::MAX)).saturating_add(1)
}

impl Deadline {
    /// Starts again from now.
    pub fn reset(&self, limit: Duration) {
        if let Some(entry) = &mut self.list.entries.borrow_mut().slots[self.slot] {
            entry.at = moment(limit);
        }
    }

    /// Ready when the limit is reached; the task is woken for it.
    pub fn poll_expired(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut entries = self.list.entries.borrow_mut();
        let Some(entry) = &mut entries.slots[self.slot] else { return Poll::Ready(()) };
        if entry.at <= clock::tick() {
            return Poll::Ready(());
        }
        match &mut entry.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        Poll::Pending
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        let mut entries = self.list.entries.borrow_mut();
        entries.slots[self.slot] = None;
        entries.free.push(self.slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_reached_when_its_ticks_are_over_and_can_be_started_again() {
        let list = Rc::new(Deadlines::default());
        let (short, long) = (list.set(Duration::ZERO), list.set(Duration::from_secs(3600)));
        let mut cx = Context::from_waker(Waker::noop());
        let begin = clock::tick();
        while clock::tick() < begin + 2 {
            clock::advance();
        }
        assert_eq!(short.poll_expired(&mut cx), Poll::Ready(()));
        assert_eq!(long.poll_expired(&mut cx), Poll::Pending);
        short.reset(Duration::from_secs(3600));
        assert_eq!(short.poll_expired(&mut cx), Poll::Pending);
    }

    #[test]
    fn slots_are_used_again() {
        let list = Rc::new(Deadlines::default());
        for _ in 0..100 {
            drop(list.set(Duration::from_secs(1)));
        }
        assert_eq!(list.entries.borrow().slots.len(), 1);
    }
}
