//! SEARCH (RFC 9051 §6.4.4, RFC 3501 §6.4.4 and the keys of extensions). SORT and THREAD have the same keys.

use super::Problem;
use super::cursor::{Cursor, Parsed};
use super::fetch::partial_range;
use crate::command::Command;
use crate::search::{
    Comparison, DateOf, FlagKey, MAX_DEPTH, MAX_KEYS, MAX_NEEDLE, Search, SearchFlag, SearchKey, SearchReturn,
};
use crate::{Flag, is_atom_char};
use encoding_rs::{Encoding, UTF_8};

/// Longest name of a header field, or entry name, that is searched for.
const MAX_NAME: usize = 1_000;
/// Longest object identifier (RFC 8474 §7).
const MAX_OBJECT_ID: usize = 255;
const MAX_OPTIONS: usize = 16;

/// `search = "SEARCH" [search-return-opts] SP search-program`
/// `search-program = ["CHARSET" SP charset SP] search-key *(SP search-key)`
pub(super) fn search(cursor: &mut Cursor<'_>, uid: bool, _: &str) -> Parsed<Command> {
    let returns = return_options(cursor)?;
    let charset = match cursor.peek_word().as_str() {
        // RFC 6855 §3.
        "CHARSET" if !cursor.may_say_charset() => {
            return Err(Problem::Senseless(
                "after ENABLE UTF8=ACCEPT a search is in UTF-8 and says no charset",
            ));
        }
        "CHARSET" => {
            cursor.word();
            cursor.space()?;
            let charset = charset(cursor)?;
            cursor.space()?;
            charset
        }
        _ => UTF_8,
    };
    let key = keys(cursor, charset)?;
    Ok(Command::Search(Search { uid, returns, key }))
}

/// `search-return-opts = SP "RETURN" SP "(" [search-return-opt *(SP search-return-opt)] ")"`, with the space after it.
/// `search-return-opt = "MIN" / "MAX" / "ALL" / "COUNT" / "SAVE"`, `=/ "PARTIAL" SP partial-range` (RFC 9394 §4)
pub(super) fn return_options(cursor: &mut Cursor<'_>) -> Parsed<Option<SearchReturn>> {
    if cursor.peek_word() != "RETURN" {
        return Ok(None);
    }
    cursor.word();
    cursor.space()?;
    let mut returns = SearchReturn::default();
    let options = cursor.list_or_empty("options", MAX_OPTIONS, |cursor| {
        let at = cursor.mark();
        match cursor.word().as_str() {
            "MIN" => returns.min = true,
            "MAX" => returns.max = true,
            "ALL" => returns.all = true,
            "COUNT" => returns.count = true,
            "SAVE" => returns.save = true,
            "PARTIAL" => {
                cursor.space()?;
                returns.partial = Some(partial_range(cursor)?);
            }
            _ => return Err(cursor.expected_at(at, "MIN, MAX, ALL, COUNT, SAVE or PARTIAL")),
        }
        Ok(())
    })?;
    returns.all |= options.is_empty();
    if returns.all && returns.partial.is_some() {
        return Err(Problem::Senseless("ALL and PARTIAL exclude each other"));
    }
    cursor.space()?;
    Ok(Some(returns))
}

/// `charset = atom / quoted`. US-ASCII is read as UTF-8, which it is a part of.
pub(super) fn charset(cursor: &mut Cursor<'_>) -> Parsed<&'static Encoding> {
    let name = cursor.atom_or_quoted("a charset")?;
    if ["US-ASCII", "ASCII"].iter().any(|ascii| name.eq_ignore_ascii_case(ascii)) {
        return Ok(UTF_8);
    }
    let known = Encoding::for_label_no_replacement(name.as_bytes());
    known.ok_or_else(|| Problem::Charset(printable(&name)))
}

/// For a line of text that the client gets back.
fn printable(name: &str) -> String {
    name.chars().take(40).filter(|char| char.is_ascii_graphic()).collect()
}

/// `search-key *(SP search-key)`, all of which must hold.
pub(super) fn keys(cursor: &mut Cursor<'_>, charset: &'static Encoding) -> Parsed<SearchKey> {
    let mut reader = Reader { cursor, charset, keys: 0 };
    let mut keys = vec![reader.key(0)?];
    loop {
        let mut ahead = reader.cursor.clone();
        // Spaces at the end of a command are let pass.
        if ahead.end().is_ok() || !reader.cursor.take(b' ') {
            break;
        }
        keys.push(reader.key(0)?);
    }
    Ok(one_or_all(keys))
}

fn one_or_all(mut keys: Vec<SearchKey>) -> SearchKey {
    match keys.pop() {
        Some(only) if keys.is_empty() => only,
        last => {
            keys.extend(last);
            SearchKey::And(keys)
        }
    }
}

struct Reader<'c, 'a> {
    cursor: &'c mut Cursor<'a>,
    charset: &'static Encoding,
    keys: usize,
}

impl Reader<'_, '_> {
    /// `search-key = "ALL" / "ANSWERED" / … / sequence-set / "(" search-key *(SP search-key) ")"`
    fn key(&mut self, depth: usize) -> Parsed<SearchKey> {
        self.keys += 1;
        if self.keys > MAX_KEYS {
            return Err(Problem::TooMany { what: "search keys", limit: MAX_KEYS });
        }
        if depth > MAX_DEPTH {
            return Err(Problem::TooMany { what: "search keys inside each other", limit: MAX_DEPTH });
        }
        match self.cursor.peek() {
            Some(b'(') => {
                let keys = {
                    let mut inner = Vec::new();
                    self.cursor.expect(b'(', "`(`")?;
                    loop {
                        inner.push(self.key(depth + 1)?);
                        if self.cursor.take(b')') {
                            break inner;
                        }
                        self.cursor.expect(b' ', "a space or `)`")?;
                    }
                };
                Ok(one_or_all(keys))
            }
            Some(b'0'..=b'9' | b'*' | b'$') => self.cursor.sequence_set().map(SearchKey::Numbers),
            _ => self.named(depth),
        }
    }

    fn named(&mut self, depth: usize) -> Parsed<SearchKey> {
        let at = self.cursor.mark();
        let word = self.cursor.word();
        if let Some(key) = flag_key(&word) {
            return Ok(key);
        }
        let argument = match word.as_str() {
            "ALL" => return Ok(SearchKey::All),
            "SAVEDATESUPPORTED" => return Ok(SearchKey::SaveDateSupported),
            "BCC" | "CC" | "FROM" | "SUBJECT" | "TO" => Self::header_of_envelope,
            "HEADER" => Self::header,
            "BODY" | "TEXT" => Self::body_or_text,
            "BEFORE" | "ON" | "SINCE" | "SENTBEFORE" | "SENTON" | "SENTSINCE" | "SAVEDBEFORE" | "SAVEDON"
            | "SAVEDSINCE" => Self::date,
            "LARGER" | "SMALLER" | "OLDER" | "YOUNGER" => Self::number,
            "KEYWORD" | "UNKEYWORD" => Self::keyword,
            "EMAILID" | "THREADID" => Self::object_id,
            "MODSEQ" => Self::modseq,
            "UID" => Self::uid,
            "NOT" | "OR" => return self.combined(&word, depth),
            "FUZZY" => return Err(Problem::Senseless("FUZZY is not on offer here")),
            _ => return Err(self.cursor.expected_at(at, "a search key")),
        };
        self.cursor.space()?;
        argument(self, &word)
    }

    /// `"NOT" SP search-key / "OR" SP search-key SP search-key`
    fn combined(&mut self, word: &str, depth: usize) -> Parsed<SearchKey> {
        self.cursor.space()?;
        let first = self.key(depth + 1)?;
        if word == "NOT" {
            return Ok(SearchKey::Not(Box::new(first)));
        }
        self.cursor.space()?;
        let second = self.key(depth + 1)?;
        Ok(SearchKey::Or(Box::new((first, second))))
    }

    /// `astring`, from the client's charset.
    fn needle(&mut self) -> Parsed<String> {
        let at = self.cursor.mark();
        let what = "octets in a string to search for";
        let octets =
            self.cursor.within(MAX_NEEDLE, what, |cursor| cursor.astring("a string to search for"))?;
        let text = self.charset.decode_without_bom_handling_and_without_replacement(&octets);
        let text = text.map(std::borrow::Cow::into_owned);
        text.ok_or_else(|| self.cursor.expected_at(at, "a string in the charset of the search"))
    }

    /// `"BCC" SP astring / "CC" SP astring / …`
    fn header_of_envelope(&mut self, word: &str) -> Parsed<SearchKey> {
        let name = match word {
            "BCC" => "Bcc",
            "CC" => "Cc",
            "FROM" => "From",
            "SUBJECT" => "Subject",
            _ => "To",
        };
        Ok(SearchKey::Header { name: name.to_owned(), needle: self.needle()? })
    }

    /// `"HEADER" SP header-fld-name SP astring`
    fn header(&mut self, _: &str) -> Parsed<SearchKey> {
        let what = "octets in the name of a header field";
        let name = self.cursor.within(MAX_NAME, what, |cursor| cursor.text("the name of a header field"))?;
        self.cursor.space()?;
        Ok(SearchKey::Header { name, needle: self.needle()? })
    }

    /// `"BODY" SP astring / "TEXT" SP astring`
    fn body_or_text(&mut self, word: &str) -> Parsed<SearchKey> {
        let needle = self.needle()?;
        Ok(if word == "BODY" { SearchKey::Body(needle) } else { SearchKey::Text(needle) })
    }

    /// `"BEFORE" SP date / …`, `"SENTBEFORE" SP date / …`, `"SAVEDBEFORE" SP date / …` (RFC 8514 §5)
    fn date(&mut self, word: &str) -> Parsed<SearchKey> {
        let day = self.cursor.date()?;
        let (of, comparison) = match (word.strip_prefix("SENT"), word.strip_prefix("SAVED")) {
            (Some(rest), _) => (DateOf::Sent, rest),
            (_, Some(rest)) => (DateOf::Saved, rest),
            _ => (DateOf::Internal, word),
        };
        let comparison = match comparison {
            "BEFORE" => Comparison::Before,
            "ON" => Comparison::On,
            _ => Comparison::Since,
        };
        Ok(SearchKey::Date(of, comparison, day))
    }

    /// `"LARGER" SP number64 / "SMALLER" SP number64`, `("OLDER" / "YOUNGER") SP nz-number` (RFC 5032 §3)
    fn number(&mut self, word: &str) -> Parsed<SearchKey> {
        Ok(match word {
            "LARGER" => SearchKey::Larger(self.cursor.number64("a number of octets")?),
            "SMALLER" => SearchKey::Smaller(self.cursor.number64("a number of octets")?),
            _ => SearchKey::Within {
                older: word == "OLDER",
                seconds: self.cursor.nz_number("a number of seconds")?,
            },
        })
    }

    /// `"KEYWORD" SP flag-keyword / "UNKEYWORD" SP flag-keyword`
    fn keyword(&mut self, word: &str) -> Parsed<SearchKey> {
        let flag = SearchFlag::Keyword(self.cursor.keyword()?);
        Ok(SearchKey::Flag(FlagKey { flag, set: word == "KEYWORD" }))
    }

    /// `"EMAILID" SP objectid / "THREADID" SP objectid`, `objectid = 1*255(ALPHA / DIGIT / "_" / "-")` (RFC 8474 §7)
    fn object_id(&mut self, word: &str) -> Parsed<SearchKey> {
        let at = self.cursor.mark();
        let id = self.cursor.atom_or_quoted("an object's identifier")?;
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
        if !(1..=MAX_OBJECT_ID).contains(&id.len()) || !id.bytes().all(allowed) {
            return Err(self.cursor.expected_at(at, "an object's identifier"));
        }
        Ok(if word == "EMAILID" { SearchKey::EmailId(id) } else { SearchKey::ThreadId(id) })
    }

    /// `"MODSEQ" [SP entry-name SP entry-type-req] SP mod-sequence-valzer`
    /// `entry-type-req = "priv" / "shared" / "all"` (RFC 7162 §7)
    fn modseq(&mut self, _: &str) -> Parsed<SearchKey> {
        if self.cursor.peek() == Some(b'"') {
            let at = self.cursor.mark();
            let entry = self.cursor.atom_or_quoted("the name of an entry")?;
            if !is_flag_entry(&entry) {
                return Err(self.cursor.expected_at(at, "an entry like \"/flags/$important\""));
            }
            self.cursor.space()?;
            let at = self.cursor.mark();
            if !["PRIV", "SHARED", "ALL"].contains(&self.cursor.word().as_str()) {
                return Err(self.cursor.expected_at(at, "priv, shared or all"));
            }
            self.cursor.space()?;
        }
        self.cursor.number64("a mod-sequence").map(SearchKey::ModSeq)
    }

    /// `"UID" SP sequence-set`
    fn uid(&mut self, _: &str) -> Parsed<SearchKey> {
        self.cursor.sequence_set().map(SearchKey::Uid)
    }
}

/// `entry-flag-name = DQUOTE "/flags/" attr-flag DQUOTE` (RFC 7162 §7)
fn is_flag_entry(entry: &str) -> bool {
    let (path, flag) = entry.split_at_checked("/flags/".len()).unwrap_or_default();
    let flag = flag.strip_prefix('\\').unwrap_or(flag);
    path.eq_ignore_ascii_case("/flags/") && !flag.is_empty() && flag.bytes().all(is_atom_char)
}

/// The keys that stand for a flag; with RECENT, NEW and OLD (RFC 3501 §6.4.4).
fn flag_key(word: &str) -> Option<SearchKey> {
    let key = |flag, set| SearchKey::Flag(FlagKey { flag, set });
    let recent = SearchFlag::Recent;
    match word {
        "RECENT" => return Some(key(recent, true)),
        "OLD" => return Some(key(recent, false)),
        "NEW" => {
            let unseen = key(SearchFlag::System(Flag::Seen), false);
            return Some(SearchKey::And(vec![key(recent, true), unseen]));
        }
        _ => {}
    }
    let (name, set) = word.strip_prefix("UN").map_or((word, true), |name| (name, false));
    let flag = match name {
        "ANSWERED" => Flag::Answered,
        "DELETED" => Flag::Deleted,
        "DRAFT" => Flag::Draft,
        "FLAGGED" => Flag::Flagged,
        "SEEN" => Flag::Seen,
        _ => return None,
    };
    Some(key(SearchFlag::System(flag), set))
}
