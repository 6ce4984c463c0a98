//! A place in a command, and the words of the grammar that all commands share (RFC 9051 §9). Each method reads what it
//! is named after, or says what it expected.

use super::Problem;
use super::literal::Wanted;
use crate::command::Tag;
use crate::name::{self, MailboxName};
use crate::set::MAX_RANGES;
use crate::{Flag, Keyword, MAX_KEYWORD, SeqNumber, SequenceSet, is_atom_char};
use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use std::borrow::Cow;

pub(crate) type Parsed<T> = Result<T, Problem>;

/// Longest tag. RFC 9051 has no bound; clients count.
const MAX_TAG: usize = 64;
/// Flags in one list. Folders have far fewer keywords.
const MAX_FLAGS: usize = 256;
/// Of what is found instead, so much is repeated.
const MAX_FOUND: usize = 24;
/// Numbers above are not in the grammar: `number64` has 63 bits.
const MAX_NUMBER64: u64 = i64::MAX as u64;

#[derive(Debug, Clone)]
pub(crate) struct Cursor<'a> {
    input: &'a [u8],
    at: usize,
    utf8: bool,
    /// What is found is not to be repeated.
    secret: bool,
    no_charset: bool,
    /// A string is missing at the end: it may come as a literal.
    wanted: Option<Wanted>,
}

impl<'a> Cursor<'a> {
    /// `utf8`: names of mailboxes are not in modified UTF-7.
    pub(crate) fn new(input: &'a [u8], utf8: bool) -> Self {
        Self { input, at: 0, utf8, secret: false, no_charset: false, wanted: None }
    }

    pub(crate) fn forbid_charset(&mut self, forbidden: bool) {
        self.no_charset = forbidden;
    }

    pub(crate) fn may_say_charset(&self) -> bool {
        !self.no_charset
    }

    pub(crate) fn keep_secret(&mut self) {
        self.secret = true;
    }

    fn rest(&self) -> &'a [u8] {
        &self.input[self.at..]
    }

    pub(crate) fn mark(&self) -> usize {
        self.at
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest().first().copied()
    }

    pub(crate) fn is_end(&self) -> bool {
        self.at == self.input.len()
    }

    /// The problem that something else stands here.
    pub(crate) fn expected(&self, expected: &'static str) -> Problem {
        self.expected_at(self.at, expected)
    }

    pub(crate) fn expected_at(&self, at: usize, expected: &'static str) -> Problem {
        Problem::Expected { expected, at: at + 1, found: self.found(at) }
    }

    fn found(&self, at: usize) -> String {
        let rest = self.input.get(at..).unwrap_or_default();
        let Some(first) = rest.first() else { return "the end".to_owned() };
        if self.secret {
            return "something else".to_owned();
        }
        let length = rest.iter().position(|byte| b" ()\r".contains(byte)).unwrap_or(rest.len());
        let shown = &rest[..length.clamp(1, MAX_FOUND)];
        match first {
            b' ' => "a space".to_owned(),
            _ if shown.iter().all(u8::is_ascii_graphic) => format!("`{}`", String::from_utf8_lossy(shown)),
            _ => "other octets".to_owned(),
        }
    }

    pub(crate) fn take(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    pub(crate) fn expect(&mut self, byte: u8, expected: &'static str) -> Parsed<()> {
        if self.take(byte) { Ok(()) } else { Err(self.expected(expected)) }
    }

    /// `SP`: exactly one.
    pub(crate) fn space(&mut self) -> Parsed<()> {
        self.expect(b' ', "a space")
    }

    /// The command's end. Spaces before it hurt nobody.
    pub(crate) fn end(&mut self) -> Parsed<()> {
        let at = self.at;
        while self.take(b' ') {}
        if self.is_end() { Ok(()) } else { Err(self.expected_at(at, "the end of the command")) }
    }

    fn take_while(&mut self, keep: impl Fn(u8) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest.iter().position(|byte| !keep(*byte)).unwrap_or(rest.len());
        // The predicates let ASCII through only, as the caller sees to; anything else reads as nothing.
        let taken = std::str::from_utf8(&rest[..length]).unwrap_or_default();
        self.at += taken.len();
        taken
    }

    /// A word of the grammar in upper case, as far as letters, digits, `.`, `-` and `_` go: what `[` or `(` may follow.
    pub(crate) fn word(&mut self) -> String {
        let word = self.take_while(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
        word.to_ascii_uppercase()
    }

    /// The word that comes, left where it is.
    pub(crate) fn peek_word(&self) -> String {
        self.clone().word()
    }

    /// `tag = 1*<any ASTRING-CHAR except "+">`
    pub(crate) fn tag(&mut self) -> Parsed<Tag> {
        let tag = self.take_while(|byte| is_astring_char(byte) && byte != b'+');
        let fits = (1..=MAX_TAG).contains(&tag.len()) && self.take(b' ');
        if fits { Ok(Tag(tag.to_owned())) } else { Err(Problem::Tag) }
    }

    /// `atom = 1*ATOM-CHAR`
    pub(crate) fn atom(&mut self, expected: &'static str) -> Parsed<&'a str> {
        let atom = self.take_while(is_atom_char);
        if atom.is_empty() { Err(self.expected(expected)) } else { Ok(atom) }
    }

    /// `astring = 1*ASTRING-CHAR / string`
    pub(crate) fn astring(&mut self, expected: &'static str) -> Parsed<Cow<'a, [u8]>> {
        match self.peek() {
            Some(byte) if is_astring_char(byte) => {
                Ok(Cow::Borrowed(self.take_while(is_astring_char).as_bytes()))
            }
            _ => self.string(expected),
        }
    }

    /// `string = quoted / literal`
    pub(crate) fn string(&mut self, expected: &'static str) -> Parsed<Cow<'a, [u8]>> {
        match self.peek() {
            Some(b'"') => self.quoted(),
            Some(b'{') => self.literal().map(Cow::Borrowed),
            Some(_) => Err(self.expected(expected)),
            None => {
                self.wanted = Some(Wanted::ANY);
                Err(self.expected(expected))
            }
        }
    }

    /// A string with at most so many octets, as `what` tells them.
    pub(crate) fn within<T: AsRef<[u8]>>(
        &mut self,
        limit: usize,
        what: &'static str,
        read: impl FnOnce(&mut Self) -> Parsed<T>,
    ) -> Parsed<T> {
        let read = read(self);
        self.bound_wanted(limit, what);
        match read? {
            long if long.as_ref().len() > limit => Err(Problem::TooMany { what, limit }),
            read => Ok(read),
        }
    }

    /// If what has just been looked for is missing at the end: a literal there has the same bound.
    pub(crate) fn bound_wanted(&mut self, limit: usize, what: &'static str) {
        self.wanted = self.wanted.map(|wanted| wanted.within(limit, what));
    }

    /// The literal that would have gone on with the command, after an error.
    pub(crate) fn wanted(&self) -> Option<Wanted> {
        self.wanted
    }

    /// `atom / quoted`: no literal.
    pub(crate) fn atom_or_quoted(&mut self, expected: &'static str) -> Parsed<String> {
        let at = self.at;
        let octets = match self.peek() {
            Some(b'"') => self.quoted()?.into_owned(),
            _ => self.atom(expected)?.as_bytes().to_vec(),
        };
        String::from_utf8(octets).map_err(|_| self.expected_at(at, "UTF-8"))
    }

    /// `nstring = string / nil`, and `literal8` with `binary` (RFC 5464 §5, value).
    pub(crate) fn nstring(&mut self, expected: &'static str, binary: bool) -> Parsed<Option<Cow<'a, [u8]>>> {
        match self.peek() {
            Some(b'~') if binary => self.literal().map(|octets| Some(Cow::Borrowed(octets))),
            Some(b'n' | b'N') if self.peek_word() == "NIL" => {
                self.word();
                Ok(None)
            }
            _ => {
                let octets = self.string(expected);
                self.wanted = self.wanted.map(|wanted| wanted.binary(binary));
                octets.map(Some)
            }
        }
    }

    /// An `astring` that is text.
    pub(crate) fn text(&mut self, expected: &'static str) -> Parsed<String> {
        let at = self.at;
        let octets = self.astring(expected)?.into_owned();
        String::from_utf8(octets).map_err(|_| self.expected_at(at, "UTF-8"))
    }

    /// `quoted = DQUOTE *QUOTED-CHAR DQUOTE`. Octets above 127 are let through, for the caller to make sense of:
    /// clients send them whatever they have enabled.
    fn quoted(&mut self) -> Parsed<Cow<'a, [u8]>> {
        self.expect(b'"', "a quoted string")?;
        let start = self.at;
        let mut unescaped: Option<Vec<u8>> = None;
        loop {
            let Some(byte) = self.peek() else { return Err(self.expected("a closing quote")) };
            let byte = match byte {
                b'"' => break,
                b'\\' => {
                    unescaped.get_or_insert_with(|| self.input[start..self.at].to_vec());
                    self.at += 1;
                    let escaped = self.peek().filter(|byte| b"\"\\".contains(byte));
                    escaped.ok_or_else(|| self.expected("`\"` or `\\` after a backslash"))?
                }
                0 | b'\r' | b'\n' => return Err(self.expected("a closing quote")),
                byte => byte,
            };
            if let Some(unescaped) = &mut unescaped {
                unescaped.push(byte);
            }
            self.at += 1;
        }
        let plain = &self.input[start..self.at];
        self.at += 1;
        Ok(unescaped.map_or(Cow::Borrowed(plain), Cow::Owned))
    }

    /// `literal = "{" number64 ["+"] "}" CRLF *CHAR8`, `literal8 = "~{" …`, which may have NUL. Only ones that the
    /// framing has let in are here.
    fn literal(&mut self) -> Parsed<&'a [u8]> {
        let start = self.at;
        let binary = self.take(b'~');
        self.expect(b'{', "a literal")?;
        let size = self.take_while(|byte| byte.is_ascii_digit()).parse::<usize>().ok();
        self.take(b'+');
        let head = self.take(b'}') && self.take(b'\r') && self.take(b'\n');
        let octets = size.filter(|_| head).and_then(|size| self.rest().get(..size));
        let octets = octets.ok_or_else(|| self.expected_at(start, "a literal"))?;
        if !binary && octets.contains(&0) {
            return Err(self.expected_at(start, "a literal without NUL"));
        }
        self.at += octets.len();
        Ok(octets)
    }

    /// `number64 = 1*DIGIT`, of 63 bits; mod-sequences too (RFC 7162 §7).
    pub(crate) fn number64(&mut self, expected: &'static str) -> Parsed<u64> {
        let at = self.at;
        let number = self.take_while(|byte| byte.is_ascii_digit()).parse().ok();
        number.filter(|number| *number <= MAX_NUMBER64).ok_or_else(|| self.expected_at(at, expected))
    }

    /// `nz-number64`
    pub(crate) fn nz_number64(&mut self, expected: &'static str) -> Parsed<u64> {
        let at = self.at;
        self.number64(expected)
            .ok()
            .filter(|number| *number > 0)
            .ok_or_else(|| self.expected_at(at, expected))
    }

    /// `nz-number = digit-nz *DIGIT`, of 32 bits.
    pub(crate) fn nz_number(&mut self, expected: &'static str) -> Parsed<u32> {
        let at = self.at;
        let number = self.take_while(|byte| byte.is_ascii_digit()).parse().ok();
        number.filter(|number| *number > 0).ok_or_else(|| self.expected_at(at, expected))
    }

    /// `"(" item *(SP item) ")"`
    pub(crate) fn list<T>(
        &mut self,
        what: &'static str,
        limit: usize,
        mut item: impl FnMut(&mut Self) -> Parsed<T>,
    ) -> Parsed<Vec<T>> {
        self.expect(b'(', "`(`")?;
        let mut items = vec![item(self)?];
        while !self.take(b')') {
            if !self.take(b' ') {
                return Err(self.expected("a space or `)`"));
            }
            if items.len() == limit {
                return Err(Problem::TooMany { what, limit });
            }
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// As [`Self::list`], which may be `()`.
    pub(crate) fn list_or_empty<T>(
        &mut self,
        what: &'static str,
        limit: usize,
        item: impl FnMut(&mut Self) -> Parsed<T>,
    ) -> Parsed<Vec<T>> {
        if self.rest().starts_with(b"()") {
            self.at += 2;
            return Ok(Vec::new());
        }
        self.list(what, limit, item)
    }

    /// `mailbox = "INBOX" / astring`
    pub(crate) fn mailbox(&mut self) -> Parsed<MailboxName> {
        let at = self.at;
        let name = self.mailbox_text(at, |cursor| cursor.astring("a mailbox"))?;
        if name.is_empty() {
            Err(self.expected_at(at, "a mailbox with a name"))
        } else {
            Ok(MailboxName::new(&name))
        }
    }

    /// A mailbox that may be `""`, the reference of LIST or METADATA's server.
    pub(crate) fn mailbox_or_empty(&mut self) -> Parsed<String> {
        self.mailbox_text(self.at, |cursor| cursor.astring("a mailbox"))
    }

    /// `list-mailbox = 1*list-char / string`, `list-char = ATOM-CHAR / list-wildcards / resp-specials`
    pub(crate) fn list_mailbox(&mut self) -> Parsed<String> {
        let is_list_char = |byte| is_astring_char(byte) || b"*%".contains(&byte);
        self.mailbox_text(self.at, |cursor| match cursor.peek() {
            Some(byte) if is_list_char(byte) => Ok(Cow::Borrowed(cursor.take_while(is_list_char).as_bytes())),
            _ => cursor.string("a mailbox or a pattern"),
        })
    }

    fn mailbox_text(
        &mut self,
        at: usize,
        octets: impl FnOnce(&mut Self) -> Parsed<Cow<'a, [u8]>>,
    ) -> Parsed<String> {
        const WHAT: &str = "octets in the name of a mailbox";
        // In modified UTF-7 it may be longer than it is.
        let octets = self.within(name::MAX_NAME * 2, WHAT, octets)?;
        let text = std::str::from_utf8(&octets).map_err(|_| self.expected_at(at, "a mailbox in UTF-8"))?;
        let name = if self.utf8 { text.to_owned() } else { name::decode_utf7(text).into_owned() };
        match name.len() > name::MAX_NAME {
            true => Err(Problem::TooMany { what: WHAT, limit: name::MAX_NAME }),
            false => Ok(name),
        }
    }

    /// `sequence-set = (seq-number / seq-range) ["," sequence-set]`, `sequence-set =/ seq-last-command`: `$` stands alone or
    /// last.
    pub(crate) fn sequence_set(&mut self) -> Parsed<SequenceSet> {
        if self.take(b'$') {
            return Ok(SequenceSet::Saved);
        }
        let mut ranges = Vec::new();
        loop {
            let first = self.seq_number()?;
            let last = if self.take(b':') { self.seq_number()? } else { first };
            ranges.push((first, last));
            if !self.take(b',') {
                return Ok(SequenceSet::Numbers(ranges));
            }
            if ranges.len() == MAX_RANGES {
                return Err(Problem::TooMany { what: "ranges in a set", limit: MAX_RANGES });
            }
            if self.take(b'$') {
                return Ok(SequenceSet::WithSaved(ranges));
            }
        }
    }

    /// A sequence-set in which neither `*` nor `$` may stand (RFC 7162 §7, known-uids).
    pub(crate) fn known_set(&mut self) -> Parsed<SequenceSet> {
        let at = self.at;
        let set = self.sequence_set()?;
        match set.largest() {
            Some(SeqNumber::Number(_)) if !set.has_saved() => Ok(set),
            _ => Err(self.expected_at(at, "a set without `*` and `$`")),
        }
    }

    /// `seq-number = nz-number / "*"`
    pub(crate) fn seq_number(&mut self) -> Parsed<SeqNumber> {
        if self.take(b'*') {
            return Ok(SeqNumber::Last);
        }
        self.nz_number("a message's number or `*`").map(SeqNumber::Number)
    }

    /// `flag = "\Answered" / … / flag-keyword / flag-extension`. `None`: a system flag that cannot be set, `\Recent`
    /// among them, which a server ignores (RFC 9051 §7.1, PERMANENTFLAGS).
    pub(crate) fn flag(&mut self) -> Parsed<Option<Flag>> {
        if self.peek() == Some(b'\\') {
            let rest = self.rest();
            self.at += 1;
            let atom = self.atom("a flag after `\\`")?;
            let name = std::str::from_utf8(&rest[..=atom.len()]).unwrap_or_default();
            return Ok(Flag::parse(name));
        }
        self.keyword().map(|keyword| Some(Flag::Keyword(keyword)))
    }

    /// `flag-keyword = "$MDNSent" / … / atom`
    pub(crate) fn keyword(&mut self) -> Parsed<Keyword> {
        let atom = self.atom("a flag")?;
        Keyword::new(atom).ok_or(Problem::TooMany { what: "octets in a keyword", limit: MAX_KEYWORD })
    }

    /// `flag-list = "(" [flag *(SP flag)] ")"`
    pub(crate) fn flag_list(&mut self) -> Parsed<Vec<Flag>> {
        let flags = self.list_or_empty("flags", MAX_FLAGS, Self::flag)?;
        Ok(flags.into_iter().flatten().collect())
    }

    /// `flag *(SP flag)`, to the command's end.
    pub(crate) fn bare_flags(&mut self) -> Parsed<Vec<Flag>> {
        let mut flags = vec![self.flag()?];
        while self.take(b' ') && !self.is_end() {
            if flags.len() == MAX_FLAGS {
                return Err(Problem::TooMany { what: "flags", limit: MAX_FLAGS });
            }
            flags.push(self.flag()?);
        }
        Ok(flags.into_iter().flatten().collect())
    }

    /// `date = date-text / DQUOTE date-text DQUOTE`, `date-text = date-day "-" date-month "-" date-year`
    pub(crate) fn date(&mut self) -> Parsed<Date> {
        let at = self.at;
        let quoted = self.take(b'"');
        let text = self.take_while(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let date = parse_date(text).filter(|_| !quoted || self.take(b'"'));
        date.ok_or_else(|| self.expected_at(at, "a day like 1-Feb-1994"))
    }

    /// `date-time = DQUOTE date-day-fixed "-" date-month "-" date-year SP time SP zone DQUOTE`
    pub(crate) fn date_time(&mut self) -> Parsed<Timestamp> {
        let at = self.at;
        let quoted = self.quoted().ok();
        let text = quoted.as_deref().and_then(|octets| std::str::from_utf8(octets).ok());
        let instant = text.and_then(parse_date_time);
        instant.ok_or_else(|| self.expected_at(at, "a time like \"17-Jul-1996 02:44:25 -0700\""))
    }
}

/// `ASTRING-CHAR = ATOM-CHAR / resp-specials`
fn is_astring_char(byte: u8) -> bool {
    is_atom_char(byte) || byte == b']'
}

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

fn parse_date(text: &str) -> Option<Date> {
    let mut parts = text.split('-');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    let day = digits(day, 1..=2)?;
    let month = MONTHS.iter().position(|name| name.eq_ignore_ascii_case(month))? + 1;
    let year = digits(year, 4..=4)?;
    let none_left = parts.next().is_none();
    Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?)
        .ok()
        .filter(|_| none_left)
}

/// ` 7-Jul-1996 02:44:25 -0700`; the space before a day of one digit may be missing.
fn parse_date_time(text: &str) -> Option<Timestamp> {
    let mut parts = text.strip_prefix(' ').unwrap_or(text).split(' ');
    let (date, time, zone) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let date = parse_date(date)?;
    let mut units = time.split(':').map(|unit| digits(unit, 2..=2));
    let (hour, minute, second) = (units.next()??, units.next()??, units.next()??);
    // A leap second is the one before it.
    let second = if second == 60 { 59 } else { second };
    let narrow = |number: u32| i8::try_from(number).ok();
    let time = Time::new(narrow(hour)?, narrow(minute)?, narrow(second)?, 0).ok()?;
    if units.next().is_some() {
        return None;
    }
    let (sign, zone) = match zone.as_bytes().first()? {
        b'+' => (1, &zone[1..]),
        b'-' => (-1, &zone[1..]),
        _ => return None,
    };
    let zone = i32::try_from(digits(zone, 4..=4)?).ok()?;
    let (hours, minutes) = (zone / 100, zone % 100);
    let offset = jiff::tz::Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()?;
    offset.to_timestamp(DateTime::from_parts(date, time)).ok().filter(|_| minutes < 60)
}

fn digits(text: &str, lengths: std::ops::RangeInclusive<usize>) -> Option<u32> {
    let fits = lengths.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    fits.then(|| text.parse().ok())?
}
