//! What FETCH gives of any octets that were taken for a message: parts of it, and the same however it is asked for.

use super::*;
use ::message::structure::Scanner;
use proptest::prelude::*;
use store::Id;
use store::mailbox::{Keywords, Summary};
use tokio::runtime::Runtime;

fn message(prefix: &'static str, octets: &[u8]) -> (Message, Parsed) {
    let body = Body::from_bytes(octets.to_vec());
    let mut scanner = Scanner::new();
    scanner.feed(octets);
    let summary = Summary {
        uid: 1,
        id: Id::generate(),
        body: Id::generate(),
        size: (prefix.len() + octets.len()) as u64,
        prefix_size: prefix.len() as u32,
        received: 0,
        saved: 0,
        flags: 0,
        keywords: Keywords::default(),
        modseq: 1,
    };
    (Message { summary, prefix: Bytes::from_static(prefix.as_bytes()), body }, scanner.finish())
}

/// All that a literal holds: as many octets as were measured before, and NUL only where that was said.
async fn octets(content: Content) -> Option<Vec<u8>> {
    let Content::Octets(mut source) = content else { return None };
    let measured = source.measure().await.unwrap();
    let mut all = Vec::new();
    while let Some(piece) = source.next().await.unwrap() {
        all.extend_from_slice(&piece);
    }
    all.truncate(usize::try_from(measured.size).unwrap());
    assert_eq!(all.len() as u64, measured.size, "the literal is shorter than was said");
    assert!(measured.nul || !all.contains(&0), "a NUL that nobody expects");
    Some(all)
}

/// What stands between two `BODY`s and is often not closed, not begun, or in the wrong place.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "Content-Type: multipart/mixed; boundary=b\r\n",
        "Content-Type: multipart/mixed; boundary=c\r\n",
        "Content-Type: multipart/digest; boundary=\"b\r\n",
        "Content-Type: message/rfc822\r\n",
        "Content-Type: text/plain; charset=\r\n",
        "Content-Transfer-Encoding: base64\r\n",
        "Content-Transfer-Encoding: quoted-printable\r\n",
        "Content-Transfer-Encoding: x-none\r\n",
        "Subject: one\r\n two\r\n",
        "\r\n",
        "\n",
        "\r",
        "--b\r\n",
        "\r\n--b\r\n",
        "\r\n--b--\r\n",
        "\r\n--c\r\n",
        "\r\n--c--",
        "aGVsbG8=",
        "=0D=0A=00",
        "=\r\n",
        "\0",
        "text",
    ]);
    let piece = prop_oneof![
        9 => known.prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

fn text() -> impl Strategy<Value = Option<SectionText>> {
    let names = prop::sample::select(vec!["Subject", "content-type", "X-Above"]);
    let fields = (names, any::<bool>())
        .prop_map(|(name, not)| SectionText::HeaderFields { names: vec![name.to_owned()], not });
    prop_oneof![
        Just(None),
        Just(Some(SectionText::Header)),
        Just(Some(SectionText::Text)),
        Just(Some(SectionText::Mime)),
        fields.prop_map(Some),
    ]
}

proptest! {
    /// `BODY[1.2.MIME]<0.500>` is a slice of `BODY[1.2.MIME]`, and that one of `BODY[]`.
    #[test]
    fn a_part_of_a_section_is_a_slice_of_it_and_that_of_the_message(
        input in pieces(),
        path in prop::collection::vec(1u32..4, 0..4),
        text in text(),
        (offset, length) in (0u64..400, 1u64..400),
    ) {
        let section = Section { path, text };
        let (message, parsed) = message("X-Above: 1\r\n", &input);
        let of = |section: &Section| Content::section(&message, Some(&parsed), section);
        Runtime::new().unwrap().block_on(async {
            let all = octets(of(&Section::default())).await.unwrap();
            prop_assert_eq!(&all, &[&b"X-Above: 1\r\n"[..], &input].concat());
            let partial = Some(Partial { offset, length });
            let (whole, part) = (octets(of(&section)).await, octets(of(&section).part(partial)).await);
            prop_assert_eq!(whole.is_some(), part.is_some());
            let (Some(whole), Some(part)) = (whole, part) else { return Ok(()) };
            let from = usize::try_from(offset).unwrap().min(whole.len());
            let to = usize::try_from(offset + length).unwrap().min(whole.len());
            prop_assert_eq!(&part, &whole[from..to]);
            let picked = matches!(section.text, Some(SectionText::HeaderFields { .. }));
            let stands = whole.is_empty() || all.windows(whole.len()).any(|window| window == whole);
            prop_assert!(picked || stands, "{:?} is not in the message", whole);
            Ok(())
        })?;
    }

    /// `BINARY[1]` is `BODY[1]` without its encoding, also in part; its size is told as it is.
    #[test]
    fn a_binary_section_is_the_decoded_body(
        input in pieces(),
        path in prop::collection::vec(1u32..4, 0..4),
        (offset, length) in (0u64..60, 1u64..60),
    ) {
        let (message, parsed) = message("", &input);
        let body = Content::section(&message, Some(&parsed), &Section { path: path.clone(), text: None });
        Runtime::new().unwrap().block_on(async {
            let Ok(binary) = Content::binary(&message, Some(&parsed), &path) else {
                let part = parsed.section(&path).unwrap();
                prop_assert!(Decoder::new(&part.encoding).is_none());
                return Ok(());
            };
            let body = octets(body).await;
            let Some(binary) = octets(binary).await else {
                prop_assert_eq!(body, None);
                return Ok(());
            };
            let mut decoded = Vec::new();
            match parsed.section(&path).filter(|_| !path.is_empty()) {
                Some(part) => {
                    let mut decoder = Decoder::new(&part.encoding).unwrap();
                    decoder.feed(&body.unwrap(), &mut decoded);
                    decoder.finish(&mut decoded);
                }
                None => decoded = body.unwrap(),
            }
            prop_assert_eq!(&binary, &decoded);
            let partial = Some(Partial { offset, length });
            let part = Content::binary(&message, Some(&parsed), &path).unwrap().part(partial);
            let from = usize::try_from(offset).unwrap().min(decoded.len());
            let to = usize::try_from(offset + length).unwrap().min(decoded.len());
            prop_assert_eq!(&octets(part).await.unwrap(), &decoded[from..to]);
            let size = Content::binary(&message, Some(&parsed), &path).unwrap().size_of(&path);
            let Content::Size { mut source, .. } = size else { panic!("it has a size") };
            prop_assert_eq!(source.measure().await.unwrap().size, decoded.len() as u64);
            Ok(())
        })?;
    }
}
