//! Words that are looked for: the index knows which bodies have them, the fields above a copy's body are looked at here.

use ::message::Header;
use ::message::text::fold;
use std::ops::ControlFlow;
use store::search::Query;
use store::{Id, Store, StoreError};

/// Words, and where they are looked for.
#[derive(Debug)]
pub(super) struct Words {
    query: Query,
    /// `None` when only the body matters.
    above: Option<Above>,
}

impl Words {
    pub(super) fn new(query: Query) -> Self {
        Self { above: Above::new(&query), query }
    }

    /// Whether a copy's own fields matter: they count as its header.
    pub(super) fn may_be_above(&self) -> bool {
        self.above.is_some()
    }

    /// Whether a copy's own fields have them.
    pub(super) fn are_above(&self, prefix: &[u8]) -> bool {
        self.above.as_ref().is_some_and(|above| above.holds(prefix))
    }

    /// Those of an account's bodies, with their sizes, that have them, in the order of their ids. Blocks; ends early, with nothing, when
    /// it is to go on no more, which is asked with how many of them are done.
    pub(super) fn among(
        &self,
        store: &Store,
        account: Id,
        bodies: &[(Id, u64)],
        goes_on: impl Fn(u64) -> ControlFlow<()>,
    ) -> Result<Vec<Id>, StoreError> {
        Ok(store.search(account, &self.query, bodies, |done, _| goes_on(done))?.unwrap_or_default())
    }
}

/// What is looked for in the fields above a body.
#[derive(Debug)]
struct Above {
    /// Of the field, if it matters.
    name: Option<String>,
    /// Folded.
    needle: String,
}

impl Above {
    /// `None` when only the body matters.
    fn new(query: &Query) -> Option<Self> {
        match query {
            Query::Body(_) => None,
            Query::Text(needle) => Some(Self { name: None, needle: fold(needle) }),
            Query::Header { name, needle } => Some(Self { name: Some(name.clone()), needle: fold(needle) }),
        }
    }

    fn holds(&self, prefix: &[u8]) -> bool {
        self.may_hold(prefix)
            && Header::parse(prefix).fields().any(|field| match &self.name {
                None => fold(&String::from_utf8_lossy(field.as_bytes())).contains(&self.needle),
                Some(name) => field.is(name) && fold(&field.value()).contains(&self.needle),
            })
    }

    /// Cheap, and never wrong about what is not there: letters and digits of ASCII stay what they are but for their case.
    fn may_hold(&self, prefix: &[u8]) -> bool {
        let plain = |text: &str| !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_alphanumeric());
        let has = |text: &str| !plain(text) || contains(prefix, text.as_bytes());
        !prefix.is_ascii() || (self.name.as_deref().is_none_or(has) && has(&self.needle))
    }
}

/// Whether the octets are in `text`, whatever their case.
fn contains(text: &[u8], octets: &[u8]) -> bool {
    text.windows(octets.len()).any(|window| window.eq_ignore_ascii_case(octets))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(query: Query, expected: bool) {
        let prefix = "Return-Path: <joe@x.example>\r\nReceived: from a.example\r\n by b.example; Thu\r\n";
        let words = Words::new(query);
        assert_eq!(words.are_above(prefix.as_bytes()), expected, "{words:?}");
    }

    #[test]
    fn fields_above_a_body_are_its_header() {
        let header = |name: &str, needle: &str| Query::Header { name: name.into(), needle: needle.into() };
        check(Query::Text("JOE".into()), true);
        check(Query::Text("return-PATH: <joe".into()), true);
        check(Query::Text("joey".into()), false);
        check(Query::Body("joe".into()), false);
        check(header("received", "B.example"), true);
        check(header("Return-Path", "b.example"), false);
        check(header("Received", ""), true);
        check(header("X-Other", ""), false);
    }

    #[test]
    fn what_is_not_ascii_is_read() {
        let above = |needle: &str| Above { name: None, needle: fold(needle) };
        assert!(above("office").holds("X-To: o\u{fb03}ce\r\n".as_bytes()));
        assert!(!above("officer").holds("X-To: o\u{fb03}ce\r\n".as_bytes()));
    }
}
