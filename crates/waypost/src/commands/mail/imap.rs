//! `waypost mail --server imaps://…`: a mailbox elsewhere, over IMAP. Ids are UIDs. Nothing is changed there, and nothing marked as
//! read.

use super::server::Login;
use super::{Args, LISTED, Verb, print_folders, print_source, save, show, uid};
use crate::client;
use crate::client::imap::{Connection, Server, Settings, said};
use crate::config::units::show_size;
use crate::exit::{Exit, Failure};
use crate::output;
use admin::mail::Folder;
use imap::client::{Command, Event, List, WireName};
use imap::command::StatusItem;
use imap::fetch::FetchItem;
use imap::response::{Data, EsearchAll, FetchData, StatusValue};
use imap::search::SearchKey;
use imap::section::{Section, SectionText};
use imap::{SeqNumber, SequenceSet};
use message::{Header, decode_words};
use serde::Serialize;
use std::collections::HashMap;

/// Messages whose headers are asked for at once.
const AT_ONCE: usize = 200;
/// Octets of a message: it is held in memory, and no server takes larger ones by SMTP.
const MAX_MESSAGE: usize = 256 << 20;
/// Special uses that are told (RFC 6154).
const ROLES: [&str; 7] = ["\\All", "\\Archive", "\\Drafts", "\\Flagged", "\\Junk", "\\Sent", "\\Trash"];

/// A line of a listing.
#[derive(Debug, Default, Serialize)]
struct Line {
    id: u32,
    /// Octets.
    size: u64,
    /// Milliseconds since 1970.
    received: i64,
    flags: Vec<String>,
    date: String,
    from: String,
    to: String,
    subject: String,
}

pub(super) fn run(args: Args, server: &Server, login: Login) -> Result<Exit, Failure> {
    let Login { user, password, dns } = login;
    let settings = Settings { server: server.clone(), tls: args.tls, insecure: args.insecure, dns };
    client::block_on(async {
        let connection = Connection::open(&settings, &user, &password).await?;
        let mut mailbox = Mailbox { connection };
        let folder = args.one_folder().to_owned();
        let done = mailbox.carry_out(args.verb, &folder, args.json).await;
        mailbox.connection.quit().await;
        done
    })
}

struct Mailbox {
    connection: Connection,
}

impl Mailbox {
    async fn carry_out(&mut self, verb: Verb, folder: &str, json: bool) -> Result<Exit, Failure> {
        match verb {
            Verb::List { folders: true, .. } => return print_folders(&self.folders().await?, json),
            Verb::Undelete { .. } => return Err(Failure::usage("undelete is not for other servers")),
            _ => self.examine(folder).await?,
        }
        match verb {
            Verb::Search { words } => {
                let all = words.into_iter().map(SearchKey::Text).collect();
                let found = self.search(SearchKey::And(all)).await?;
                print(&self.lines(&found, json).await?, json)
            }
            Verb::Show { id, source, headers } => {
                let whole = self.message(uid(&id)?).await?;
                if source { print_source(&whole) } else { show(&whole, headers, json) }
            }
            Verb::Save { id, dir, part, source } => {
                let whole = self.message(uid(&id)?).await?;
                save(&whole, &id, &dir, part, source, json)
            }
            Verb::List { limit, .. } => {
                let all = self.search(SearchKey::All).await?;
                let limit = usize::try_from(limit.unwrap_or(LISTED)).unwrap_or(usize::MAX);
                print(&self.lines(&all[all.len().saturating_sub(limit)..], json).await?, json)
            }
            Verb::Undelete { .. } => Ok(Exit::No),
        }
    }

    fn name(&self, folder: &str) -> WireName {
        WireName::new(folder, self.connection.session.unicode())
    }

    /// Opens a folder for reading alone.
    async fn examine(&mut self, folder: &str) -> Result<(), Failure> {
        let select = Command::Select { mailbox: self.name(folder), read_only: true, condstore: false };
        let (_, last) = self.connection.ask(select).await?;
        if matches!(last, Event::Done(_)) { Ok(()) } else { Err(said(&format!("folder {folder:?}"), &last)) }
    }

    async fn folders(&mut self) -> Result<Vec<Folder>, Failure> {
        let list = List { pattern: self.name("*"), ..List::default() };
        let mut folders = Vec::new();
        for event in self.connection.done(Command::List(list)).await? {
            let Event::Listed { entry, name, lsub: false } = event else { continue };
            let has =
                |attribute: &str| entry.attributes.iter().any(|own| own.eq_ignore_ascii_case(attribute));
            if has("\\Noselect") || has("\\NonExistent") {
                continue;
            }
            let shown = name.decoded(self.connection.session.unicode());
            let role = ROLES.into_iter().find(|role| has(role)).map(str::to_owned);
            let (messages, unseen) = self.count(name).await?;
            folders.push(Folder { name: shown, role, messages, unseen });
        }
        folders
            .sort_by_cached_key(|folder| (!folder.name.eq_ignore_ascii_case("INBOX"), folder.name.clone()));
        Ok(folders)
    }

    /// Messages of a folder, and those of them that are unseen; none where the server does not let it be looked at.
    async fn count(&mut self, mailbox: WireName) -> Result<(u64, u64), Failure> {
        let items = vec![StatusItem::Messages, StatusItem::Unseen];
        let (answers, last) = self.connection.ask(Command::Status { mailbox, items }).await?;
        if let event @ Event::Closed(_) = last {
            return Err(said("STATUS", &event));
        }
        let mut counts = (0, 0);
        for event in answers {
            let Event::Data(Data::MailboxStatus { items, .. }) = event else { continue };
            for item in items {
                match item {
                    (StatusItem::Messages, StatusValue::Number(number)) => counts.0 = number,
                    (StatusItem::Unseen, StatusValue::Number(number)) => counts.1 = number,
                    _ => {}
                }
            }
        }
        Ok(counts)
    }

    /// UIDs in rising order. The server searches.
    async fn search(&mut self, key: SearchKey) -> Result<Vec<u32>, Failure> {
        let extended = self.connection.session.has("ESEARCH");
        let (answers, last) = self.connection.ask(Command::Search { key, extended }).await?;
        if !matches!(last, Event::Done(_)) {
            return Err(said("the search", &last));
        }
        let mut found = Vec::new();
        for event in answers {
            match event {
                Event::Data(Data::Search { numbers, .. }) => found.extend(numbers),
                Event::Data(Data::Esearch(result)) => match result.all {
                    Some(EsearchAll::Set(runs)) => found.extend(runs.iter()),
                    Some(EsearchAll::Ordered(numbers)) => found.extend(numbers),
                    None => {}
                },
                _ => {}
            }
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// What a listing says of messages, newest first.
    async fn lines(&mut self, uids: &[u32], json: bool) -> Result<Vec<Line>, Failure> {
        let bar = output::progress(uids.len() as u64, "reading", json);
        let names = ["DATE", "FROM", "TO", "SUBJECT"].map(str::to_owned).to_vec();
        let text = Some(SectionText::HeaderFields { names, not: false });
        let section = Section { text, ..Section::default() };
        let mut lines = Vec::with_capacity(uids.len());
        for some in uids.chunks(AT_ONCE) {
            let items = vec![
                FetchItem::Uid,
                FetchItem::Rfc822Size,
                FetchItem::InternalDate,
                FetchItem::Flags,
                FetchItem::Section { section: section.clone(), partial: None, peek: true },
            ];
            for (items, header) in self.fetch(some, items).await? {
                lines.push(Line::new(items, &header));
                bar.inc(1);
            }
        }
        bar.finish_and_clear();
        lines.sort_unstable_by_key(|line| std::cmp::Reverse(line.id));
        Ok(lines)
    }

    /// The whole of a message.
    async fn message(&mut self, uid: u32) -> Result<Vec<u8>, Failure> {
        let whole = FetchItem::Section { section: Section::default(), partial: None, peek: true };
        let found = self.fetch(&[uid], vec![FetchItem::Uid, whole]).await?;
        let mine = |items: &[FetchData]| items.iter().any(|item| *item == FetchData::Uid(uid));
        let message = found.into_iter().find(|(items, _)| mine(items)).map(|(_, octets)| octets);
        message.ok_or_else(|| {
            Failure::no(format!("there is no message {uid}: `mail list` prints those there are"))
        })
    }

    /// Of each message what is said of it, and the section that was asked for.
    async fn fetch(
        &mut self,
        uids: &[u32],
        items: Vec<FetchItem>,
    ) -> Result<Vec<(Vec<FetchData>, Vec<u8>)>, Failure> {
        let numbers = uids.iter().map(|uid| (SeqNumber::Number(*uid), SeqNumber::Number(*uid)));
        let uids = SequenceSet::Numbers(numbers.collect());
        self.connection.send(Command::Fetch { uids, items, changed_since: None })?;
        let mut messages: HashMap<u32, (Vec<FetchData>, Vec<u8>)> = HashMap::new();
        let (mut current, mut held) = (0, 0);
        loop {
            match self.connection.next().await {
                Event::Section { number, .. } => current = number,
                Event::Octets(octets) => {
                    held += octets.len();
                    if held > MAX_MESSAGE {
                        return Err(Failure::no("the server sends more than a message can have"));
                    }
                    messages.entry(current).or_default().1.extend_from_slice(&octets);
                }
                Event::Data(Data::Fetch { number, items }) => {
                    let message = messages.entry(number).or_default();
                    for item in items {
                        match item {
                            // One that was no literal: short, or empty.
                            FetchData::Content { value: Some(octets), .. } => {
                                message.1.extend_from_slice(octets.as_ref());
                            }
                            item => message.0.push(item),
                        }
                    }
                }
                Event::Done(_) => return Ok(messages.into_values().collect()),
                event @ (Event::Refused(_) | Event::Closed(_)) => return Err(said("the message", &event)),
                _ => {}
            }
        }
    }
}

impl Line {
    fn new(items: Vec<FetchData>, header: &[u8]) -> Self {
        let header = Header::parse(header);
        let field = |name| header.get(name).map(|field| decode_words(&field.value())).unwrap_or_default();
        let (date, from, to, subject) = (field("Date"), field("From"), field("To"), field("Subject"));
        let mut line = Self { date, from, to, subject, ..Self::default() };
        for item in items {
            match item {
                FetchData::Uid(uid) => line.id = uid,
                FetchData::Rfc822Size(size) => line.size = size,
                FetchData::InternalDate(date) => line.received = date.timestamp().as_millisecond(),
                FetchData::Flags { flags, .. } => {
                    let plain = |flag: &imap::Flag| flag.to_string().trim_start_matches('\\').to_lowercase();
                    line.flags = flags.iter().map(plain).collect();
                }
                _ => {}
            }
        }
        line
    }
}

fn print(lines: &[Line], json: bool) -> Result<Exit, Failure> {
    if json {
        output::json(&lines)?;
        return Ok(Exit::Done);
    }
    let rows = lines.iter().map(|line| {
        let received = output::moment(line.received);
        [line.id.to_string(), received, line.from.clone(), line.subject.clone(), show_size(line.size)]
    });
    output::table(["id", "received", "from", "subject", "size"], rows)?;
    Ok(Exit::Done)
}
