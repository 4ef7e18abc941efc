//! Which name was probably meant by one that there is none of: for messages only.

/// Whether one name can be made of the other by a few edits: more of them for a longer one. The number of edits.
pub fn edits(meant: &str, written: &str) -> Option<usize> {
    distance(written, meant, 1 + meant.len() / 6)
}

/// The name that is most like what is written, if any is like it at all.
pub fn nearest<'a>(names: impl Iterator<Item = &'a str>, written: &str) -> Option<&'a str> {
    let near = names.filter_map(|name| Some((edits(name, written)?, name)));
    near.min().map(|(_, name)| name)
}

/// How many characters have to be added, removed, replaced or swapped with their neighbours to make one text of the other, if
/// it is no more than `most`.
pub fn distance(one: &str, other: &str, most: usize) -> Option<usize> {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len().abs_diff(other.len()) > most {
        return None;
    }
    let width = other.len() + 1;
    let mut rows = [vec![0; width], vec![0; width], (0..width).collect::<Vec<usize>>()];
    // The least of the row before: each row is made of the two before it, so that two of them that are beyond it decide.
    let mut least_before = 0;
    for (row, left) in one.iter().enumerate() {
        rows.rotate_left(1);
        let [before_last, last, next] = &mut rows;
        next[0] = row + 1;
        for (column, right) in other.iter().enumerate() {
            let replaced = last[column] + usize::from(left != right);
            let mut best = replaced.min(last[column + 1] + 1).min(next[column] + 1);
            let is_swap =
                row > 0 && column > 0 && one[row - 1] == *right && other[column - 1] == *left;
            if is_swap {
                best = best.min(before_last[column - 1] + 1);
            }
            next[column + 1] = best;
        }
        let least = next.iter().copied().min().unwrap_or(0);
        if least.min(least_before) > most {
            return None;
        }
        least_before = least;
    }
    rows[2].last().copied().filter(|distance| *distance <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (one, other, expected) in [
            ("", "", Some(0)),
            ("limit-share", "limit-shared", Some(1)),
            ("limit-sharde", "limit-shared", Some(1)),
            ("satsify", "satisfy", Some(1)),
            ("auth-rul", "auth-url", Some(1)),
            ("ab", "ba", Some(1)),
            ("abc", "ca", Some(3)),
            ("kitten", "sitting", Some(3)),
            ("abcdef", "ghijkl", None),
            ("a", "abcde", None),
        ] {
            assert_eq!(distance(one, other, 3), expected, "{one} {other}");
            assert_eq!(distance(other, one, 3), expected, "{other} {one}");
        }
    }

    #[test]
    fn the_nearest_name_is_the_one_with_the_fewest_edits() {
        let names = || ["proxy-body-size", "proxy-buffer-size", "use-gzip"].into_iter();
        assert_eq!(nearest(names(), "proxy-bufer-size"), Some("proxy-buffer-size"));
        assert_eq!(nearest(names(), "use-gzpi"), Some("use-gzip"));
        assert_eq!(nearest(names(), "keep-alive"), None);
    }
}
