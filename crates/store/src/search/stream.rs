//! The same comparison over a message that goes by: for what is longer than what is kept.

use super::extract::pieces;
use super::query::Matcher;
use crate::{Body, StoreError};
use message::text::{Folder, Stream, Whose, Words};
use std::ops::ControlFlow;

/// Whether what is looked for is anywhere in a body, however long. Takes memory for a piece of it and the needle.
pub(super) fn matches(matcher: &Matcher, body: &Body) -> Result<bool, StoreError> {
    // Every text has it, even that of a message without any.
    if matcher.needle().is_empty() && !matcher.is_of_header() {
        return Ok(true);
    }
    let mut stream = Stream::new(Listener::new(matcher));
    pieces(body, |piece| {
        stream.feed(piece);
        if stream.words().found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    let (_, mut listener) = stream.finish();
    listener.finish();
    Ok(listener.found)
}

struct Listener<'a> {
    matcher: &'a Matcher,
    /// The fields, by whose they are, and the body: nothing is looked for across two of them.
    fields: [Window; 3],
    body: Window,
    /// Whether the field that has not ended is asked for.
    wanted: bool,
    found: bool,
}

impl<'a> Listener<'a> {
    fn new(matcher: &'a Matcher) -> Self {
        Self { matcher, fields: Default::default(), body: Window::default(), wanted: false, found: false }
    }

    fn finish(&mut self) {
        for window in self.fields.iter_mut().chain([&mut self.body]) {
            self.found |= window.finish(self.matcher);
        }
    }
}

impl Words for Listener<'_> {
    fn field(&mut self, whose: Whose, name: &str, value: &str, ends: bool) {
        self.wanted = self.matcher.wants(whose, name);
        if !self.wanted {
            return;
        }
        // One field's value alone, or all of its header as lines.
        if self.matcher.is_of_header() {
            self.found |= self.matcher.needle().is_empty();
        } else {
            for piece in [name, ": "] {
                self.found |= self.fields[whose as usize].pass(piece, self.matcher);
            }
        }
        self.rest(whose, value, ends);
    }

    fn rest(&mut self, whose: Whose, value: &str, ends: bool) {
        if !self.wanted {
            return;
        }
        let window = &mut self.fields[whose as usize];
        self.found |= window.pass(value, self.matcher);
        if ends {
            self.found |= match self.matcher.is_of_header() {
                true => window.finish(self.matcher),
                false => window.pass("\n", self.matcher),
            };
        }
    }

    fn text(&mut self, text: &str) {
        if !self.matcher.is_of_header() && !self.found {
            self.found |= self.body.pass(text, self.matcher);
        }
    }

    fn is_full(&self) -> bool {
        self.found || self.matcher.is_of_header()
    }
}

/// A text that goes by, folded.
#[derive(Default)]
struct Window {
    folder: Folder,
    /// The end of it: less than a needle.
    seen: String,
}

impl Window {
    /// Whether the needle ends in the next piece.
    fn pass(&mut self, piece: &str, matcher: &Matcher) -> bool {
        self.folder.feed(piece, &mut self.seen);
        if matcher.is_in(self.seen.as_bytes()) {
            return true;
        }
        let kept = matcher.needle().len().saturating_sub(1);
        let gone = self.seen.floor_char_boundary(self.seen.len().saturating_sub(kept));
        self.seen.drain(..gone);
        false
    }

    /// The text has ended; another may begin.
    fn finish(&mut self, matcher: &Matcher) -> bool {
        self.folder.finish(&mut self.seen);
        let found = matcher.is_in(self.seen.as_bytes());
        self.seen.clear();
        found && !matcher.needle().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::Query;

    #[test]
    fn a_needle_is_found_however_the_text_is_cut() {
        let (text, needle) =
            ("ein gru\u{308}\u{323}\u{df}er", Query::Body("GR\u{1ee5}\u{308}\u{df}E".into()));
        let (needle, other) = (Matcher::new(&needle), Matcher::new(&Query::Body("gruse".into())));
        for (at, _) in text.char_indices() {
            for (middle, _) in text.char_indices().filter(|(middle, _)| *middle >= at) {
                let pieces = [&text[..at], &text[at..middle], &text[middle..]];
                let found = |matcher: &Matcher| {
                    let mut window = Window::default();
                    let passed = pieces.map(|piece| window.pass(piece, matcher)).contains(&true);
                    passed | window.finish(matcher)
                };
                assert!(found(&needle) && !found(&other), "{pieces:?}");
            }
        }
    }
}
