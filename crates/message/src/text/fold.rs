//! Text as it is compared when case does not matter.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::{canonical_combining_class, decompose_compatible};

/// Most marks in a row, in octets, that are put in order when text is folded in pieces; people write three or four.
const MAX_MARKS: usize = 4 * 1024;

/// The form in which text is compared when case does not matter: near to `i;unicode-casemap`, which RFC 5255 §4.4 and RFC 5256
/// §3 ask for. Characters are decomposed, so that composed and decomposed ones are the same, then upper case where
/// that is one character.
///
/// ```
/// assert_eq!(message::text::fold("Gr\u{fc}\u{df}e"), message::text::fold("GRU\u{308}\u{df}E"));
/// ```
pub fn fold(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    fold_to(text, &mut out);
    out
}

fn fold_to(text: &str, out: &mut String) {
    let upper = |c: char| {
        let mut upper = c.to_uppercase();
        upper.next().filter(|_| upper.next().is_none()).unwrap_or(c)
    };
    let mut rest = text;
    while !rest.is_empty() {
        // ASCII is decomposed already, and no mark passes it when marks are put in order.
        let ascii = rest.bytes().position(|octet| !octet.is_ascii()).unwrap_or(rest.len());
        out.push_str(&rest[..ascii]);
        let from = out.len() - ascii;
        out[from..].make_ascii_uppercase();
        let (other, after) = rest[ascii..].split_at(
            rest.bytes().skip(ascii).position(|octet| octet.is_ascii()).unwrap_or(rest.len() - ascii),
        );
        out.extend(other.nfkd().map(upper));
        rest = after;
    }
}

/// [`fold`] of a text that comes in pieces: the result is the same however it is cut.
///
/// ```
/// let (mut folder, mut out) = (message::text::Folder::default(), String::new());
/// ["Gru", "\u{308}\u{df}", "e"].iter().for_each(|piece| folder.feed(piece, &mut out));
/// folder.finish(&mut out);
/// assert_eq!(out, message::text::fold("Gr\u{fc}\u{df}e"));
/// ```
#[derive(Debug, Default)]
pub struct Folder {
    /// The marks at the end of what came, which those that come may have to stand before.
    held: String,
}

impl Folder {
    /// Appends the next piece to `out`, but for marks that may have to wait for others.
    pub fn feed(&mut self, piece: &str, out: &mut String) {
        if self.held.is_empty() {
            let (safe, held) = piece.split_at(settled(piece));
            fold_to(safe, out);
            self.held.push_str(held);
        } else {
            self.held.push_str(piece);
            let end = settled(&self.held);
            fold_to(&self.held[..end], out);
            self.held.drain(..end);
        }
        if self.held.len() > MAX_MARKS {
            self.finish(out);
        }
    }

    /// The text has ended; another may begin.
    pub fn finish(&mut self, out: &mut String) {
        fold_to(&self.held, out);
        self.held.clear();
    }
}

/// Octets of a text that no mark after it changes: all to the last character that is none and has none.
fn settled(text: &str) -> usize {
    let is_mark = |c: char| {
        let mut last = c;
        decompose_compatible(c, |part| last = part);
        canonical_combining_class(last) != 0
    };
    text.char_indices()
        .rev()
        .find(|(_, c)| c.is_ascii() || !is_mark(*c))
        .map_or(0, |(at, c)| at + c.len_utf8())
}
