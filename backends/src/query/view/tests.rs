//! Facts about the view, and the property that repetitions do not show.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

fn post(id: &str) -> Event {
    Event::PostCreated(Post { id: id.to_owned(), title: format!("title of {id}") })
}

fn comment(id: &str, post_id: &str, status: Status) -> Comment {
    Comment {
        id: id.to_owned(),
        post_id: post_id.to_owned(),
        content: format!("content of {id}"),
        status,
    }
}

fn created(id: &str, post_id: &str) -> Event {
    Event::CommentCreated(comment(id, post_id, Status::Pending))
}

fn updated(id: &str, post_id: &str, status: Status) -> Event {
    Event::CommentUpdated(comment(id, post_id, status))
}

fn view(events: impl IntoIterator<Item = Event>) -> View {
    let mut view = View::default();
    events.into_iter().for_each(|event| view.apply(event));
    view
}

fn json(events: impl IntoIterator<Item = Event>) -> String {
    serde_json::to_string(&view(events)).unwrap()
}

#[test]
fn posts_are_listed_in_the_order_in_which_they_were_written() {
    let text = json([post("ffffffff"), post("aaaaaaaa")]);
    assert_eq!(
        text,
        r#"{"ffffffff":{"id":"ffffffff","title":"title of ffffffff","comments":[]},"#.to_owned()
            + r#""aaaaaaaa":{"id":"aaaaaaaa","title":"title of aaaaaaaa","comments":[]}}"#
    );
}

#[test]
fn a_verdict_changes_the_comment_in_its_place() {
    let view = view([
        post("p"),
        created("a", "p"),
        created("b", "p"),
        updated("a", "p", Status::Rejected),
    ]);
    let shown: Vec<_> =
        view.comments_of("p").iter().map(|shown| (shown.id.as_str(), shown.status)).collect();
    assert_eq!(shown, [("a", Status::Rejected), ("b", Status::Pending)]);
}

#[test]
fn comments_wait_for_a_post_that_comes_later() {
    let early = [created("a", "p"), updated("a", "p", Status::Approved)];
    assert_eq!(json(early.clone()), "{}");
    assert_eq!(view(early.clone()).comments_of("p").len(), 1);
    let late = json(early.into_iter().chain([post("p")]));
    assert!(late.contains("content of a") && late.contains("approved"), "{late}");
}

#[test]
fn a_late_copy_of_the_creation_does_not_undo_the_verdict() {
    let events =
        [post("p"), created("a", "p"), updated("a", "p", Status::Approved), created("a", "p")];
    assert_eq!(view(events).comments_of("p")[0].status, Status::Approved);
}

#[test]
fn the_verdict_of_moderation_shows_only_when_comments_has_taken_it_over() {
    let moderated = Event::CommentModerated(comment("a", "p", Status::Approved));
    assert_eq!(
        view([post("p"), created("a", "p"), moderated]).comments_of("p")[0].status,
        Status::Pending
    );
}

/// Logs as the application writes them: a comment is created, then judged; posts may come after their comments.
fn any_log() -> impl Strategy<Value = Vec<Event>> {
    let step = (0..6usize, 0..12usize, any::<bool>());
    prop::collection::vec(step, 0..60).prop_map(|steps| {
        let mut log = Vec::new();
        for (post_number, comment_number, approve) in steps {
            let (post_id, id) = (format!("p{}", comment_number % 6), format!("c{comment_number}"));
            let written = log.contains(&created(&id, &post_id));
            let judged = log
                .iter()
                .any(|event| matches!(event, Event::CommentUpdated(known) if known.id == id));
            let status = if approve { Status::Approved } else { Status::Rejected };
            let event = match (written, judged) {
                (false, _) => created(&id, &post_id),
                (true, false) => updated(&id, &post_id, status),
                (true, true) => post(&format!("p{post_number}")),
            };
            if !log.contains(&event) {
                log.push(event);
            }
        }
        log
    })
}

proptest! {
    #[test]
    fn repeated_events_give_the_same_view(log in any_log(), repeats in prop::collection::vec((0..60usize, 0..60usize), 0..40)) {
        let mut repeated = log.clone();
        for (which, later) in repeats {
            // A copy may stand anywhere after its first occurrence.
            if let Some(event) = log.get(which) {
                let first = repeated.iter().position(|known| known == event).unwrap();
                let place = (first + 1 + later).min(repeated.len());
                repeated.insert(place, event.clone());
            }
        }
        prop_assert_eq!(view(log.clone()), view(repeated.clone()));
        prop_assert_eq!(json(log), json(repeated));
    }
}
