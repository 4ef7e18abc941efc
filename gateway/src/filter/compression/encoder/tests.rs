use compression_codecs::{BrotliDecoder, DecodeV2, GzipDecoder, ZstdDecoder};
use proptest::prelude::*;

use super::*;

const CODECS: [Codec; 3] = [Codec::Brotli, Codec::Zstd, Codec::Gzip];

/// What a client reads so far.
fn decoded(codec: Codec, bytes: &[u8]) -> Vec<u8> {
    let mut decoder: Box<dyn DecodeV2> = match codec {
        Codec::Brotli => Box::new(BrotliDecoder::new()),
        Codec::Zstd => Box::new(ZstdDecoder::new()),
        Codec::Gzip => Box::new(GzipDecoder::new()),
    };
    let (mut input, mut all, mut room) = (PartialBuffer::new(bytes), Vec::new(), vec![0; 4096]);
    loop {
        let mut output = WriteBuffer::new_initialized(&mut room);
        let ended = decoder.decode(&mut input, &mut output).unwrap();
        all.extend_from_slice(output.written());
        if ended || (input.unwritten().is_empty() && output.written_len() < 4096) {
            return all;
        }
    }
}

/// Does what is wanted until it is done.
fn run(encoder: &mut Encoder, want: Want, input: &mut Bytes, out: &mut Vec<u8>) {
    loop {
        let (output, done) = encoder.step(want, input).unwrap();
        assert!(output.len() <= PIECE);
        out.extend_from_slice(&output);
        if done {
            return;
        }
    }
}

#[test]
fn what_was_taken_can_be_read_after_a_flush() {
    for codec in CODECS {
        let mut encoder = Encoder::new(codec, 4, None).unwrap();
        let (mut out, mut sent) = (Vec::new(), Vec::new());
        for event in ["data: one\n\n", "data: two\n\n"] {
            sent.extend_from_slice(event.as_bytes());
            run(&mut encoder, Want::Encode, &mut Bytes::from(event), &mut out);
            run(&mut encoder, Want::Flush, &mut Bytes::new(), &mut out);
            assert_eq!(decoded(codec, &out), sent, "{codec:?}");
        }
    }
}

#[test]
fn every_level_works() {
    let text = "all levels ".repeat(2000);
    for (codec, levels) in [(Codec::Brotli, 0..=11), (Codec::Zstd, 1..=15), (Codec::Gzip, 1..=9)] {
        for level in levels {
            let mut encoder = Encoder::new(codec, level, Some(text.len() as u64)).unwrap();
            let mut out = Vec::new();
            run(&mut encoder, Want::Encode, &mut Bytes::from(text.clone()), &mut out);
            run(&mut encoder, Want::Finish, &mut Bytes::new(), &mut out);
            assert_eq!(decoded(codec, &out), text.as_bytes(), "{codec:?} {level}");
            assert!(out.len() < text.len() / 10, "{codec:?} {level}");
        }
    }
}

#[test]
fn the_memory_of_all_encoders_is_bounded() {
    for (codec, expected) in [(Codec::Brotli, 21), (Codec::Zstd, 51), (Codec::Gzip, 182)] {
        let held: Vec<_> = std::iter::from_fn(|| Share::take(codec.cost())).collect();
        assert_eq!(held.len(), expected, "{codec:?}");
        assert!(Encoder::new(codec, 1, None).is_none());
    }
    let held = Share::take(BUDGET - Codec::Gzip.cost());
    assert!(held.is_some() && Encoder::new(Codec::Brotli, 1, None).is_none());
    assert!(Encoder::new(Codec::Gzip, 1, None).is_some(), "cheap ones may still fit");
}

#[test]
fn windows_fit_the_body() {
    for (length, expected) in
        [(None, 18), (Some(0), 10), (Some(1023), 10), (Some(1024), 11), (Some(1 << 40), 18)]
    {
        assert_eq!(window(18, length), expected, "{length:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn bodies_come_back_however_they_are_cut(
        pieces in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..40_000), any::<bool>()), 0..6),
        known in any::<bool>(),
    ) {
        for codec in CODECS {
            let whole: Vec<u8> = pieces.iter().flat_map(|(piece, _)| piece).copied().collect();
            let length = known.then_some(whole.len() as u64);
            let mut encoder = Encoder::new(codec, 3, length).unwrap();
            let mut out = Vec::new();
            for (piece, flush) in &pieces {
                run(&mut encoder, Want::Encode, &mut Bytes::from(piece.clone()), &mut out);
                if *flush && !piece.is_empty() {
                    run(&mut encoder, Want::Flush, &mut Bytes::new(), &mut out);
                }
            }
            run(&mut encoder, Want::Finish, &mut Bytes::new(), &mut out);
            prop_assert_eq!(decoded(codec, &out), whole);
        }
    }
}
