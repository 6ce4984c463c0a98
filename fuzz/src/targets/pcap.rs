//! Capture files: container, packets, streams, TLS with the secrets that the file itself has, dialogues.

use capture::dialogue::MAX_MESSAGES;
use capture::{Decoder, Event, Settings};
use std::collections::BTreeMap;

pub fn run(data: &[u8]) {
    let mut decoder = Decoder::new(Settings::default());
    let good = decoder.push(data).is_ok();
    decoder.finish();
    let mut content: BTreeMap<(u64, u64), u64> = BTreeMap::new();
    let mut numbers = Vec::new();
    while let Some(event) = decoder.poll_event() {
        match event {
            Event::MessageOctets { dialogue, message, octets } => {
                assert!(!numbers.contains(&dialogue), "content after its dialogue");
                *content.entry((dialogue, message)).or_default() += octets.len() as u64;
            }
            Event::MessageEnd { .. } => {}
            Event::Dialogue(dialogue) => {
                for message in &dialogue.messages {
                    let passed = content.get(&(dialogue.number, message.number)).copied().unwrap_or_default();
                    assert_eq!(passed, message.octets);
                    assert!(!message.complete || message.missing == 0);
                }
                assert!(dialogue.messages.len() <= MAX_MESSAGES);
                numbers.push(dialogue.number);
            }
        }
    }
    assert_eq!(numbers.len() as u64, decoder.summary().dialogues);

    // Where the file is cut into pieces makes no difference.
    let mut pieces = Decoder::new(Settings::default());
    let also = data.chunks(13).all(|piece| pieces.push(piece).is_ok());
    pieces.finish();
    assert_eq!(good, also);
    // What is left over of a damaged file depends on how much of it was there.
    if good {
        assert_eq!(pieces.summary(), decoder.summary());
    }
}
