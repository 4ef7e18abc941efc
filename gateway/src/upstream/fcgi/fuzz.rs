//! What the fuzz target of FastCGI answers runs, and what has to hold for any bytes. A test runs the same on random
//! bytes, so that it keeps compiling and holding without the fuzzer.

use bytes::Bytes;

use super::{
    head,
    record::{Records, Said},
};

/// What an answer is understood as.
#[derive(Debug, Default, PartialEq)]
struct Understood {
    output: Vec<u8>,
    complaint: Vec<u8>,
    ended: bool,
    refused: bool,
    status: Option<u16>,
}

/// Reads an answer that arrives in two pieces, cut where the first bytes say, and in one.
pub fn application(data: &[u8]) {
    let [low, high, bytes @ ..] = data else { return };
    let cut = usize::from(u16::from_le_bytes([*low, *high])).min(bytes.len());
    let (first, second) = bytes.split_at(cut);
    let whole = understand(&[bytes]);
    assert_eq!(whole, understand(&[first, second]));
    assert!(whole.output.len() + whole.complaint.len() <= bytes.len());
    assert!(whole.status.is_none_or(|status| (200..1000).contains(&status)));
}

fn understand(pieces: &[&[u8]]) -> Understood {
    let (mut records, mut seen) = (Records::default(), Understood::default());
    for piece in pieces {
        let mut bytes = Bytes::copy_from_slice(piece);
        loop {
            match records.next(&mut bytes) {
                Ok(Some(Said::Output(piece))) => seen.output.extend_from_slice(&piece),
                Ok(Some(Said::Complaint(piece))) => seen.complaint.extend_from_slice(&piece),
                Ok(Some(Said::NoMoreOutput)) => {}
                Ok(Some(Said::End)) => seen.ended = true,
                Ok(None) => break,
                Err(_) => {
                    seen.refused = true;
                    return seen;
                }
            }
        }
        assert!(seen.ended || bytes.is_empty());
    }
    match head::parse(&seen.output, |_, _| true) {
        Ok(Some(parsed)) => {
            assert!(parsed.size <= seen.output.len());
            seen.status = Some(parsed.head.status.as_u16());
        }
        Ok(None) => {}
        Err(_) => seen.refused = true,
    }
    seen
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::noise;

    /// Answers of records that mean something, and a little noise.
    fn answers() -> impl Strategy<Value = Vec<u8>> {
        let contents = prop::sample::select(vec![
            "Status: 200 OK\r\n\r\nhello",
            "Content-Type: text/plain\n\nbody",
            "Location: /x\r\n",
            "\r\n",
            "",
            "\0\0\0\0\0\0\0\0",
        ]);
        let record = (prop::sample::select(vec![3u8, 6, 6, 6, 7]), contents, 0u8..9).prop_map(
            |(kind, content, padding)| {
                let length = content.len() as u8;
                let header = [1, kind, 0, 1, 0, length, padding, 0];
                [&header, content.as_bytes(), &vec![0; usize::from(padding)]].concat()
            },
        );
        (any::<u8>(), prop::collection::vec(record, 0..6), noise::noise()).prop_map(
            |(cut, records, noise)| noise::with([vec![cut, 0], records.concat()].concat(), noise),
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn the_fuzz_target_holds_for_random_answers(data in answers()) {
            super::application(&data);
        }
    }
}
