//! Fills the queue of a data folder by the store's own functions, many messages to a transaction, as `serve` would have
//! left it: for measurements of large queues. Nobody else may have the folder open.
//!
//! ```text
//! fill FOLDER MESSAGES DOMAINS NAME deferred|fresh
//! ```
//!
//! `{}` in NAME is the number of the domain: `d{}.example.net`. Deferred ones were tried once and are due again between
//! one hour and five from now; fresh ones are due. Says how far it is, every 10,000 messages.

use address::{Address, ReversePath};
use std::error::Error;
use std::path::PathBuf;
use store::queue::{Fate, NewMessage, NewRecipient, RecipientChange};
use store::trail::{Entry, Event, Origin, Outcome};
use store::{Body, Id, Options, Store, StoreError};
use tokio::task::JoinSet;

/// Messages on their way to the disk at once.
const AT_ONCE: usize = 2_000;
/// Octets of a body.
const SIZE: usize = 4096;
const HOUR_MS: i64 = 3_600_000;
const REPLY: &str = "421 4.3.2 try again later";

#[derive(Clone)]
struct Plan {
    store: Store,
    domains: u64,
    name: String,
    deferred: bool,
    body: Vec<u8>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [folder, messages, domains, name, state] = words.as_slice() else {
        return Err("fill FOLDER MESSAGES DOMAINS NAME deferred|fresh".into());
    };
    let line = format!("{}\r\n", "x".repeat(76));
    let plan = Plan {
        store: Store::open(&PathBuf::from(folder), &Options::default())?,
        domains: domains.parse::<u64>()?.max(1),
        name: name.clone(),
        deferred: state == "deferred",
        body: line.as_bytes().iter().copied().cycle().take(SIZE).collect(),
    };
    let (mut running, mut done) = (JoinSet::new(), 0u64);
    for number in 0..messages.parse()? {
        running.spawn(one(plan.clone(), number));
        if running.len() >= AT_ONCE {
            next(&mut running, &mut done).await?;
        }
    }
    while !running.is_empty() {
        next(&mut running, &mut done).await?;
    }
    Ok(())
}

type Filled = Result<(), Box<dyn Error + Send + Sync>>;

async fn next(running: &mut JoinSet<Filled>, done: &mut u64) -> Result<(), Box<dyn Error>> {
    if let Some(ended) = running.join_next().await {
        ended?.map_err(|error| error.to_string())?;
        *done += 1;
        if done.is_multiple_of(10_000) {
            println!("{done}");
        }
    }
    Ok(())
}

/// Accepts a message, and defers it, with what the trail says of both.
async fn one(plan: Plan, number: u64) -> Filled {
    let domain = plan.name.replace("{}", &(number % plan.domains).to_string());
    let recipient: Address = format!("user{number}@{domain}").parse()?;
    let sender: Address = "sender@source.test".parse()?;
    let id = Id::generate();
    let origin = Origin {
        session: "fill".to_owned(),
        via: "smtp".to_owned(),
        client: Some("127.0.0.1:25000".parse()?),
        helo: "source.test".to_owned(),
        protocol: "ESMTP".to_owned(),
        message_id: Some(format!("<{id}@source.test>")),
        ..Origin::default()
    };
    let trace = format!(
        "Received: from source.test (localhost [127.0.0.1])\r\n\tby mail.example.org with ESMTP id {id}\r\n\
         \tfor <{recipient}>; Thu, 1 Jan 2026 00:00:00 +0000\r\n"
    );
    let to = NewRecipient {
        address: recipient.clone(),
        parameters: String::new(),
        due: id.unix_ms(),
        held: false,
    };
    let message = NewMessage {
        id,
        reverse_path: ReversePath::Address(sender.clone()),
        parameters: String::new(),
        body: Body::from_bytes(plan.body),
        trace: trace.into(),
        origin: origin.clone(),
        local: Vec::new(),
        remote: vec![to],
    };
    plan.store.accept(message).await?;
    plan.store.tell(Entry::now(
        id,
        Event::Accepted {
            origin,
            from: sender.to_string(),
            recipients: vec![recipient.to_string()],
            delivered: Vec::new(),
            size: SIZE as u64,
            verdicts: Vec::new(),
        },
    ));
    if plan.deferred {
        defer(&plan.store, id, &recipient, &domain, number).await?;
    }
    Ok(())
}

async fn defer(
    store: &Store,
    message: Id,
    recipient: &Address,
    domain: &str,
    number: u64,
) -> Result<(), StoreError> {
    // Spread over four hours by a number that has no common factor with theirs.
    let due = message.unix_ms() + HOUR_MS + (number as i64).wrapping_mul(7_919) % (4 * HOUR_MS);
    let last = format!("mx.{domain} [192.0.2.1]:25: {REPLY}");
    let fate = Fate::Deferred { due, delay_told: false, last };
    store.record(vec![RecipientChange { message, position: 0, fate }], Vec::new()).await?;
    store.tell(Entry::now(
        message,
        Event::Attempt {
            recipients: vec![recipient.to_string()],
            host: format!("mx.{domain} [192.0.2.1]:25"),
            tls: None,
            outcome: Outcome::Deferred,
            reply: REPLY.to_owned(),
            next: Some(due),
        },
    ));
    Ok(())
}
