//! Just enough of the syntax of responses (RFC 9051 §9).

use super::picture::Fetched;

/// Is the session's, not the message's.
const RECENT: &str = "\\Recent";

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Response {
    Exists(usize),
    Expunge(usize),
    Vanished {
        earlier: bool,
        uids: Vec<u32>,
    },
    Fetch(Fetched),
    Search(Vec<u32>),
    /// STATUS: messages, the next UID, unseen.
    Counts {
        name: String,
        counts: [u64; 3],
    },
    List {
        attributes: Vec<String>,
        name: String,
        old: Option<String>,
    },
    Status(String),
    Bye,
    Continue,
    Tagged {
        tag: String,
        status: String,
        text: String,
    },
    Other,
}

/// A response whose literals stand where they were announced, without their lengths.
pub(crate) fn parse(line: &str) -> Response {
    if line.starts_with("+ ") {
        return Response::Continue;
    }
    let Some(rest) = line.strip_prefix("* ") else {
        let mut words = line.splitn(3, ' ').map(str::to_owned);
        let mut word = || words.next().unwrap_or_default();
        return Response::Tagged { tag: word(), status: word(), text: word() };
    };
    let words: Vec<&str> = rest.splitn(3, ' ').collect();
    match words[..] {
        [number, "EXISTS"] => Response::Exists(number.parse().unwrap()),
        [number, "EXPUNGE"] => Response::Expunge(number.parse().unwrap()),
        [number, "FETCH", items] => Response::Fetch(fetched(number.parse().unwrap(), items)),
        ["VANISHED", "(EARLIER)", set] => Response::Vanished { earlier: true, uids: numbers(set) },
        ["VANISHED", set] => Response::Vanished { earlier: false, uids: numbers(set) },
        ["OK" | "NO", ..] => Response::Status(rest.to_owned()),
        ["BYE", ..] => Response::Bye,
        ["STATUS", name, items] => counts(name, items),
        ["LIST", ..] => list(rest),
        ["ESEARCH", ..] => {
            Response::Search(rest.split_once(" ALL ").map(|(_, set)| numbers(set)).unwrap_or_default())
        }
        _ => match rest.strip_prefix("SEARCH") {
            Some(found) => Response::Search(found.split_whitespace().map_while(|n| n.parse().ok()).collect()),
            None => Response::Other,
        },
    }
}

fn counts(name: &str, items: &str) -> Response {
    let words: Vec<&str> = items.trim_matches(['(', ')']).split(' ').collect();
    let value = |name: &str| {
        let pair = words.chunks(2).find(|pair| pair[0] == name);
        pair.unwrap_or_else(|| panic!("{name} is not in {items}"))[1].parse().unwrap()
    };
    Response::Counts { name: name.to_owned(), counts: ["MESSAGES", "UIDNEXT", "UNSEEN"].map(value) }
}

/// `LIST (\A \B) "/" name ("OLDNAME" (old))`, of names that need no quotes.
fn list(line: &str) -> Response {
    let (attributes, rest) = line["LIST (".len()..].split_once(") \"/\" ").unwrap();
    let (name, extended) = rest.split_once(' ').unwrap_or((rest, ""));
    let old = extended.strip_prefix("(\"OLDNAME\" (").map(|old| old.trim_end_matches(')').to_owned());
    let attributes = attributes.split_whitespace().map(str::to_owned).collect();
    Response::List { attributes, name: name.to_owned(), old }
}

/// The value of a response code, for example of `[HIGHESTMODSEQ 5]`.
pub(crate) fn code(text: &str, name: &str) -> Option<u64> {
    let value = text.split_once(&format!("[{name} "))?.1;
    value.split(']').next()?.parse().ok()
}

/// A response code that is a set.
pub(crate) fn code_set(text: &str, name: &str) -> Vec<u32> {
    let value = text.split_once(&format!("[{name} ")).map(|(_, value)| value);
    value.and_then(|value| value.split(']').next()).map(numbers).unwrap_or_default()
}

fn fetched(number: usize, items: &str) -> Fetched {
    let after = |name: &str| items.split_once(name).map(|(_, rest)| rest);
    let flags = after("FLAGS (").map(|rest| rest.split(')').next().unwrap_or_default());
    let subject = after("Subject: ").map(|rest| rest.split('\r').next().unwrap_or_default().to_owned());
    Fetched {
        number,
        uid: after("UID ").and_then(|rest| rest.split([' ', ')']).next()?.parse().ok()),
        flags: flags.map(|flags| {
            flags.split_whitespace().filter(|flag| *flag != RECENT).map(str::to_owned).collect()
        }),
        modseq: after("MODSEQ (").and_then(|rest| rest.split(')').next()?.parse().ok()),
        is_whole: ["ENVELOPE (", "BODYSTRUCTURE (", "BODY[] "].iter().all(|item| items.contains(item)),
        subject,
    }
}

fn numbers(set: &str) -> Vec<u32> {
    let run = |run: &str| {
        let (first, last) = run.split_once(':').unwrap_or((run, run));
        first.parse::<u32>().unwrap()..=last.parse().unwrap()
    };
    set.split(',').flat_map(run).collect()
}
