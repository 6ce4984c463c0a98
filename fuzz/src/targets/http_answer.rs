//! What a server says over HTTPS: the host of a domain's MTA-STS policy, or who takes TLS reports. Both are strangers.

use super::dialogue;
use transport::https::Answer;

/// The longest content that is wanted.
const MAX: usize = 1000;

pub fn run(data: &[u8]) {
    let Some((settings, reads)) = dialogue(data) else { return };
    let max = settings.bit(0).then_some(MAX);
    let (mut octets, mut told) = (Vec::new(), Ok(None));
    for read in reads {
        octets.extend_from_slice(read);
        // As the connection does it: with what has come so far, until that is an answer or none.
        if matches!(told, Ok(None)) {
            told = Answer::read(&octets, false, max);
        }
    }
    let whole = Answer::read(&octets, false, max);
    let ended = Answer::read(&octets, true, max);
    match &told {
        Ok(Some(answer)) => {
            bounded(answer, max);
            // What comes behind an answer is no part of it.
            assert_eq!(whole.as_ref(), Ok(&Some(answer.clone())));
            assert_eq!(ended, whole);
        }
        Ok(None) => assert_eq!(whole, Ok(None)),
        Err(reason) => {
            assert!(reason.len() < 500, "{reason}");
            assert!(whole.is_err() && ended.is_err(), "{whole:?} {ended:?}");
        }
    }
    if let Ok(Some(answer)) = &ended {
        bounded(answer, max);
    }
}

fn bounded(answer: &Answer, max: Option<usize>) {
    assert!((200..1000).contains(&answer.status) || answer.status < 100, "{answer:?}");
    assert!(answer.line.starts_with("HTTP/1.") && answer.line.chars().count() <= 80, "{answer:?}");
    assert!(
        !answer.media_type.bytes().any(|octet| octet.is_ascii_uppercase() || octet == b';'),
        "{answer:?}"
    );
    let allowed = max.filter(|_| answer.status == 200).unwrap_or(0);
    assert!(answer.content.len() <= allowed, "{answer:?}");
    assert_eq!(answer.is_success(), answer.status / 100 == 2);
}
