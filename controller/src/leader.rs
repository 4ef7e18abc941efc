//! Which replica writes to the cluster: election by a Lease (operations §6).
//!
//! [`Candidate`] decides, [`Elector`] talks to the API server, [`Leadership`] tells everybody else. Only the verbs get,
//! create and update are used. The reference leaves its Lease behind when it stops; here it is released, so that the
//! next leader need not wait for its end.

mod candidate;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use headgate_config::log_target::DECISIONS;
use k8s_openapi::{api::coordination::v1::Lease, jiff::Timestamp};
use kube::{Api, Client, api::PostParams};
use parking_lot::Mutex;
use tokio::time::{sleep_until, timeout, timeout_at};

pub use candidate::Terms;
use candidate::{Candidate, Step};

use crate::{
    clock::now,
    options::NamespacedName,
    request::{ANSWER_WITHIN, Failure, answer},
};

/// What a look at the Lease or its release may not take longer than while the program stops.
const RELEASE_WITHIN: Duration = Duration::from_secs(2);
/// Steps without a pause, at most: look, write, look again after a conflict, write, look.
const STEPS: u32 = 5;

/// How the leader is elected.
#[derive(Clone, Debug)]
pub struct Election {
    /// Name of the Lease (`--election-id`).
    pub id: String,
    /// Duration of the Lease, and what follows from it (`--election-ttl`).
    pub terms: Terms,
}

/// Whether this replica leads. Shared by whoever needs to know.
#[derive(Debug, Default)]
pub struct Leadership {
    until: Mutex<Option<Instant>>,
}

impl Leadership {
    /// Whether this replica leads now.
    pub fn is_leader(&self) -> bool {
        let until = *self.until.lock();
        until.is_some_and(|until| now() < until)
    }

    pub(crate) fn set(&self, until: Option<Instant>) {
        *self.until.lock() = until;
    }
}

/// Takes part in the election.
pub struct Elector {
    leases: Api<Lease>,
    name: String,
    candidate: Candidate,
    leadership: Arc<Leadership>,
    /// The holder and the complaint that were logged last.
    said_holder: Option<String>,
    complaint: String,
}

impl Elector {
    /// An elector of this pod, in whose namespace the Lease is.
    pub fn new(
        client: Client,
        election: &Election,
        pod: &NamespacedName,
        leadership: Arc<Leadership>,
    ) -> Self {
        Self {
            leases: Api::namespaced(client, &pod.namespace),
            name: election.id.clone(),
            candidate: Candidate::new(&election.id, &pod.name, election.terms),
            leadership,
            said_holder: None,
            complaint: String::new(),
        }
    }

    /// Whether this replica leads now.
    pub fn leads(&self) -> bool {
        self.candidate.leads(now())
    }

    /// Returns when this replica leads.
    pub async fn campaign(&mut self) {
        loop {
            let next = self.attempt().await;
            if self.leads() {
                return;
            }
            sleep_until(next.into()).await;
        }
    }

    /// Renews the Lease; returns when this replica leads no more.
    pub async fn hold(&mut self) {
        while let Some(until) = self.candidate.leads_until().filter(|until| now() < *until) {
            let Ok(next) = timeout_at(until.into(), self.attempt()).await else { break };
            let Some(until) = self.candidate.leads_until() else { break };
            sleep_until(next.min(until).into()).await;
        }
        self.leadership.set(None);
        self.said_holder = None;
        tracing::warn!(lease = self.name, "this replica does not lead any more");
    }

    /// Who else holds the Lease, whether that one still lives or not; `None` if nobody does.
    ///
    /// # Errors
    ///
    /// If the Lease cannot be read within a few seconds.
    pub async fn other_holder(&mut self) -> Result<Option<String>, String> {
        match timeout(RELEASE_WITHIN, self.look()).await {
            Ok(Ok(())) => {}
            Ok(Err(failure)) => return Err(failure.to_string()),
            Err(_) => return Err("no answer in time".into()),
        }
        let holder = self.candidate.holder().filter(|_| !self.candidate.is_holder());
        Ok(holder.map(str::to_owned))
    }

    /// Takes the Lease as it was seen last, whoever holds it: its holder has to be known to be gone. Says whether this
    /// replica leads now; it does not if somebody was quicker.
    ///
    /// # Errors
    ///
    /// If the Lease cannot be written.
    pub async fn take_over(&mut self) -> Result<bool, String> {
        let step = self.candidate.seize(Timestamp::now());
        self.write(step).await.map_err(|failure| failure.to_string())?;
        self.leadership.set(self.candidate.leads_until());
        self.say_holder();
        Ok(self.leads())
    }

    /// Stops leading, and leaves the Lease free for the next leader if this replica may hold it. Takes no longer than
    /// a few seconds, whatever the API server does.
    pub async fn release(&mut self) {
        self.leadership.set(None);
        if !self.candidate.may_hold() {
            return;
        }
        let error = match timeout(RELEASE_WITHIN, self.try_release()).await {
            Ok(Ok(())) => return tracing::info!(lease = self.name, "the Lease is released"),
            Ok(Err(failure)) => failure.to_string(),
            Err(_) => "no answer in time".into(),
        };
        tracing::warn!(lease = self.name, error, "the Lease is not released; it ends by itself");
    }

    async fn try_release(&mut self) -> Result<(), Failure> {
        for _ in 0..STEPS {
            self.look().await?;
            let Some(lease) = self.candidate.release(Timestamp::now()) else { break };
            if self.write(Step::Update(lease)).await? {
                break;
            }
        }
        Ok(())
    }

    /// Does what is to be done, and says when there is more.
    async fn attempt(&mut self) -> Instant {
        for _ in 0..STEPS {
            let done = match self.candidate.step(now(), Timestamp::now()) {
                Step::Wait(until) => return until,
                Step::Look => self.look().await,
                step => self.write(step).await.map(drop),
            };
            self.leadership.set(self.candidate.leads_until());
            match done {
                Ok(()) => self.say_holder(),
                Err(failure) => {
                    self.complain(failure.to_string());
                    break;
                }
            }
        }
        let terms = self.candidate.terms();
        // So that candidates who were refused together do not come back together.
        now() + terms.look().mul_f32(0.75 + fastrand::f32() / 4.0)
    }

    async fn look(&mut self) -> Result<(), Failure> {
        let lease = answer(ANSWER_WITHIN, self.leases.get_opt(&self.name)).await?;
        tracing::debug!(lease = self.name, exists = lease.is_some(), "looked at the Lease");
        self.candidate.saw(lease, now());
        Ok(())
    }

    /// Writes the Lease; `false` if somebody else was quicker.
    async fn write(&mut self, step: Step) -> Result<bool, Failure> {
        let (began, params) = (now(), PostParams::default());
        self.candidate.doubt();
        let written = match &step {
            Step::Create(lease) => answer(ANSWER_WITHIN, self.leases.create(&params, lease)).await,
            Step::Update(lease) => {
                answer(ANSWER_WITHIN, self.leases.replace(&self.name, &params, lease)).await
            }
            Step::Look | Step::Wait(_) => return Ok(false),
        };
        match written {
            Ok(lease) => {
                tracing::debug!(lease = self.name, took = ?(now() - began), "the Lease is written");
                self.candidate.wrote(lease, began, now());
                Ok(true)
            }
            Err(failure) if failure.is_conflict() => {
                tracing::debug!(target: DECISIONS, lease = self.name, "another replica was quicker");
                Ok(false)
            }
            Err(failure) if failure.is_not_found() && matches!(step, Step::Update(_)) => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    fn complain(&mut self, error: String) {
        if self.complaint != error {
            tracing::warn!(lease = self.name, error, "the Lease cannot be used");
            self.complaint = error;
        }
    }

    fn say_holder(&mut self) {
        self.complaint.clear();
        let holder = self.candidate.holder().map(str::to_owned);
        // What an earlier life of this replica held says nothing yet.
        if holder == self.said_holder || self.candidate.is_holder() && !self.leads() {
            return;
        }
        match &holder {
            Some(_) if self.leads() => {
                tracing::info!(lease = self.name, "this replica leads");
            }
            Some(leader) => tracing::info!(lease = self.name, leader, "another replica leads"),
            None => {}
        }
        self.said_holder = holder;
    }
}

#[cfg(test)]
mod tests;
