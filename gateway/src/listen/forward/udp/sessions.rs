//! The sessions of all UDP ports of a worker. Each needs a socket, and whoever can invent addresses can begin as many as there
//! are addresses: they are bounded together, and those that are needed least make room.

use std::{
    cell::{Cell, RefCell},
    ops::Deref,
    rc::Rc,
    time::Instant,
};

use super::{Port, Session};

/// Sessions that a worker has at most.
const MOST: usize = 1024;
/// Bytes of datagrams that a worker keeps at most for other endpoints.
const MOST_KEPT: usize = 4 << 20;

/// All of them.
#[derive(Default)]
pub struct Sessions {
    all: RefCell<Vec<Rc<Session>>>,
    kept: Cell<usize>,
}

impl Sessions {
    /// Ends the session that is needed least if there is no room for one more.
    pub fn make_room(&self) {
        let least = {
            let all = self.all.borrow();
            if all.len() < MOST {
                return;
            }
            least_needed(all.iter().map(|session| (session.answered.get() > 0, session.last.get())))
        };
        let least = least.map(|at| self.all.borrow_mut().swap_remove(at));
        if let Some(session) = least {
            session.end();
        }
    }

    /// Keeps a datagram, if there is room for it.
    pub fn keep(self: &Rc<Self>, datagram: &[u8]) -> Option<Kept> {
        let kept = self.kept.get() + datagram.len();
        (kept <= MOST_KEPT).then(|| {
            self.kept.set(kept);
            Kept { datagram: datagram.into(), of: Rc::clone(self) }
        })
    }
}

/// The session that has been silent for longest, of those that were never answered if there are any: they may be nobody's.
fn least_needed(sessions: impl Iterator<Item = (bool, Instant)>) -> Option<usize> {
    sessions.enumerate().min_by_key(|(_, session)| *session).map(|(at, _)| at)
}

/// A datagram that another endpoint may have to be sent. It counts as long as it is here.
pub struct Kept {
    datagram: Box<[u8]>,
    of: Rc<Sessions>,
}

impl Deref for Kept {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.datagram
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.of.kept.set(self.of.kept.get().saturating_sub(self.datagram.len()));
    }
}

/// A session that its port and its worker know, until this is dropped.
pub struct Registered {
    pub session: Rc<Session>,
    pub port: Rc<Port>,
}

impl Registered {
    /// Lets both know it.
    pub fn new(port: &Rc<Port>, session: Session) -> Self {
        let session = Rc::new(session);
        port.sessions.borrow_mut().insert(session.client, Rc::clone(&session));
        port.all.all.borrow_mut().push(Rc::clone(&session));
        Self { session, port: Rc::clone(port) }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.port.forget(&self.session);
        let mut all = self.port.all.all.borrow_mut();
        // One that had to make room is gone already.
        let at = all.iter().position(|session| Rc::ptr_eq(session, &self.session));
        let gone = at.map(|at| all.swap_remove(at));
        drop(all);
        drop(gone);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn sessions_without_answers_make_room_before_others_and_the_silent_before_those_that_talk() {
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        let first = |sessions: &[(bool, Instant)]| least_needed(sessions.iter().copied());
        assert_eq!(first(&[(true, at(0)), (false, at(9)), (false, at(5)), (true, at(1))]), Some(2));
        assert_eq!(first(&[(true, at(3)), (true, at(1)), (true, at(2))]), Some(1));
        assert_eq!(first(&[]), None);
    }

    #[test]
    fn datagrams_are_kept_as_long_as_there_is_room_for_them() {
        let sessions = Rc::new(Sessions::default());
        let most = MOST_KEPT / 1024;
        let mut kept: Vec<_> = (0..most).filter_map(|_| sessions.keep(&[7; 1024])).collect();
        assert_eq!(kept.len(), most);
        assert!(sessions.keep(&[7]).is_none());
        kept.pop();
        assert_eq!(sessions.keep(&[7; 1024]).as_deref(), Some(&[7; 1024][..]));
        drop(kept);
        assert_eq!(sessions.kept.get(), 0);
    }
}
