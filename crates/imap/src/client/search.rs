//! UID SEARCH's keys, written (RFC 9051 §6.4.4).

use super::Error;
use super::write::Writer;
use crate::Flag;
use crate::search::{Comparison, DateOf, Day, FlagKey, MAX_DEPTH, SearchFlag, SearchKey};

/// With the charset, where there are strings that are not ASCII and UTF-8 is not agreed on.
pub(super) fn program(out: &mut Writer, search: &SearchKey) -> Result<(), Error> {
    if !out.unicode() && !is_ascii(search, MAX_DEPTH)? {
        out.word("CHARSET UTF-8");
    }
    key(out, search)
}

fn is_ascii(search: &SearchKey, depth: usize) -> Result<bool, Error> {
    let depth = depth.checked_sub(1).ok_or(Error::TooLong("nesting of the search", MAX_DEPTH))?;
    Ok(match search {
        SearchKey::Header { name, needle } => name.is_ascii() && needle.is_ascii(),
        SearchKey::Body(text) | SearchKey::Text(text) => text.is_ascii(),
        SearchKey::Not(inner) => is_ascii(inner, depth)?,
        SearchKey::Or(both) => is_ascii(&both.0, depth)? & is_ascii(&both.1, depth)?,
        SearchKey::And(all) => {
            let all = all.iter().map(|inner| is_ascii(inner, depth)).collect::<Result<Vec<_>, _>>()?;
            all.into_iter().all(|ascii| ascii)
        }
        _ => true,
    })
}

fn key(out: &mut Writer, search: &SearchKey) -> Result<(), Error> {
    match search {
        SearchKey::All => out.word("ALL"),
        SearchKey::Numbers(set) => out.set("SEARCH", set)?,
        SearchKey::Uid(set) => {
            out.word("UID");
            out.set("SEARCH", set)?;
        }
        SearchKey::Flag(flag) => flag_key(out, flag),
        SearchKey::Date(of, comparison, day) => out.word(&date(*of, *comparison, *day)),
        SearchKey::Within { older, seconds } => {
            out.word(&format!("{} {seconds}", if *older { "OLDER" } else { "YOUNGER" }))
        }
        SearchKey::Larger(size) => out.word(&format!("LARGER {size}")),
        SearchKey::Smaller(size) => out.word(&format!("SMALLER {size}")),
        SearchKey::Header { name, needle } => {
            out.word("HEADER");
            out.string("name of a header field", name.as_bytes())?;
            out.string("text searched for", needle.as_bytes())?;
        }
        SearchKey::Body(needle) => {
            out.word("BODY");
            out.string("text searched for", needle.as_bytes())?;
        }
        SearchKey::Text(needle) => {
            out.word("TEXT");
            out.string("text searched for", needle.as_bytes())?;
        }
        SearchKey::Not(inner) => {
            out.word("NOT");
            key(out, inner)?;
        }
        SearchKey::Or(both) => {
            out.word("OR");
            key(out, &both.0)?;
            key(out, &both.1)?;
        }
        SearchKey::And(all) if all.is_empty() => out.word("ALL"),
        SearchKey::And(all) => {
            out.open();
            all.iter().try_for_each(|one| key(out, one))?;
            out.raw(")");
        }
        SearchKey::ModSeq(modseq) => out.word(&format!("MODSEQ {modseq}")),
        SearchKey::EmailId(id) => {
            out.word("EMAILID");
            out.atom("object id", id)?;
        }
        SearchKey::ThreadId(id) => {
            out.word("THREADID");
            out.atom("object id", id)?;
        }
        SearchKey::SaveDateSupported => out.word("SAVEDATESUPPORTED"),
    }
    Ok(())
}

fn flag_key(out: &mut Writer, FlagKey { flag, set }: &FlagKey) {
    let un = if *set { "" } else { "UN" };
    match flag {
        SearchFlag::System(Flag::Keyword(keyword)) | SearchFlag::Keyword(keyword) => {
            out.word(&format!("{un}KEYWORD {keyword}"));
        }
        SearchFlag::System(flag) => {
            out.word(&format!("{un}{}", flag.as_str().trim_start_matches('\\').to_ascii_uppercase()));
        }
        SearchFlag::Recent => out.word(if *set { "RECENT" } else { "OLD" }),
    }
}

fn date(of: DateOf, comparison: Comparison, day: Day) -> String {
    let of = match of {
        DateOf::Internal => "",
        DateOf::Sent => "SENT",
        DateOf::Saved => "SAVED",
    };
    let comparison = match comparison {
        Comparison::Before => "BEFORE",
        Comparison::On => "ON",
        Comparison::Since => "SINCE",
    };
    format!("{of}{comparison} {}", day.strftime("%-d-%b-%Y"))
}
