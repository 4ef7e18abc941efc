//! The view and how events change it. Pure: no I/O, no clock. Applying an event again changes nothing.

use std::collections::HashMap;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::event::{Comment, Event, Post, Status};

/// Posts with their comments. As JSON it is what `GET /posts` answers.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct View {
    /// Ids of the posts that were written, oldest first.
    order: Vec<String>,
    threads: HashMap<String, Thread>,
    /// Comment id → post id and place in its thread.
    places: HashMap<String, (String, usize)>,
}

/// A post, or the comments that wait for one.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Thread {
    /// `None` until the post itself is known.
    title: Option<String>,
    comments: Vec<Shown>,
}

/// A comment as the page sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shown {
    id: String,
    content: String,
    status: Status,
}

impl View {
    /// Takes an event in.
    pub fn apply(&mut self, event: Event) {
        match event {
            Event::PostCreated(post) => self.add_post(post),
            Event::CommentCreated(comment) => self.add_comment(comment),
            // The comments service repeats the verdict once it has stored it.
            Event::CommentModerated(_) => {}
            Event::CommentUpdated(comment) => self.update_comment(comment),
        }
    }

    /// The comments on a post, oldest first.
    pub fn comments_of(&self, post_id: &str) -> &[Shown] {
        self.threads.get(post_id).map_or(&[], |thread| &thread.comments)
    }

    fn add_post(&mut self, post: Post) {
        let thread = self.threads.entry(post.id.clone()).or_default();
        if thread.title.is_none() {
            thread.title = Some(post.title);
            self.order.push(post.id);
        }
    }

    fn add_comment(&mut self, comment: Comment) {
        if self.places.contains_key(&comment.id) {
            return;
        }
        let comments = &mut self.threads.entry(comment.post_id.clone()).or_default().comments;
        self.places.insert(comment.id.clone(), (comment.post_id, comments.len()));
        comments.push(Shown { id: comment.id, content: comment.content, status: comment.status });
    }

    fn update_comment(&mut self, comment: Comment) {
        let place = self.places.get(&comment.id);
        let known = place
            .and_then(|(post_id, index)| self.threads.get_mut(post_id)?.comments.get_mut(*index));
        match known {
            Some(shown) => {
                shown.status = comment.status;
                shown.content = comment.content;
            }
            None => self.add_comment(comment),
        }
    }
}

impl Serialize for View {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Entry<'a> {
            id: &'a str,
            title: &'a str,
            comments: &'a [Shown],
        }
        let mut map = serializer.serialize_map(Some(self.order.len()))?;
        for id in &self.order {
            if let Some(Thread { title: Some(title), comments }) = self.threads.get(id) {
                map.serialize_entry(id, &Entry { id, title, comments })?;
            }
        }
        map.end()
    }
}

#[cfg(test)]
mod tests;
