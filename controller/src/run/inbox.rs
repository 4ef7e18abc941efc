//! What a controller's thread waits for.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError},
    time::Instant,
};

/// Waits for the first signal until the deadline, and goes on with those that are pending already; nothing more is
/// waited for, so that all of them go into one snapshot. None at all if the deadline passes first; `None` if nobody is
/// left who could send any.
pub fn pending<T>(
    signals: &Receiver<T>,
    deadline: Instant,
) -> Option<impl Iterator<Item = T> + use<'_, T>> {
    let first = match signals.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        Ok(signal) => Some(signal),
        Err(RecvTimeoutError::Timeout) => None,
        Err(RecvTimeoutError::Disconnected) => return None,
    };
    Some(first.into_iter().chain(signals.try_iter()))
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc::channel, time::Duration};

    use super::*;

    #[test]
    fn what_is_pending_comes_with_the_first_and_nothing_is_waited_for() {
        let (sender, signals) = channel();
        let soon = || Instant::now() + Duration::from_millis(1);
        assert_eq!(pending(&signals, soon()).map(Iterator::count), Some(0));
        for number in 0..3 {
            sender.send(number).unwrap();
        }
        let found: Vec<_> = pending(&signals, soon()).unwrap().collect();
        assert_eq!(found, [0, 1, 2]);
        drop(sender);
        assert!(pending(&signals, soon()).is_none());
    }
}
