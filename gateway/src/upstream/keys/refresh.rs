//! When keys are fetched: in time, and when somebody asks for them, but not too often.

use std::{future::Future, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep, sleep_until};

use super::{
    PAUSE, Shared,
    fetch::{Failure, Fetched},
};

/// Time until the next try after the first that was in vain. It doubles with each, up to [`PAUSE`].
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// Keeps the keys up to date, for ever.
pub async fn follow<F>(shared: Arc<Shared>, fetch: impl Fn() -> F)
where
    F: Future<Output = Result<Fetched, Failure>>,
{
    let mut failures = 0u32;
    loop {
        let began = Instant::now();
        shared.progress.send_modify(|progress| {
            (progress.began, progress.is_running) = (began, true);
        });
        let outcome = fetch().await;
        let failed = outcome.as_ref().err().copied();
        let wait = match outcome {
            Ok(Fetched { keys, lifetime }) => {
                tracing::debug!(url = shared.shown, keys = keys.count(), ?lifetime, "keys fetched");
                tell_success(&shared, &keys, failures);
                shared.put(keys, lifetime);
                failures = 0;
                lifetime
            }
            Err(failure) => {
                let wait = FIRST_RETRY.saturating_mul(1 << failures.min(8)).min(PAUSE);
                failures = failures.saturating_add(1);
                tell_failure(&shared, failure, failures);
                wait
            }
        };
        shared.progress.send_modify(|progress| {
            progress.ended += 1;
            (progress.is_running, progress.failure) = (false, failed);
        });
        tokio::select! {
            () = sleep(wait) => {}
            () = shared.wanted.notified() => sleep_until(began + PAUSE).await,
        }
    }
}

fn tell_success(shared: &Shared, keys: &crate::filter::jwt::keys::KeySet, failures: u32) {
    let (url, count) = (&shared.shown, keys.count());
    if failures > 0 {
        tracing::info!(url, keys = count, "the keys of an issuer of tokens could be fetched again");
    }
    let was_empty = shared.held.load().as_ref().is_some_and(|held| held.keys.count() == 0);
    if count == 0 && !was_empty {
        let skipped = keys.skipped();
        tracing::warn!(
            url,
            ingresses = %shared.users,
            skipped,
            "an issuer publishes no key that tokens can be verified with: nobody's tokens count"
        );
    }
}

/// Says it now and then: at the first time, and when it is twice as often as last said.
fn tell_failure(shared: &Shared, failure: Failure, failures: u32) {
    if !failures.is_power_of_two() {
        return;
    }
    let url = &shared.shown;
    let consequence = match shared.current() {
        Some(_) => "those from before are used for up to an hour",
        None => "locations that ask for its tokens answer 503",
    };
    tracing::warn!(
        url, ingresses = %shared.users, reason = %failure, failures, consequence,
        "the keys of an issuer of tokens cannot be fetched"
    );
}
