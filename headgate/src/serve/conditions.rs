//! Tells the controller what turns out to be wrong while a table is live, so that it reaches the objects.

use std::{sync::Arc, time::Duration};

use headgate_controller::Notes;
use headgate_gateway::live::Live;
use tokio::{runtime::Runtime, time::timeout};
use tokio_util::sync::CancellationToken;

/// How often it is looked for.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Tells `notes` what is wrong, whenever that is something else than before.
pub(super) fn follow(runtime: &Runtime, live: Arc<Live>, notes: Notes, stop: &CancellationToken) {
    let stop = stop.clone();
    runtime.spawn(async move {
        let mut told = Vec::new();
        while timeout(LOOK_EVERY, stop.cancelled()).await.is_err() {
            let found = live.conditions();
            if found != told {
                told.clone_from(&found);
                notes.tell(found);
            }
        }
    });
}
