//! Rewritten senders: what was not made here never comes back, and what was always does.

use address::{Address, Secret};
use mailauth::srs::{Original, Rewritten, Srs, is_rewritten};

const NOW: u64 = 1_528_637_909;

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(address) = text.parse::<Address>() else { return };
    let srs = Srs::new(&Secret::new([7; 32]));
    let Ok(by) = "forwarder.example".parse() else { unreachable!("the constant is a domain") };
    if let Ok(Rewritten { address: rewritten, token }) = srs.forward(&address, &by, NOW) {
        assert!(is_rewritten(rewritten.local()), "{rewritten}");
        // A second forwarder goes straight to the first, so only what was not rewritten before is its own way back.
        match (srs.reverse(&rewritten, NOW), token) {
            (Ok(Original::Sender(back)), None) => {
                assert!(back == address || is_rewritten(address.local()), "{rewritten}: {back}");
            }
            // What does not fit comes back by its token.
            (Ok(Original::Token(back)), Some(token)) => assert_eq!(back, token, "{rewritten}"),
            (Err(error), None) => assert!(is_rewritten(address.local()), "{rewritten}: {error}"),
            (found, token) => panic!("{rewritten}: {found:?} for {token:?}"),
        }
    }
    // A guess hits once in 2^25; with a key that the input cannot know, it is taken for never.
    let other = Srs::new(&Secret::new([9; 32]));
    assert!(other.reverse(&address, NOW).is_err(), "{address}");
}
