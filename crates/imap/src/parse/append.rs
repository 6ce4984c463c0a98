//! APPEND and REPLACE (RFC 9051 §6.3.12, RFC 3502, RFC 4466 §6, RFC 6855 §4, RFC 8508). Their messages are not held,
//! so they are read between literals, by the framing.

use super::cursor::{Cursor, Parsed};
use super::{Context, Problem, Refused};
use crate::Flag;
use crate::command::{AppendTarget, Tag};
use jiff::Timestamp;

/// An APPEND or REPLACE whose message has come, or is about to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Appending {
    pub(crate) tag: Tag,
    pub(crate) target: AppendTarget,
    /// The message came as `UTF8 (~{…}`: a `)` follows it.
    utf8: bool,
}

/// What the literal is whose head comes next.
#[derive(Debug)]
pub(crate) enum Next {
    /// A part of the command, a mailbox's name as it may be.
    Text,
    Message {
        appending: Appending,
        flags: Vec<Flag>,
        date: Option<Timestamp>,
        utf8: bool,
    },
}

/// `append = "APPEND" SP mailbox 1*append-message`
/// `replace = "REPLACE" SP seq-number SP mailbox append-message`
///
/// `text` is the command up to the literal's head.
pub(crate) fn next(text: &[u8], context: Context) -> Parsed<Next> {
    let mut cursor = Cursor::new(text, context.utf8);
    // What is no such command is refused once it is whole.
    let Ok(tag) = cursor.tag() else { return Ok(Next::Text) };
    let verb = super::verb(&mut cursor);
    let uid = verb == "UID REPLACE";
    if !uid && verb != "APPEND" && verb != "REPLACE" {
        return Ok(Next::Text);
    }
    cursor.space()?;
    let number = match verb.as_str() {
        "APPEND" => None,
        _ => Some(cursor.seq_number()?),
    };
    if number.is_some() {
        cursor.space()?;
    }
    if cursor.is_end() {
        return Ok(Next::Text);
    }
    let to = cursor.mailbox()?;
    let target = match number {
        None => AppendTarget::Append(to),
        Some(number) => AppendTarget::Replace { uid, number, to },
    };
    message(&mut cursor, Appending { tag, target, utf8: false })
}

/// `append-message = append-opts SP append-data`
/// `append-opts = [SP flag-list] [SP date-time]`
/// `append-data = literal / literal8 / "UTF8" SP "(" literal8 ")"`
fn message(cursor: &mut Cursor<'_>, mut appending: Appending) -> Parsed<Next> {
    cursor.space()?;
    let mut flags = Vec::new();
    if cursor.peek() == Some(b'(') {
        flags = cursor.flag_list()?;
        cursor.space()?;
    }
    let mut date = None;
    if cursor.peek() == Some(b'"') {
        date = Some(cursor.date_time()?);
        cursor.space()?;
    }
    let at = cursor.mark();
    appending.utf8 = cursor.word() == "UTF8";
    if appending.utf8 {
        cursor.space()?;
        cursor.expect(b'(', "`(`")?;
    }
    if !cursor.is_end() {
        return Err(cursor.expected_at(at, "flags, a date or the message"));
    }
    let utf8 = appending.utf8;
    Ok(Next::Message { appending, flags, date, utf8 })
}

impl Appending {
    /// As [`next`], after a message. `text` begins where the message ended.
    pub(crate) fn next(&self, text: &[u8]) -> Parsed<Next> {
        let mut cursor = Cursor::new(text, false);
        self.close(&mut cursor)?;
        if matches!(self.target, AppendTarget::Replace { .. }) {
            return Err(Problem::Senseless("one message replaces another"));
        }
        message(&mut cursor, self.clone())
    }

    /// The text after the last message.
    pub(crate) fn end(&self, text: &[u8]) -> Parsed<()> {
        let mut cursor = Cursor::new(text, false);
        self.close(&mut cursor)?;
        cursor.end()
    }

    fn close(&self, cursor: &mut Cursor<'_>) -> Parsed<()> {
        if self.utf8 { cursor.expect(b')', "`)` after the message") } else { Ok(()) }
    }

    /// Octets in `problem` are counted from the message's end.
    pub(crate) fn refused(&self, problem: Problem) -> Refused {
        let verb = match &self.target {
            AppendTarget::Append(_) => "APPEND",
            AppendTarget::Replace { uid: false, .. } => "REPLACE",
            AppendTarget::Replace { uid: true, .. } => "UID REPLACE",
        };
        Refused { tag: Some(self.tag.clone()), verb: verb.to_owned(), problem, saves: false }
    }
}
