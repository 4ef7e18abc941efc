//! In what two snapshots differ, one after the other: what the gateway has to compile, and what became of upstreams.

use std::{cmp::Ordering, sync::Arc};

use headgate_config::{Host, Snapshot, Upstream};

/// In what a snapshot differs from the one before. Parts are the same if they are the same `Arc`.
#[derive(Debug, Default)]
pub struct Difference<'a> {
    /// Hosts that are new or other than before.
    pub hosts: Vec<&'a Host>,
    /// Names of hosts that are gone.
    pub gone: Vec<&'a str>,
    /// Upstreams that are new or other than before.
    pub upstreams: Vec<&'a Upstream>,
    /// Upstreams that are gone.
    pub lost: Vec<&'a Upstream>,
}

impl<'a> Difference<'a> {
    /// In what `now` differs from `before`.
    pub fn between(before: &'a Snapshot, now: &'a Snapshot) -> Self {
        let mut difference = Self::default();
        if !Arc::ptr_eq(&before.hosts, &now.hosts) {
            let by_name = |one: &Host, other: &Host| one.name.cmp(&other.name);
            let mut gone = Vec::new();
            compare(&before.hosts, &now.hosts, by_name, &mut difference.hosts, &mut gone);
            difference.gone = gone.into_iter().map(|host| &*host.name).collect();
        }
        let by_id = |one: &Upstream, other: &Upstream| one.id.cmp(&other.id);
        for (before, now) in now.upstreams.unshared(&before.upstreams) {
            compare(before, now, by_id, &mut difference.upstreams, &mut difference.lost);
        }
        difference
    }
}

/// Finds what two sorted lists do not share.
fn compare<'a, T>(
    before: &'a [Arc<T>],
    now: &'a [Arc<T>],
    order: impl Fn(&T, &T) -> Ordering,
    fresh: &mut Vec<&'a T>,
    gone: &mut Vec<&'a T>,
) {
    let mut before = before.iter().peekable();
    for part in now {
        let mut is_same = false;
        while let Some(old) = before.peek() {
            if Arc::ptr_eq(old, part) {
                is_same = true;
                before.next();
                break;
            }
            match order(old, part) {
                Ordering::Less => gone.extend(before.next().map(|old| &**old)),
                Ordering::Equal => {
                    before.next();
                    break;
                }
                Ordering::Greater => break,
            }
        }
        if !is_same {
            fresh.push(part);
        }
    }
    gone.extend(before.map(|old| &**old));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_lists_do_not_share_is_found() {
        let [a, b, c, d] = [1, 2, 3, 4].map(Arc::new);
        let new_b = Arc::new(2);
        let (before, now) = ([a.clone(), b, c], [a, new_b, d]);
        let (mut fresh, mut gone) = (Vec::new(), Vec::new());
        compare(&before, &now, Ord::cmp, &mut fresh, &mut gone);
        assert_eq!((fresh, gone), (vec![&2, &4], vec![&3]));
    }
}
