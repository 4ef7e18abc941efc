//! A bounded stream of posts and comments with contents that can be told apart, and a record of what was acknowledged.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::support::App;
use crate::support::http::{Failure, Http};

const WORKERS: usize = 4;
const POSTS_PER_WORKER: usize = 15;
const COMMENTS_PER_POST: usize = 2;

/// How many requests are made in all, give or take those whose fate is unknown.
pub const REQUESTS: usize = WORKERS * POSTS_PER_WORKER * (1 + COMMENTS_PER_POST);

/// Retries of one request before the test gives up: a minute.
const MAX_ATTEMPTS: usize = 3_000;

/// What the clients know.
#[derive(Default)]
pub struct Record {
    /// Title → id of each acknowledged post.
    pub posts: HashMap<String, String>,
    /// Content → (post id, id) of each acknowledged comment.
    pub comments: HashMap<String, (String, String)>,
    /// Titles and contents of requests that got no answer: stored or not, nobody knows.
    pub unknown: HashSet<String>,
}

pub struct Traffic {
    http: Http,
    posts_url: String,
    comments_base: String,
    pub record: Mutex<Record>,
    acknowledged: AtomicUsize,
    refused: AtomicUsize,
}

impl Traffic {
    pub fn new(app: &App) -> Self {
        Self {
            http: app.http.clone(),
            posts_url: app.url("posts", "/posts/create"),
            comments_base: app.url("comments", "/posts"),
            record: Mutex::default(),
            acknowledged: AtomicUsize::new(0),
            refused: AtomicUsize::new(0),
        }
    }

    pub fn start(self: &Arc<Self>) -> Vec<JoinHandle<()>> {
        (0..WORKERS).map(|worker| tokio::spawn(Arc::clone(self).work(worker))).collect()
    }

    /// Answers of success so far.
    pub fn acknowledged(&self) -> usize {
        self.acknowledged.load(Ordering::SeqCst)
    }

    /// Connections refused so far.
    pub fn refused(&self) -> usize {
        self.refused.load(Ordering::SeqCst)
    }

    async fn work(self: Arc<Self>, worker: usize) {
        for number in 0..POSTS_PER_WORKER {
            let title = format!("post {worker}-{number}");
            let Some(post) = self.send(&self.posts_url, &title, json!({"title": title})).await
            else {
                continue;
            };
            let post_id = post["id"].as_str().unwrap().to_owned();
            assert_eq!(post["title"], title.as_str());
            self.record.lock().unwrap().posts.insert(title, post_id.clone());
            for comment in 0..COMMENTS_PER_POST {
                let fruit = if (number + comment) % 3 == 0 { "orange" } else { "apple" };
                self.comment(&post_id, format!("comment {worker}-{number}-{comment} {fruit}"))
                    .await;
            }
        }
    }

    async fn comment(&self, post_id: &str, content: String) {
        let url = format!("{}/{post_id}/comments", self.comments_base);
        let Some(list) = self.send(&url, &content, json!({"content": content})).await else {
            return;
        };
        let same = |comment: &&Value| comment["content"] == content.as_str();
        let listed: Vec<&Value> = list.as_array().unwrap().iter().filter(same).collect();
        assert_eq!(listed.len(), 1, "{content}: {list}");
        let id = listed[0]["id"].as_str().unwrap().to_owned();
        self.record.lock().unwrap().comments.insert(content, (post_id.to_owned(), id));
    }

    /// The answer to an acknowledged request. Tries again only while nothing has been sent.
    async fn send(&self, url: &str, content: &str, body: Value) -> Option<Value> {
        for _ in 0..MAX_ATTEMPTS {
            match self.http.post(url, &body).await {
                Ok((201, answer)) => {
                    self.acknowledged.fetch_add(1, Ordering::SeqCst);
                    return Some(answer);
                }
                Ok((status, answer)) => panic!("{content}: {status} {answer}"),
                Err(Failure::Refused) => {
                    self.refused.fetch_add(1, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(Failure::Broken) => {
                    self.record.lock().unwrap().unknown.insert(content.to_owned());
                    return None;
                }
            }
        }
        panic!("{content}: refused {MAX_ATTEMPTS} times");
    }
}
