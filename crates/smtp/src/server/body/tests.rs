use super::*;
use proptest::prelude::*;

/// Decodes in pieces of the given sizes; the message, what is left, whether it ended, what was seen.
fn run(bare: BareNewline, wire: &[u8], cuts: &[usize]) -> (Vec<u8>, Vec<u8>, bool, BodyFacts) {
    let mut decoder = BodyDecoder::new(Framing::Dot, bare);
    let (mut message, mut rest, mut cuts) = (Vec::new(), wire, cuts.iter());
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(cuts.next().map_or(rest.len(), |cut| (*cut).min(rest.len())));
        let mut input = BytesMut::from(piece);
        let decoded = decoder.decode(&mut input);
        message.extend_from_slice(&decoded.head);
        message.extend_from_slice(&decoded.tail);
        if decoded.end {
            return (message, [&input, after].concat(), true, decoder.facts());
        }
        assert!(input.is_empty());
        rest = after;
    }
    (message, Vec::new(), false, decoder.facts())
}

fn check(wire: &str, message: &str, rest: Option<&str>) {
    let (found, left, end, _) = run(BareNewline::Normalise, wire.as_bytes(), &[]);
    assert_eq!(String::from_utf8(found).unwrap(), message, "{wire:?}");
    assert_eq!(end.then(|| String::from_utf8(left).unwrap()).as_deref(), rest, "{wire:?}");
}

#[test]
fn only_crlf_dot_crlf_ends_a_message() {
    check(".\r\n", "", Some(""));
    check("a\r\n.\r\nQUIT\r\n", "a\r\n", Some("QUIT\r\n"));
    check("a\r\n..\r\n.b\r\n.\r\n", "a\r\n.\r\nb\r\n", Some(""));
    check("a\n.\nb\r\n.\r\n", "a\r\n.\r\nb\r\n", Some(""));
    check("a\n.\r\nb\r\n.\r\n", "a\r\n.\r\nb\r\n", Some(""));
    check("a\r\n.\nb\r\n.\r\n", "a\r\n\r\nb\r\n", Some(""));
    check("a\r\n.\rb\r\n.\r\n", "a\r\n\r\nb\r\n", Some(""));
    check("a\r.\r\nb\r\n.\r\n", "a\r\n.\r\nb\r\n", Some(""));
    check("a\r\r\n.\r\nb", "a\r\n\r\n", Some("b"));
    check("a\r\n.\r\r\nb\r\n.\r\n", "a\r\n\r\n\r\nb\r\n", Some(""));
    check("a\r\n\n.\r\nb\r\n.\r\n", "a\r\n\r\n.\r\nb\r\n", Some(""));
    check("a\r\n.", "a\r\n", None);
    check("a.\r\n", "a.\r\n", None);
}

#[test]
fn what_was_seen_is_kept() {
    let facts = |wire: &[u8]| run(BareNewline::Reject, wire, &[]).3;
    assert!(facts(b"a\nb\r\n.\r\n").has_bare_newline);
    assert!(facts(b"a\r\n.\r\r\n.\r\n").has_bare_newline);
    assert!(!facts(b"a\r\n..\r\n.\r\n").has_bare_newline);
    assert!(facts(b"\xE9\r\n.\r\n").has_8bit && !facts(b"e\r\n.\r\n").has_8bit);
    assert!(facts(b"\0\r\n.\r\n").has_nul && !facts(b"e\r\n.\r\n").has_nul);
    assert_eq!(facts(b"abc\r\nab\r\n.\r\n").longest_line, 3);
    assert_eq!(facts(b"abc\r\n..ab\r\n.\r\n").octets, 10);
}

#[test]
fn counted_octets_may_hold_dots_and_end_anywhere() {
    let mut decoder = BodyDecoder::new(Framing::Counted, BareNewline::Normalise);
    let decoded = decoder.decode(&mut BytesMut::from("a\r\n.\r\nb\r"));
    assert_eq!([decoded.head, decoded.tail, decoder.finish().tail].concat(), b"a\r\n.\r\nb\r\n");
    assert!(decoder.facts().has_bare_newline);

    let mut decoder = BodyDecoder::new(Framing::Counted, BareNewline::Keep);
    assert_eq!(decoder.decode(&mut BytesMut::from("a\n\r\0")).head, "a\n\r\0");
}

/// The same by the letter of RFC 5321 §4.5.2: cut at CRLF, look at each line.
fn model(wire: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let (mut message, mut rest) = (Vec::new(), wire);
    loop {
        let length = rest.windows(2).position(|pair| pair == b"\r\n")?;
        let (line, after) = (&rest[..length], &rest[length + 2..]);
        if line == b"." {
            return Some((message, after.to_vec()));
        }
        for &octet in line.strip_prefix(b".").unwrap_or(line) {
            match octet {
                b'\r' | b'\n' => message.extend_from_slice(b"\r\n"),
                _ => message.push(octet),
            }
        }
        message.extend_from_slice(b"\r\n");
        rest = after;
    }
}

fn wire() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just("\r\n"),
        Just("\r"),
        Just("\n"),
        Just("."),
        Just("\r\n.\r\n"),
        Just("a"),
        Just("\u{e9}bc")
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat().into_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_decoder_agrees_with_the_model_however_the_input_is_cut(
        wire in wire(), cuts in prop::collection::vec(1usize..5, 0..40))
    {
        let (message, left, end, facts) = run(BareNewline::Normalise, &wire, &cuts);
        let expected = model(&wire);
        prop_assert_eq!(end, expected.is_some());
        if let Some((whole, rest)) = expected {
            prop_assert_eq!(&message, &whole);
            prop_assert_eq!(left, rest);
            prop_assert_eq!(facts.octets, whole.len() as u64);
        }
        // Nothing that leaves the decoder can be read as having another line end.
        let pairs = message.windows(2).filter(|pair| *pair == b"\r\n").count();
        let ends = message.iter().filter(|b| matches!(b, b'\r' | b'\n')).count();
        prop_assert_eq!(ends, 2 * pairs);
    }
}
