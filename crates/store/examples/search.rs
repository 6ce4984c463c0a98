//! Measures the search: how quickly it is filled, how large it is, and how long answers take. Prints JSON.
//!
//! ```text
//! search FOLDER MESSAGES WORDS.txt
//! ```
//!
//! Messages of about 4 KiB, whose text is cut from WORDS.txt (any large text), in one mailbox of a new data folder. One in a thousand
//! has the word `quinquereme`.

use bytes::Bytes;
use serde_json::json;
use std::error::Error;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use store::directory::{AccountRecord, DomainKind, DomainRecord};
use store::queue::{LocalCopy, NewMessage};
use store::search::Query;
use store::trail::Origin;
use store::{Body, Id, Options, Store, StoreError};
use tokio::task::JoinSet;

/// Messages on their way to the disk at once.
const AT_ONCE: usize = 1_000;
/// Octets of a text.
const SIZE: usize = 3_700;
/// How often each search is run; the shortest counts.
const RUNS: usize = 5;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [folder, messages, text] = words.as_slice() else {
        return Err("search FOLDER MESSAGES WORDS.txt".into());
    };
    let messages: usize = messages.parse()?;
    let text = String::from_utf8_lossy(&std::fs::read(text)?).into_owned();
    let folder = PathBuf::from(folder);
    let store = Store::open(&folder, &Options::default())?;
    let account = account(&store).await?;
    let bodies = deliver(&store, account, messages, &text).await?;
    let filled = fill(&store, account, &bodies)?;
    let searched = searches(&store, account, &bodies)?;
    let parsed = Instant::now();
    for page in bodies.chunks(500) {
        store.parsed_many(page)?;
    }
    let report = json!({
        "messages": messages,
        "indexed_per_second": (messages as f64 / filled.as_secs_f64()).round(),
        "octets_per_message": octets(&folder) / messages as u64,
        "milliseconds": searched,
        "parsed_per_second": (messages as f64 / parsed.elapsed().as_secs_f64()).round(),
    });
    println!("{}", serde_json::to_string_pretty(&report)?);
    Ok(())
}

async fn account(store: &Store) -> Result<Id, Box<dyn Error>> {
    let name = "example.org".parse()?;
    let domain = DomainRecord { name, kind: DomainKind::Local, catch_all: None, language: None, quota: None };
    store.add_domain(domain, Vec::new()).await?;
    let account = AccountRecord::new("user@example.org".parse()?);
    let id = account.id;
    store.add_account(account, None).await?;
    Ok(id)
}

async fn deliver(
    store: &Store,
    account: Id,
    messages: usize,
    text: &str,
) -> Result<Vec<(Id, u64)>, Box<dyn Error>> {
    let (mut running, mut bodies) = (JoinSet::new(), Vec::with_capacity(messages));
    for number in 0..messages {
        let message = message(account, number, text)?;
        bodies.push((message.body.id(), message.body.size()));
        let store = store.clone();
        running.spawn(async move { store.accept(message).await });
        if running.len() >= AT_ONCE
            && let Some(accepted) = running.join_next().await
        {
            accepted??;
        }
    }
    while let Some(accepted) = running.join_next().await {
        accepted??;
    }
    Ok(bodies)
}

fn message(account: Id, number: usize, text: &str) -> Result<NewMessage, Box<dyn Error>> {
    // Spread over the text by a number that has no common factor with most lengths.
    let start = text.floor_char_boundary(number.wrapping_mul(104_729) % (text.len() - SIZE));
    let words = &text[start..text.floor_char_boundary(start + SIZE)];
    let subject: Vec<&str> = words.split_whitespace().skip(1).take(6).collect();
    let rare = if number.is_multiple_of(1_000) { "\r\nquinquereme" } else { "" };
    let content = format!(
        "From: Sender {0} <sender{0}@example.net>\r\nTo: user@example.org\r\nSubject: {1}\r\n\
         Date: Sat, 21 Nov 2026 10:00:00 +0000\r\nMessage-ID: <{number}.{2}@example.net>\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\r\n{words}{rare}\r\n",
        number % 500,
        subject.join(" "),
        number.wrapping_mul(0x9e37_79b9)
    );
    let copy = LocalCopy {
        recipient: "user@example.org".parse()?,
        account,
        mailbox: "INBOX".to_owned(),
        prefix: Bytes::from_static(b"Return-Path: <>\r\n"),
        flags: 0,
    };
    Ok(NewMessage {
        id: Id::generate(),
        reverse_path: "sender@example.net".parse()?,
        parameters: String::new(),
        body: Body::from_bytes(content),
        trace: Bytes::new(),
        origin: Origin::default(),
        local: vec![copy],
        remote: Vec::new(),
    })
}

/// How long the indexer takes for all of them.
fn fill(store: &Store, account: Id, bodies: &[(Id, u64)]) -> Result<Duration, StoreError> {
    let began = Instant::now();
    store.start_indexer();
    while store.search_status()?.waiting > 0 {
        std::thread::sleep(Duration::from_millis(500));
    }
    let took = began.elapsed();
    run(store, account, &Query::Text("warm the cache".to_owned()), bodies)?;
    Ok(took)
}

fn searches(store: &Store, account: Id, bodies: &[(Id, u64)]) -> Result<serde_json::Value, StoreError> {
    let field = |name: &str, needle: &str| Query::Header { name: name.to_owned(), needle: needle.to_owned() };
    let queries = [
        ("rare word", Query::Text("quinquereme".to_owned())),
        ("no such word", Query::Text("abracadabra".to_owned())),
        ("in every message", Query::Text("example".to_owned())),
        ("in most bodies", Query::Body("the".to_owned())),
        ("two letters", Query::Text("qz".to_owned())),
        ("one sender", field("From", "sender77@")),
        ("no such field", field("List-Id", "")),
    ];
    let mut report = serde_json::Map::new();
    for (name, query) in queries {
        let (mut best, mut found) = (Duration::MAX, 0);
        for _ in 0..RUNS {
            let began = Instant::now();
            found = run(store, account, &query, bodies)?;
            best = best.min(began.elapsed());
        }
        let took = json!({ "found": found, "took": (best.as_secs_f64() * 1e4).round() / 10.0 });
        report.insert(name.to_owned(), took);
    }
    Ok(report.into())
}

fn run(store: &Store, account: Id, query: &Query, bodies: &[(Id, u64)]) -> Result<usize, StoreError> {
    let found = store.search(account, query, bodies, |_, _| ControlFlow::Continue(()))?;
    Ok(found.map_or(0, |found| found.len()))
}

/// Of `search.db` with its log.
fn octets(folder: &Path) -> u64 {
    let files = ["search.db", "search.db-wal"];
    files.iter().filter_map(|file| Some(std::fs::metadata(folder.join(file)).ok()?.len())).sum()
}
