//! How the upstreams of one snapshot differ from those of the one before.

use std::{cmp::Ordering, sync::Arc};

use headgate_config::{Upstream, Upstreams};

/// How the upstreams of one snapshot differ from those of the one before.
#[derive(Debug, Default)]
pub(super) struct Differences<'a> {
    /// New ones, and others than before.
    pub fresh: Vec<&'a Arc<Upstream>>,
    /// Those that there are no more.
    pub gone: Vec<&'a Arc<Upstream>>,
}

impl<'a> Differences<'a> {
    /// How the upstreams of `now` differ from those of `before`.
    pub(super) fn between(before: &'a Upstreams, now: &'a Upstreams) -> Self {
        let mut differences = Self::default();
        for (before, now) in now.unshared(before) {
            differences.add(before, now);
        }
        differences
    }

    /// Adds how one list differs from the other, both sorted by identity. Looks into those only that are not the same
    /// object in both.
    fn add(&mut self, before: &'a [Arc<Upstream>], now: &'a [Arc<Upstream>]) {
        let mut before = before.iter().peekable();
        for upstream in now {
            let mut is_same = false;
            while let Some(old) = before.peek() {
                is_same = Arc::ptr_eq(old, upstream);
                let order = if is_same { Ordering::Equal } else { old.id.cmp(&upstream.id) };
                match order {
                    Ordering::Less => self.gone.push(old),
                    Ordering::Equal => {}
                    Ordering::Greater => break,
                }
                before.next();
                if order == Ordering::Equal {
                    break;
                }
            }
            if !is_same {
                self.fresh.push(upstream);
            }
        }
        self.gone.extend(before);
    }
}
