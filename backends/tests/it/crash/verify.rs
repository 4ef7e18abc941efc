//! Compares four independent accounts of what happened: the clients', the stores', the bus's log, and the view.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

use crate::crash::traffic::{Record, Traffic};
use crate::support::{App, eventually};

/// What the databases of posts and comments hold.
#[derive(Debug)]
struct Stored {
    /// (id, title), oldest first.
    posts: Vec<(String, String)>,
    /// (id, post id, content, status), oldest first.
    comments: Vec<(String, String, String, String)>,
    /// Events that wait for the bus.
    waiting: i64,
}

/// Waits until everything has come to rest, then compares the accounts.
pub async fn consistent(app: &App, traffic: &Traffic) {
    eventually("the services to agree", async || {
        let stored = read(app);
        let judged = stored.comments.iter().all(|(_, _, _, status)| status != "pending");
        let events = app.get("bus", "/events").await.as_array().unwrap().len();
        let complete = events >= stored.posts.len() + 3 * stored.comments.len();
        stored.waiting == 0
            && judged
            && complete
            && app.get("query", "/posts").await == expected_view(&stored)
    })
    .await;
    let stored = read(app);
    acknowledged_is_stored_once(&stored, &traffic.record.lock().unwrap());
    verdicts_are_right(&stored);
    log_tells_each_thing_once(&stored, &app.get("bus", "/events").await);
}

fn read(app: &App) -> Stored {
    let open = |service| {
        Connection::open_with_flags(app.database(service), OpenFlags::SQLITE_OPEN_READ_ONLY)
            .unwrap()
    };
    let (posts, comments) = (open("posts"), open("comments"));
    let waiting = |connection: &Connection| -> i64 {
        connection.query_row("SELECT count(*) FROM outbox", [], |row| row.get(0)).unwrap()
    };
    let mut select = posts.prepare("SELECT id, title FROM posts ORDER BY seq").unwrap();
    let post_rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let mut select =
        comments.prepare("SELECT id, post_id, content, status FROM comments ORDER BY seq").unwrap();
    let comment_rows = select
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .unwrap();
    Stored {
        posts: post_rows.map(Result::unwrap).collect(),
        comments: comment_rows.map(Result::unwrap).collect(),
        waiting: waiting(&posts) + waiting(&comments),
    }
}

fn expected_view(stored: &Stored) -> Value {
    let of_post = |post: &str| -> Vec<Value> {
        let own = stored.comments.iter().filter(|(_, post_id, _, _)| post_id == post);
        own.map(|(id, _, content, status)| json!({"id": id, "content": content, "status": status}))
            .collect()
    };
    let entry = |(id, title): &(String, String)| {
        (id.clone(), json!({"id": id, "title": title, "comments": of_post(id)}))
    };
    Value::Object(stored.posts.iter().map(entry).collect())
}

fn acknowledged_is_stored_once(stored: &Stored, record: &Record) {
    let mut posts = HashMap::new();
    for (id, title) in &stored.posts {
        assert_eq!(posts.insert(title, id), None, "{title} is stored twice");
        assert!(
            record.posts.contains_key(title) || record.unknown.contains(title),
            "nobody wrote {title}"
        );
    }
    for (title, id) in &record.posts {
        assert_eq!(posts.get(title), Some(&id), "{title} was acknowledged");
    }
    let mut comments = HashMap::new();
    for (id, post_id, content, _) in &stored.comments {
        assert_eq!(comments.insert(content, (post_id, id)), None, "{content} is stored twice");
        assert!(
            record.comments.contains_key(content) || record.unknown.contains(content),
            "nobody wrote {content}"
        );
    }
    for (content, (post_id, id)) in &record.comments {
        assert_eq!(comments.get(content), Some(&(post_id, id)), "{content} was acknowledged");
    }
}

fn verdicts_are_right(stored: &Stored) {
    for (_, _, content, status) in &stored.comments {
        let expected = if content.contains("orange") { "rejected" } else { "approved" };
        assert_eq!(status, expected, "{content}");
    }
}

fn log_tells_each_thing_once(stored: &Stored, log: &Value) {
    let mut told: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut last_offset = 0;
    for event in log.as_array().unwrap() {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        *told.entry((text(&event["type"]), text(&event["data"]["id"]))).or_default() += 1;
        let offset = event["offset"].as_i64().unwrap();
        assert!(offset > last_offset, "{event}");
        last_offset = offset;
    }
    let once = |kind: &str, id: &str| ((kind.to_owned(), id.to_owned()), 1);
    let mut expected: BTreeMap<(String, String), usize> = BTreeMap::new();
    expected.extend(stored.posts.iter().map(|(id, _)| once("PostCreated", id)));
    for (id, ..) in &stored.comments {
        expected.extend(
            ["CommentCreated", "CommentModerated", "CommentUpdated"].map(|kind| once(kind, id)),
        );
    }
    assert_eq!(told, expected);
}
