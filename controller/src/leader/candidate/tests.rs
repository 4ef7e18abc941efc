use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn wall() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

fn candidate(identity: &str) -> Candidate {
    Candidate::new("leader", identity, Terms::new(Duration::ZERO))
}

/// A Lease that somebody holds, in a version of its own.
fn held_by(holder: &str, renewal: i64) -> Lease {
    let spec = LeaseSpec {
        holder_identity: Some(holder.into()),
        lease_duration_seconds: Some(30),
        renew_time: Some(MicroTime(Timestamp::from_second(renewal).unwrap())),
        lease_transitions: Some(4),
        ..LeaseSpec::default()
    };
    let metadata =
        ObjectMeta { resource_version: Some(renewal.to_string()), ..ObjectMeta::default() };
    Lease { metadata, spec: Some(spec) }
}

fn claimed(step: Step) -> LeaseSpec {
    match step {
        Step::Create(lease) | Step::Update(lease) => lease.spec.unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_times_are_those_of_the_reference() {
    for (ttl, duration, retry, look) in [
        (Duration::ZERO, 30 * SECOND, 7500, 2000),
        (30 * SECOND, 30 * SECOND, 7500, 2000),
        (4 * SECOND, 4 * SECOND, 1000, 1000),
        (Duration::from_millis(1500), 2 * SECOND, 500, 500),
        (Duration::MAX, Duration::from_secs(i32::MAX as u64), 536_870_911_750, 2000),
    ] {
        let terms = Terms::new(ttl);
        assert_eq!(terms.duration(), duration, "{ttl:?}");
        assert_eq!(terms.renew_deadline(), duration / 2);
        assert_eq!(terms.retry().as_millis(), retry);
        assert_eq!(terms.look().as_millis(), look);
    }
}

#[test]
fn a_lease_that_is_not_there_is_created() {
    let (now, mut me) = (Instant::now(), candidate("me"));
    assert_eq!(me.step(now, wall()), Step::Look);
    me.saw(None, now);
    let Step::Create(lease) = me.step(now, wall()) else { panic!() };
    assert_eq!(lease.metadata.name.as_deref(), Some("leader"));
    let spec = lease.spec.as_ref().unwrap();
    assert_eq!(spec.holder_identity.as_deref(), Some("me"));
    assert_eq!((spec.lease_duration_seconds, spec.lease_transitions), (Some(30), Some(0)));

    me.doubt();
    assert!(!me.leads(now) && me.may_hold());
    me.wrote(lease, now, now + SECOND);
    assert_eq!(me.leads_until(), Some(now + 15 * SECOND));
    assert_eq!(me.step(now + SECOND, wall()), Step::Wait(now + Duration::from_millis(7500)));
}

#[test]
fn a_held_lease_is_taken_when_it_was_seen_unchanged_for_its_duration() {
    let (start, mut me) = (Instant::now(), candidate("me"));
    let at = |seconds| start + seconds * SECOND;
    me.saw(Some(held_by("other", 1)), start);
    assert_eq!(me.step(start, wall()), Step::Wait(at(2)));
    assert_eq!(me.step(at(2), wall()), Step::Look);
    me.saw(Some(held_by("other", 2)), at(2));
    assert_eq!(me.holder(), Some("other"));
    me.saw(Some(held_by("other", 2)), at(31));
    assert_eq!(me.step(at(31), wall()), Step::Wait(at(32)), "not a moment later");
    let spec = claimed(me.step(at(32), wall()));
    assert_eq!(spec.holder_identity.as_deref(), Some("me"));
    assert_eq!(spec.lease_transitions, Some(5));
}

#[test]
fn the_holder_says_for_how_long() {
    let (start, mut me) = (Instant::now(), candidate("me"));
    let mut lease = held_by("other", 1);
    lease.spec.as_mut().unwrap().lease_duration_seconds = Some(60);
    me.saw(Some(lease.clone()), start);
    me.saw(Some(lease), start + 59 * SECOND);
    assert_eq!(me.step(start + 59 * SECOND, wall()), Step::Wait(start + 60 * SECOND));
}

#[test]
fn a_released_lease_is_taken_at_once() {
    let now = Instant::now();
    let (mut me, mut other) = (candidate("me"), candidate("other"));
    other.saw(None, now);
    let Step::Create(lease) = other.step(now, wall()) else { panic!() };
    other.wrote(lease, now, now);
    let released = other.release(wall()).unwrap();
    assert!(!other.leads(now));
    me.saw(Some(released), now);
    assert_eq!(me.holder(), None);
    assert!(matches!(me.step(now, wall()), Step::Update(_)));
}

#[test]
fn only_the_holder_releases() {
    let (now, mut me) = (Instant::now(), candidate("me"));
    assert_eq!(me.release(wall()), None);
    me.saw(Some(held_by("other", 1)), now);
    assert!(!me.may_hold());
    assert_eq!(me.release(wall()), None);
}

#[test]
fn a_renewal_keeps_who_became_leader_when() {
    let (now, mut me) = (Instant::now(), candidate("me"));
    me.saw(Some(held_by("me", 1)), now);
    assert!(!me.leads(now), "what an earlier life held has to be written again");
    let Step::Update(lease) = me.step(now, wall()) else { panic!() };
    let first = lease.spec.clone().unwrap();
    me.wrote(lease, now, now);
    let later = Timestamp::from_second(8).unwrap();
    let renewed = claimed(me.step(now + 8 * SECOND, later));
    assert_eq!(renewed.acquire_time, first.acquire_time);
    assert_eq!((renewed.renew_time, renewed.lease_transitions), (Some(MicroTime(later)), Some(4)));
}

#[test]
fn a_lease_that_somebody_else_has_taken_ends_the_term() {
    let (now, mut me) = (Instant::now(), candidate("me"));
    me.wrote(held_by("me", 1), now, now);
    assert!(me.leads(now));
    me.doubt();
    assert!(me.leads(now), "a write that failed says nothing about others");
    assert_eq!(me.step(now, wall()), Step::Look);
    me.saw(Some(held_by("other", 2)), now);
    assert!(!me.leads(now));
}

#[test]
fn a_lease_that_vanished_is_not_created_before_its_time() {
    let (start, mut me) = (Instant::now(), candidate("me"));
    me.saw(Some(held_by("other", 1)), start);
    me.saw(None, start + 29 * SECOND);
    assert_eq!(me.step(start + 29 * SECOND, wall()), Step::Wait(start + 30 * SECOND));
    let Step::Create(lease) = me.step(start + 30 * SECOND, wall()) else { panic!() };
    assert_eq!(lease.metadata.resource_version, None);
    assert_eq!(lease.spec.unwrap().lease_transitions, Some(5));
}

/// A server, candidates, and a network that delays, loses and hides what happened.
struct World {
    random: fastrand::Rng,
    start: Instant,
    stored: Option<Lease>,
    version: u64,
    /// On the way to the server, whether anybody still waits for the answer or not.
    messages: Vec<Message>,
    answers: HashMap<u64, Option<Lease>>,
    actors: Vec<Actor>,
}

struct Actor {
    candidate: Candidate,
    /// When it does something next, or hears of its request, in ms.
    at: u64,
    request: Option<Request>,
}

struct Request {
    id: u64,
    step: Step,
    began: u64,
    is_heard: bool,
}

struct Message {
    id: u64,
    step: Step,
    arrives: u64,
}

impl World {
    fn time(&self, ms: u64) -> Instant {
        self.start + Duration::from_millis(ms)
    }

    fn latency(&mut self) -> u64 {
        match self.random.u32(..20) {
            0 => self.random.u64(..40_000),
            1..4 => self.random.u64(..8_000),
            _ => self.random.u64(..100),
        }
    }

    fn newcomer(&mut self, at: u64) -> Actor {
        let identity = format!("pod-{}", self.random.u64(..));
        let ttl = Duration::from_secs(self.random.u64(1..=40));
        Actor { candidate: Candidate::new("leader", &identity, Terms::new(ttl)), at, request: None }
    }

    /// The server handles every message that has arrived by now, in the order of arrival.
    fn serve(&mut self, now: u64) {
        self.messages.sort_by_key(|message| message.arrives);
        let arrived = self.messages.partition_point(|message| message.arrives <= now);
        for Message { id, step, .. } in self.messages.drain(..arrived).collect::<Vec<_>>() {
            let answer = match step {
                Step::Create(lease) if self.stored.is_none() => self.store(lease),
                Step::Update(lease) if self.is_current(&lease) => self.store(lease),
                Step::Look => self.stored.clone(),
                _ => None,
            };
            self.answers.insert(id, answer);
        }
    }

    fn is_current(&self, lease: &Lease) -> bool {
        let version = |lease: &Lease| lease.metadata.resource_version.clone();
        self.stored.as_ref().map(version) == Some(version(lease))
    }

    fn store(&mut self, mut lease: Lease) -> Option<Lease> {
        self.version += 1;
        lease.metadata.resource_version = Some(self.version.to_string());
        self.stored = Some(lease);
        self.stored.clone()
    }

    fn act(&mut self, index: usize) {
        let at = self.actors[index].at;
        let (now, wall) = (self.time(at), Timestamp::from_millisecond(at as i64).unwrap());
        if let Some(request) = self.actors[index].request.take() {
            let began = self.time(request.began);
            let candidate = &mut self.actors[index].candidate;
            let answer = self.answers.remove(&request.id).filter(|_| request.is_heard);
            match (request.step, answer) {
                (Step::Look, Some(lease)) => candidate.saw(lease, now),
                (_, Some(Some(lease))) => candidate.wrote(lease, began, now),
                _ => {}
            }
            return;
        }
        if self.random.u32(..60) == 0 {
            // Its process dies, and another takes its place; what it has sent may still arrive.
            self.actors[index] = self.newcomer(at + 1);
            return;
        }
        let candidate = &mut self.actors[index].candidate;
        let step = match candidate.step(now, wall) {
            Step::Wait(until) if self.random.u32(..40) > 0 => {
                let pause = until.saturating_duration_since(now).as_millis() as u64;
                let sleeps_in = if self.random.u32(..30) == 0 { 50_000 } else { 0 };
                self.actors[index].at = at + pause.max(1) + sleeps_in;
                return;
            }
            Step::Wait(_) => match candidate.release(wall) {
                Some(lease) => Step::Update(lease),
                None => Step::Look,
            },
            step => step,
        };
        if step != Step::Look {
            candidate.doubt();
        }
        let (there, back) = (self.latency(), self.latency());
        self.version += 1;
        let (id, given_up) = (self.version, 5_000);
        let is_sent = self.random.u32(..15) > 0;
        if is_sent {
            let arrives = at + there;
            self.messages.push(Message { id, step: step.clone(), arrives });
        }
        self.actors[index].at = at + (there + back).clamp(1, given_up);
        let is_heard = is_sent && there + back < given_up;
        self.actors[index].request = Some(Request { id, step, began: at, is_heard });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn two_never_lead_at_once(seed: u64, count in 2_usize..=4) {
        let mut world = World {
            random: fastrand::Rng::with_seed(seed),
            start: Instant::now(),
            stored: None,
            version: 0,
            messages: Vec::new(),
            answers: HashMap::new(),
            actors: Vec::new(),
        };
        for _ in 0..count {
            let at = world.random.u64(..5_000);
            let actor = world.newcomer(at);
            world.actors.push(actor);
        }
        let mut terms = 0;
        for _ in 0..600 {
            let next = (0..count).min_by_key(|index| world.actors[*index].at);
            let index = next.expect("there are some");
            let at = world.actors[index].at;
            world.serve(at);
            world.act(index);
            let now = world.time(at);
            let leading = world.actors.iter().filter(|actor| actor.candidate.leads(now));
            let leading = leading.map(|actor| actor.candidate.identity.clone()).collect::<Vec<_>>();
            prop_assert!(leading.len() <= 1, "{leading:?} at {at} ms");
            terms += leading.len();
        }
        prop_assert!(terms > 0, "nobody ever led");
    }
}
