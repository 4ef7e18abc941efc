//! One of the endpoints of a host is gone from one moment to the next, while it is asked: what fails, and what is sent twice.

use std::{
    fmt,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::scene::Pods;
use crate::client::Connection;

/// What came of the requests.
pub struct Killed {
    host: &'static str,
    gets: u64,
    failed_gets: u64,
    posts: u64,
    failed_posts: u64,
    repeated_posts: usize,
}

impl Killed {
    /// Whether no idempotent request failed, and no other one was sent twice.
    pub fn is_fine(&self) -> bool {
        self.gets > 0 && self.posts > 0 && self.failed_gets == 0 && self.repeated_posts == 0
    }

    /// All of it.
    pub fn json(&self) -> Value {
        json!({
            "host": self.host, "gets": self.gets, "failed_gets": self.failed_gets, "posts": self.posts,
            "failed_posts": self.failed_posts, "repeated_posts": self.repeated_posts,
        })
    }
}

impl fmt::Display for Killed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, gets, failed_gets, posts, failed_posts, repeated_posts } = self;
        write!(
            f,
            "{host:20} {failed_gets} of {gets} GET failed; {failed_posts} of {posts} POST failed, {repeated_posts} arrived twice"
        )
    }
}

#[derive(Default)]
struct Seen {
    ends: AtomicBool,
    gets: AtomicU64,
    failed_gets: AtomicU64,
    posts: AtomicU64,
    failed_posts: AtomicU64,
}

/// Asks a host over so many connections, kills an endpoint after `pause`, and goes on for as long.
pub async fn run(
    gateway: SocketAddr,
    host: &'static str,
    pods: &mut Pods,
    connections: usize,
    pause: Duration,
) -> Result<Killed> {
    let seen = Arc::new(Seen::default());
    let mut asking = JoinSet::new();
    for _ in 0..connections {
        asking.spawn(ask(gateway, host, Arc::clone(&seen)));
    }
    tokio::time::sleep(pause).await;
    drop(pods.pods.pop().context("there is no endpoint to kill")?);
    tokio::time::sleep(pause).await;
    seen.ends.store(true, Relaxed);
    while let Some(ended) = asking.join_next().await {
        ended??;
    }
    let arrived = pods.posts.lock().ok().context("an endpoint has panicked")?;
    Ok(Killed {
        host,
        gets: seen.gets.load(Relaxed),
        failed_gets: seen.failed_gets.load(Relaxed),
        posts: seen.posts.load(Relaxed),
        failed_posts: seen.failed_posts.load(Relaxed),
        repeated_posts: arrived.values().filter(|times| **times > 1).count(),
    })
}

async fn ask(gateway: SocketAddr, host: &str, seen: Arc<Seen>) -> Result<()> {
    let mut connection = Connection::open(gateway).await?;
    while !seen.ends.load(Relaxed) {
        seen.gets.fetch_add(1, Relaxed);
        let answer = connection.get(host, "/").await?;
        let mut closes = answer.close;
        if answer.status != 200 {
            seen.failed_gets.fetch_add(1, Relaxed);
        }
        if !closes {
            let number = seen.posts.fetch_add(1, Relaxed);
            let answer = connection.post(host, &format!("/{number}")).await?;
            closes = answer.close;
            if answer.status != 200 {
                seen.failed_posts.fetch_add(1, Relaxed);
            }
        }
        if closes {
            connection = Connection::open(gateway).await?;
        }
    }
    Ok(())
}
