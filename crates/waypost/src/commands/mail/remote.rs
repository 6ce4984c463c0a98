//! `waypost mail --server pop3s://…`: a mailbox elsewhere, over POP3, which has one folder and numbers its messages anew in each
//! session. So an id is either such a number or the lasting name that UIDL gives.

use super::pop3::{Connection, Server, Settings};
use super::server::Login;
use super::{Args, LISTED, Verb, print_source, save, show};
use crate::client;
use crate::config::units::show_size;
use crate::exit::{Exit, Failure};
use crate::output;
use message::{Header, View, decode_words};
use serde::Serialize;

/// What POP3 shows.
const FOLDER: &str = "INBOX";

/// A line of a listing.
#[derive(Debug, Serialize)]
struct Line {
    /// In this session.
    id: u64,
    /// For ever; none where the server has no UIDL.
    unique_id: Option<String>,
    /// Octets.
    size: u64,
    date: String,
    from: String,
    to: String,
    subject: String,
}

/// POP3 has one folder.
pub(super) fn check_folder(name: &str) -> Result<(), Failure> {
    if name.eq_ignore_ascii_case(FOLDER) {
        return Ok(());
    }
    Err(Failure::usage(format!("--folder {name}: POP3 shows {FOLDER} alone; write imaps://HOST for IMAP")))
}

pub(super) fn run(args: Args, server: &Server, login: Login) -> Result<Exit, Failure> {
    let Login { user, password, dns } = login;
    let settings = Settings { server, tls: args.tls, insecure: args.insecure, dns };
    client::block_on(async {
        let mut mailbox = Connection::open(&settings, &user, &password).await?;
        let done = carry_out(&mut mailbox, args.verb, args.json).await;
        mailbox.quit().await;
        done
    })
}

async fn carry_out(mailbox: &mut Connection, verb: Verb, json: bool) -> Result<Exit, Failure> {
    match verb {
        Verb::List { folders: true, .. } => {
            let messages = mailbox.sizes().await?.len();
            if json {
                output::json(&[serde_json::json!({ "name": FOLDER, "messages": messages })])?;
            } else {
                output::table(["folder", "messages"], [[FOLDER.to_owned(), messages.to_string()]])?;
            }
            Ok(Exit::Done)
        }
        Verb::List { limit, .. } => {
            let lines = list(mailbox, limit.unwrap_or(LISTED), json).await?;
            print(&lines, json)
        }
        Verb::Search { words } => {
            let lines = search(mailbox, &words, json).await?;
            print(&lines, json)
        }
        Verb::Show { id, source, headers } => {
            let whole = fetch(mailbox, &id).await?;
            if source { print_source(&whole) } else { show(&whole, headers, json) }
        }
        Verb::Save { id, dir, part, source } => {
            let whole = fetch(mailbox, &id).await?;
            save(&whole, &message::file_name(&id, "message/rfc822"), &dir, part, source, json)
        }
        Verb::Undelete { .. } => {
            Err(Failure::usage("undelete is for the mailboxes of this machine: leave --server out"))
        }
    }
}

fn print(lines: &[Line], json: bool) -> Result<Exit, Failure> {
    if json {
        output::json(&lines)?;
        return Ok(Exit::Done);
    }
    let rows = lines.iter().map(|line| {
        [
            line.id.to_string(),
            line.date.clone(),
            line.from.clone(),
            line.subject.clone(),
            show_size(line.size),
        ]
    });
    output::table(["id", "date", "from", "subject", "size"], rows)?;
    Ok(Exit::Done)
}

/// The newest messages first: those that came last have the highest numbers.
async fn list(mailbox: &mut Connection, limit: u32, json: bool) -> Result<Vec<Line>, Failure> {
    let mut known = everything(mailbox).await?;
    known.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let bar = output::progress(known.len() as u64, "reading", json);
    for line in &mut known {
        let header = mailbox.header(line.id).await?;
        line.read(&header);
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(known)
}

/// Those that have all of the words: POP3 cannot search, so that each is read.
async fn search(mailbox: &mut Connection, words: &[String], json: bool) -> Result<Vec<Line>, Failure> {
    let words: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
    let known = everything(mailbox).await?;
    let bar = output::progress(known.len() as u64, "searching", json);
    let mut found = Vec::new();
    for mut line in known {
        let whole = mailbox.message(line.id).await?;
        let view = View::read(&whole);
        let fields = view.fields.iter().map(|(name, value)| format!("{name}: {value}"));
        let text = fields.chain([view.text()]).collect::<Vec<_>>().join("\n").to_lowercase();
        if words.iter().all(|word| text.contains(word)) {
            line.read(&whole);
            found.push(line);
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(found)
}

async fn everything(mailbox: &mut Connection) -> Result<Vec<Line>, Failure> {
    let names: std::collections::HashMap<u64, String> = mailbox.unique_ids().await?.into_iter().collect();
    let mut lines: Vec<Line> =
        mailbox.sizes().await?.into_iter().map(|(id, size)| Line::new(id, size, &names)).collect();
    lines.sort_by_key(|line| std::cmp::Reverse(line.id));
    Ok(lines)
}

/// By its lasting name, else by its number: some servers have names that look like numbers.
async fn fetch(mailbox: &mut Connection, id: &str) -> Result<Vec<u8>, Failure> {
    let named = mailbox.unique_ids().await?.into_iter().find(|(_, name)| name == id);
    let number = named.map(|(number, _)| number).or_else(|| id.parse().ok());
    let number = number.ok_or_else(|| {
        Failure::no(format!("there is no message {id:?}: `mail list` prints those there are"))
    })?;
    mailbox.message(number).await
}

impl Line {
    fn new(id: u64, size: u64, names: &std::collections::HashMap<u64, String>) -> Self {
        let empty = String::new;
        Self {
            id,
            unique_id: names.get(&id).cloned(),
            size,
            date: empty(),
            from: empty(),
            to: empty(),
            subject: empty(),
        }
    }

    fn read(&mut self, message: &[u8]) {
        let header = Header::parse(message);
        let field = |name| header.get(name).map(|field| decode_words(&field.value())).unwrap_or_default();
        self.date = field("Date");
        self.from = field("From");
        self.to = field("To");
        self.subject = field("Subject");
    }
}
