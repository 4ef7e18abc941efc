//! The rules of the election, without I/O: what one candidate does next, given what it knows of the Lease.
//!
//! Two promises keep two candidates from leading at once. A leader believes in itself for half of the Lease's duration
//! only, counted from before it wrote; the others take the Lease only after they have seen it unchanged for the whole
//! duration, counted from after they read it. All times are this process's own: what other clocks wrote into the Lease
//! is not believed, only whether it has changed. And whoever writes names the version that it has read, so that of two
//! writers at most one succeeds.

use std::time::{Duration, Instant};

use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
    jiff::Timestamp,
};

/// What `--election-ttl` means if it is not above 0.
const DEFAULT_DURATION: Duration = Duration::from_secs(30);
/// How often a Lease is looked at that somebody else holds, at least. A released one is free at once, and is to be
/// noticed soon.
const LOOK: Duration = Duration::from_secs(2);

/// The times of an election (operations §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    duration: Duration,
}

impl Terms {
    /// Terms with Leases of this duration, in whole seconds; 0 is the default of 30 s.
    pub fn new(duration: Duration) -> Self {
        let duration = if duration.is_zero() { DEFAULT_DURATION } else { duration };
        let part = u64::from(duration.subsec_nanos() > 0);
        let seconds = duration.as_secs().saturating_add(part).min(i32::MAX as u64);
        Self { duration: Duration::from_secs(seconds) }
    }

    /// How long an unchanged Lease keeps others away.
    pub fn duration(self) -> Duration {
        self.duration
    }

    /// How long a leader believes in itself after it began to write the Lease.
    pub fn renew_deadline(self) -> Duration {
        self.duration / 2
    }

    /// How often a leader writes the Lease.
    pub fn retry(self) -> Duration {
        self.duration / 4
    }

    /// How often everybody else reads it, and how soon a leader that could not write tries again.
    pub fn look(self) -> Duration {
        self.retry().min(LOOK)
    }

    fn seconds(self) -> i32 {
        i32::try_from(self.duration.as_secs()).unwrap_or(i32::MAX)
    }
}

/// What a candidate does next.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Read the Lease, and tell [`Candidate::saw`].
    Look,
    /// Create the Lease. Tell [`Candidate::doubt`] before and [`Candidate::wrote`] after.
    Create(Lease),
    /// Replace the Lease, likewise.
    Update(Lease),
    /// Nothing, until then.
    Wait(Instant),
}

/// One that may become the leader.
#[derive(Debug)]
pub struct Candidate {
    lease: String,
    identity: String,
    terms: Terms,
    seen: Option<Seen>,
    /// When the Lease was read or written last, unless it has to be read before anything else.
    looked: Option<Instant>,
    /// A write may have been done, or may still be, without anybody having heard of it.
    is_unsure: bool,
    /// When the write began that made or kept us the leader.
    held: Option<Instant>,
}

/// The Lease as far as it is known.
#[derive(Debug)]
struct Seen {
    lease: Lease,
    exists: bool,
    /// When it was first seen to be as it is.
    changed: Instant,
}

impl Candidate {
    /// A candidate that knows nothing of the Lease yet.
    pub fn new(lease: &str, identity: &str, terms: Terms) -> Self {
        Self {
            lease: lease.into(),
            identity: identity.into(),
            terms,
            seen: None,
            looked: None,
            is_unsure: false,
            held: None,
        }
    }

    /// The times that count for it.
    pub fn terms(&self) -> Terms {
        self.terms
    }

    /// Until when it leads, unless it renews the Lease before.
    pub fn leads_until(&self) -> Option<Instant> {
        self.held.map(|since| since + self.terms.renew_deadline())
    }

    /// Whether it leads.
    pub fn leads(&self, now: Instant) -> bool {
        self.leads_until().is_some_and(|until| now < until)
    }

    /// Whether the Lease may name it, for all that is known.
    pub fn may_hold(&self) -> bool {
        self.held.is_some() || self.is_unsure || self.is_holder()
    }

    /// Who holds the Lease; `None` if nobody does, or nothing is known.
    pub fn holder(&self) -> Option<&str> {
        self.seen.as_ref().and_then(Seen::holder)
    }

    /// What to do now. `wall` is the time of day, for whoever reads the Lease.
    pub fn step(&self, now: Instant, wall: Timestamp) -> Step {
        let Some(looked) = self.looked else {
            return Step::Look;
        };
        let next_look = looked + self.terms.look();
        let Some(seen) = &self.seen else {
            return Step::Create(self.claim(wall));
        };
        let free_at = if self.is_holder() {
            self.held.map_or(now, |since| since + self.terms.retry())
        } else if seen.holder().is_none() {
            now
        } else if now >= next_look {
            return Step::Look;
        } else {
            seen.changed + seen.duration(self.terms)
        };
        match now >= free_at {
            true if seen.exists => Step::Update(self.claim(wall)),
            true => Step::Create(self.claim(wall)),
            false if self.is_holder() => Step::Wait(free_at),
            false => Step::Wait(free_at.min(next_look)),
        }
    }

    /// Takes the Lease as it is known, without waiting for its end. Only for what a holder cannot do any more that is
    /// known to be gone.
    pub fn seize(&self, wall: Timestamp) -> Step {
        let claim = self.claim(wall);
        match &self.seen {
            Some(seen) if seen.exists => Step::Update(claim),
            _ => Step::Create(claim),
        }
    }

    /// Notes how the Lease was read, or that there is none. `now` is after the answer.
    pub fn saw(&mut self, lease: Option<Lease>, now: Instant) {
        self.looked = Some(now);
        self.is_unsure = false;
        match (lease, &mut self.seen) {
            (Some(lease), Some(seen)) if seen.exists && seen.lease.spec == lease.spec => {
                seen.lease = lease;
            }
            (Some(lease), seen) => *seen = Some(Seen { lease, exists: true, changed: now }),
            // Somebody may still believe in the Lease that was there.
            (None, Some(seen)) => seen.exists = false,
            (None, None) => {}
        }
        if !self.is_holder() {
            self.held = None;
        }
    }

    /// Notes that the Lease may become, or may have become, another: it has to be read before anything else. Must be
    /// called before every write, whose answer may never come.
    pub fn doubt(&mut self) {
        self.looked = None;
        self.is_unsure = true;
    }

    /// Notes how the Lease was written, by a request that began at `began`.
    pub fn wrote(&mut self, lease: Lease, began: Instant, now: Instant) {
        self.seen = Some(Seen { lease, exists: true, changed: now });
        self.looked = Some(now);
        self.is_unsure = false;
        self.held = self.is_holder().then_some(began);
    }

    /// The Lease as it is when nobody holds it, if this candidate does; it does not lead from now on.
    pub fn release(&mut self, wall: Timestamp) -> Option<Lease> {
        self.held = None;
        let seen = self.seen.as_ref().filter(|seen| seen.exists)?;
        if !self.is_holder() {
            return None;
        }
        let mut lease = seen.lease.clone();
        let spec = lease.spec.get_or_insert_default();
        // What the reference's library writes. 1 s is the least that the API accepts.
        spec.holder_identity = None;
        spec.lease_duration_seconds = Some(1);
        spec.acquire_time = Some(MicroTime(wall));
        spec.renew_time = Some(MicroTime(wall));
        Some(lease)
    }

    /// Whether the Lease names it, though it may not lead any more or not yet.
    pub fn is_holder(&self) -> bool {
        self.holder() == Some(&self.identity)
    }

    /// The Lease with this candidate as its holder.
    fn claim(&self, wall: Timestamp) -> Lease {
        let seen = self.seen.as_ref();
        let mut lease = seen.filter(|seen| seen.exists).map_or_else(
            || Lease {
                metadata: ObjectMeta { name: Some(self.lease.clone()), ..ObjectMeta::default() },
                spec: None,
            },
            |seen| seen.lease.clone(),
        );
        let before = seen.and_then(|seen| seen.lease.spec.clone());
        let transitions = before.as_ref().and_then(|spec| spec.lease_transitions);
        let spec = lease.spec.get_or_insert_default();
        *spec = LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: Some(self.terms.seconds()),
            renew_time: Some(MicroTime(wall)),
            ..before.unwrap_or_default()
        };
        if self.is_holder() {
            spec.acquire_time.get_or_insert(MicroTime(wall));
        } else {
            spec.acquire_time = Some(MicroTime(wall));
            spec.lease_transitions = match seen {
                Some(_) => Some(transitions.unwrap_or(0).saturating_add(1)),
                None => Some(0),
            };
        }
        lease
    }
}

impl Seen {
    fn holder(&self) -> Option<&str> {
        let holder = self.lease.spec.as_ref()?.holder_identity.as_deref()?;
        (!holder.is_empty()).then_some(holder)
    }

    /// What the holder has asked for; it may have been told another than we were.
    fn duration(&self, terms: Terms) -> Duration {
        let seconds = self.lease.spec.as_ref().and_then(|spec| spec.lease_duration_seconds);
        let seconds = seconds.and_then(|seconds| u64::try_from(seconds).ok());
        let seconds = seconds.filter(|seconds| *seconds > 0);
        seconds.map_or(terms.duration(), Duration::from_secs)
    }
}

#[cfg(test)]
mod tests;
