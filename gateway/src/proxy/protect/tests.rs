//! Facts about rulings that count together.

use super::*;

/// What comes of these rulings (0 is a pass), and how many were asked for.
fn ruled(any_is_enough: bool, statuses: &[u16]) -> (u16, usize) {
    let mut rulings = Rulings::new(any_is_enough);
    let status = |ruling| match ruling {
        Ruling::Pass => 0,
        Ruling::Refuse(refusal) => refusal.status.as_u16(),
    };
    for (index, code) in statuses.iter().enumerate() {
        let ruling = StatusCode::from_u16(*code)
            .map_or(Ruling::Pass, |status| Ruling::Refuse(Refusal::of(status)));
        if let ControlFlow::Break(ruling) = rulings.add(ruling) {
            return (status(ruling), index + 1);
        }
    }
    (status(rulings.end()), statuses.len())
}

#[test]
fn all_have_to_pass() {
    for (statuses, expected) in [
        (&[0, 0, 0][..], (0, 3)),
        (&[403, 0, 0], (403, 1)),
        (&[0, 401, 0], (401, 2)),
        (&[0, 401, 500], (401, 2)),
    ] {
        assert_eq!(ruled(false, statuses), expected, "{statuses:?}");
    }
}

#[test]
fn one_is_enough() {
    for (statuses, expected) in [
        (&[0, 401][..], (0, 1)),
        (&[403, 0], (0, 2)),
        (&[403, 401, 0], (0, 3)),
        (&[403, 401], (401, 2)),
        (&[401, 403], (401, 2)),
        (&[403, 403], (403, 2)),
        (&[403, 500, 0], (500, 2)),
        (&[401, 401], (401, 2)),
    ] {
        assert_eq!(ruled(true, statuses), expected, "{statuses:?}");
    }
}
