//! SIGKILL at any moment: what was acknowledged is there exactly once, everywhere, and nothing else is.

mod traffic;
mod verify;

use std::sync::Arc;

use crate::crash::traffic::{REQUESTS, Traffic};
use crate::support::{App, SERVICES, eventually};

/// Kills `victims` together three times while posts and comments are written, starts them again on the same ports, and
/// compares the stores, the log and the view with what was acknowledged.
async fn nothing_is_lost_or_doubled(victims: &[&'static str]) {
    let mut app = App::start().await;
    let traffic = Arc::new(Traffic::new(&app));
    let workers = traffic.start();
    for round in 1..=3 {
        eventually("the moment to kill", async || traffic.acknowledged() >= REQUESTS * round / 5)
            .await;
        victims.iter().for_each(|victim| app.kill(victim));
        // Long enough for the others to notice: either they go on without the victims, or they cannot.
        let (acknowledged, refused) = (traffic.acknowledged(), traffic.refused());
        eventually("the others to notice", async || {
            traffic.acknowledged() >= acknowledged + 10 || traffic.refused() >= refused + 5
        })
        .await;
        victims.iter().for_each(|victim| app.start_service(victim));
    }
    for worker in workers {
        worker.await.unwrap();
    }
    for service in SERVICES {
        app.ready(service).await;
    }
    verify::consistent(&app, &traffic).await;
}

macro_rules! sigkill {
    ($($name:ident: $victims:expr;)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                nothing_is_lost_or_doubled(&$victims).await;
            }
        )*
    };
}

sigkill! {
    posts_killed: ["posts"];
    comments_killed: ["comments"];
    query_killed: ["query"];
    moderation_killed: ["moderation"];
    bus_killed: ["bus"];
    client_killed: ["client"];
    bus_and_query_killed: ["bus", "query"];
    everything_killed: SERVICES;
}
