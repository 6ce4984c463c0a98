//! What a server says: where it is cut makes no difference, and a reply is written within RFC 5321's lines.

use super::{dialogue, has_bare_newline};
use smtp::Reply;
use smtp::client::{MAX_LINE, ReplyError, ReplyParser};
use smtp::reply::MAX_REPLY_LINE;

pub fn run(data: &[u8]) {
    let Some((_, pieces)) = dialogue(data) else { return };
    let cut = read(pieces);
    let whole = read(data.get(2..).into_iter());
    assert_eq!(cut, whole, "cut differently");
    for reply in &whole.0 {
        for utf8 in [false, true] {
            let written = reply.encode(utf8);
            assert!(!has_bare_newline(&written), "{reply:?}");
            assert!(
                written.split_inclusive(|octet| *octet == b'\n').all(|line| line.len() <= MAX_REPLY_LINE)
            );
        }
    }
}

fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Reply>, Option<ReplyError>) {
    let (mut parser, mut replies) = (ReplyParser::default(), Vec::new());
    for piece in pieces {
        parser.push(piece);
        loop {
            match parser.next(MAX_LINE, |_| {}) {
                Ok(Some(reply)) => replies.push(reply),
                Ok(None) => break,
                Err(error) => return (replies, Some(error)),
            }
        }
    }
    (replies, None)
}
