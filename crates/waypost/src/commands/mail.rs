//! `waypost mail`: read mailboxes, over the control socket, IMAP or POP3.

mod imap;
mod pop3;
mod remote;
mod server;
mod undelete;

pub use server::Server;

use super::administer;
use crate::cli::Global;
use crate::cli::values::Tls;
use crate::config::units::show_size;
use crate::exit::{Exit, Failure};
use crate::output;
use address::Address;
use admin::mail::{self, Folder, Listed};
use admin::{Client, account};
use message::{Attachment, View};
use serde::Serialize;
use serde_json::json;
use std::io::Write as _;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Without --server it reads the mailboxes of this machine, for administrators. Message ids are those that `list` prints.

Examples:
  waypost mail list --user you@example.org
  waypost mail show 7 --user you@example.org
  waypost mail search invoice --user you@example.org --folder Archive
  waypost mail save 7 --user you@example.org --dir attachments
  waypost mail undelete --all --user you@example.org --folder Archive
  waypost mail list --server imaps://imap.example.org --user you@example.org --folder Archive
  waypost mail list --server pop3s://pop.example.org --user you@example.org --password-stdin";

/// List, show, search, save and undelete messages
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    pub verb: Verb,
    /// Read from this server instead: imaps://HOST, imap://HOST, pop3s://HOST, pop3://HOST, HOST[:PORT]
    ///
    /// Without a scheme the port says whether it is IMAP or POP3; without either it is POP3 over TLS.
    #[arg(long, global = true, value_name = "HOST[:PORT]")]
    pub server: Option<Server>,
    /// Whose mail; with --server, the name to log in with
    #[arg(long, global = true, visible_alias = "account", value_name = "ADDRESS")]
    pub user: Option<String>,
    /// Read the password from standard input: one line, its end removed
    #[arg(long, global = true)]
    pub password_stdin: bool,
    /// How to use TLS with --server
    #[arg(long, global = true, value_enum, default_value_t)]
    pub tls: Tls,
    /// Take any certificate. Then nobody knows who reads along
    #[arg(long, global = true)]
    pub insecure: bool,
    /// The folder [default: INBOX; of `undelete` all]
    #[arg(long, global = true, value_name = "NAME")]
    pub folder: Option<String>,
    /// Ask this name server instead of the configured ones
    #[arg(long, global = true, value_name = "ADDRESS[:PORT]", value_parser = crate::config::name_server)]
    pub dns: Option<std::net::SocketAddr>,
    /// Print one JSON document
    #[arg(long, global = true)]
    pub json: bool,
}

#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// The messages of a folder, newest first
    #[command(after_help = "Example:\n  waypost mail list --user you@example.org --limit 20")]
    List {
        /// At most this many
        #[arg(long, value_name = "N")]
        limit: Option<u32>,
        /// The folders, instead of the messages of one
        #[arg(long)]
        folders: bool,
    },
    /// One message: decoded header and text, and a list of its attachments
    #[command(after_help = "Example:\n  waypost mail show 7 --user you@example.org --source")]
    Show {
        #[arg(value_name = "ID")]
        id: String,
        /// The message as it was received, instead
        #[arg(long, conflicts_with = "headers")]
        source: bool,
        /// All header fields, instead of those for people
        #[arg(long)]
        headers: bool,
    },
    /// The messages that have all of these words in header or text
    #[command(after_help = "Example:\n  waypost mail search invoice 2026 --user you@example.org")]
    Search {
        #[arg(required = true, value_name = "WORD")]
        words: Vec<String>,
    },
    /// Write attachments, or the whole message, into files
    #[command(after_help = "Example:\n  waypost mail save 7 --user you@example.org --dir attachments")]
    Save {
        #[arg(value_name = "ID")]
        id: String,
        /// Into this folder
        #[arg(long, value_name = "DIR", default_value = ".")]
        dir: PathBuf,
        /// Only the attachment of this number, as `show` prints it
        #[arg(long, value_name = "N")]
        part: Option<u32>,
        /// The message as it was received, instead
        #[arg(long, conflicts_with = "part")]
        source: bool,
    },
    /// Bring removed messages back into their folders; without an id, list those that can be
    ///
    /// What was removed from any folder, or with it, by whatever program, is kept for two weeks, or as long as `limits.undelete`
    /// says. --folder NAME: only what was removed from that folder, as it was called then.
    #[command(
        after_help = "Example:\n  waypost mail undelete --user you@example.org\n  waypost mail undelete --user you@example.org --folder Archive --all\n  waypost mail undelete 0d3xw8kq2m000 --user you@example.org"
    )]
    Undelete {
        #[arg(value_name = "ID")]
        ids: Vec<String>,
        /// All that can be brought back
        #[arg(long, conflicts_with = "ids")]
        all: bool,
    },
}

/// The folder when nothing else is said.
const INBOX: &str = "INBOX";
/// Messages of a listing when nothing else is said.
const LISTED: u32 = 50;
/// Header fields that people read.
const FOR_PEOPLE: [&str; 6] = ["From", "To", "Cc", "Reply-To", "Date", "Subject"];

pub fn run(global: &Global, args: Args) -> Result<Exit, Failure> {
    if let Some(server) = args.server.clone() {
        return server::run(global, args, &server);
    }
    administer::with_client(global, async move |client, _| {
        let account = whose(client, args.user.as_deref()).await?;
        let (folder, json) = (args.one_folder().to_owned(), args.json);
        match args.verb {
            Verb::List { folders: true, .. } => {
                print_folders(&client.call(mail::Folders { account }).await?, json)
            }
            Verb::List { limit, .. } => {
                print_list(&list(client, account, folder, limit.unwrap_or(LISTED)).await?, json)
            }
            Verb::Search { words } => {
                print_list(&client.call(mail::Search { account, folder, words }).await?, json)
            }
            Verb::Show { id, source, headers } => {
                let whole = client.message(&account, &folder, uid(&id)?).await?;
                if source { print_source(&whole) } else { show(&whole, headers, json) }
            }
            Verb::Save { id, dir, part, source } => {
                let whole = client.message(&account, &folder, uid(&id)?).await?;
                save(&whole, &id, &dir, part, source, json)
            }
            Verb::Undelete { ids, all } => undelete::run(client, account, args.folder, &ids, all, json).await,
        }
    })
}

impl Args {
    /// The folder for what is done in one.
    fn one_folder(&self) -> &str {
        self.folder.as_deref().unwrap_or(INBOX)
    }
}

/// The account that was named, or the only one there is.
async fn whose(client: &Client, user: Option<&str>) -> Result<Address, Failure> {
    if let Some(user) = user {
        return user.parse().map_err(|error: address::AddressError| Failure::usage(error.to_string()));
    }
    let mut all = client.call(account::List { domain: None }).await?;
    match (all.pop(), all.pop()) {
        (Some(only), None) => Ok(only.address),
        _ => Err(Failure::usage("say whose mail, with --user you@example.org")),
    }
}

fn uid(text: &str) -> Result<u32, Failure> {
    text.parse()
        .map_err(|_| Failure::usage(format!("{text:?} is no message number as `mail list` prints them")))
}

/// Page by page: a page is bounded, a listing is what was asked for.
async fn list(client: &Client, account: Address, folder: String, limit: u32) -> Result<Vec<Listed>, Failure> {
    let (mut all, mut before) = (Vec::new(), None);
    loop {
        let left = limit - u32::try_from(all.len()).unwrap_or(limit).min(limit);
        if left == 0 {
            return Ok(all);
        }
        let page = mail::List { account: account.clone(), folder: folder.clone(), before, limit: left };
        let page = client.call(page).await?;
        let Some(last) = page.last() else { return Ok(all) };
        before = Some(last.uid);
        all.extend(page);
    }
}

fn print_folders(folders: &[Folder], json: bool) -> Result<Exit, Failure> {
    if json {
        output::json(&folders)?;
        return Ok(Exit::Done);
    }
    let rows = folders.iter().map(|f| [f.name.clone(), f.messages.to_string(), f.unseen.to_string()]);
    output::table(["folder", "messages", "unseen"], rows)?;
    Ok(Exit::Done)
}

fn print_list(list: &[Listed], json: bool) -> Result<Exit, Failure> {
    if json {
        output::json(&list)?;
        return Ok(Exit::Done);
    }
    let rows = list.iter().map(|one| {
        let received = output::moment(one.received);
        [one.uid.to_string(), received, one.from.clone(), one.subject.clone(), show_size(one.size)]
    });
    output::table(["id", "received", "from", "subject", "size"], rows)?;
    Ok(Exit::Done)
}

fn print_source(message: &[u8]) -> Result<Exit, Failure> {
    std::io::stdout().write_all(message)?;
    Ok(Exit::Done)
}

/// A message as `--json` prints it.
#[derive(Debug, Serialize)]
struct Shown {
    headers: Vec<Header>,
    subject: String,
    text: String,
    attachments: Vec<Part>,
    size: usize,
}

#[derive(Debug, Serialize)]
struct Header {
    name: String,
    value: String,
}

#[derive(Debug, Serialize)]
struct Part {
    part: usize,
    name: String,
    media_type: String,
    size: usize,
}

impl From<&Attachment> for Part {
    fn from(one: &Attachment) -> Self {
        Self { part: one.part, name: one.name.clone(), media_type: one.media_type.clone(), size: one.size }
    }
}

/// Header and text, decoded; all fields with `headers`.
fn show(message: &[u8], headers: bool, json: bool) -> Result<Exit, Failure> {
    let view = View::read(message);
    if json {
        let headers =
            view.fields.iter().map(|(name, value)| Header { name: name.clone(), value: value.clone() });
        let shown = Shown {
            headers: headers.collect(),
            text: view.text(),
            attachments: view.attachments.iter().map(Part::from).collect(),
            size: message.len(),
            subject: view.subject,
        };
        output::json(&shown)?;
        return Ok(Exit::Done);
    }
    let for_people = |name: &str| headers || FOR_PEOPLE.iter().any(|known| known.eq_ignore_ascii_case(name));
    for (name, value) in view.fields.iter().filter(|(name, _)| for_people(name)) {
        output::line(&output::printable(&format!("{name}: {}", value.replace('\t', " "))))?;
    }
    output::line("")?;
    for line in view.text().lines() {
        // A tab does nothing to a terminal.
        let cells: Vec<String> = line.split('\t').map(output::printable).collect();
        output::line(&cells.join("\t"))?;
    }
    if !view.attachments.is_empty() {
        output::line("")?;
        let rows = view.attachments.iter().map(|one| {
            [one.part.to_string(), one.name.clone(), one.media_type.clone(), show_size(one.size as u64)]
        });
        output::table(["part", "name", "type", "size"], rows)?;
    }
    Ok(Exit::Done)
}

/// Writes attachments, one of them or the whole message into new files.
fn save(
    message: &[u8],
    id: &str,
    dir: &Path,
    part: Option<u32>,
    source: bool,
    json: bool,
) -> Result<Exit, Failure> {
    let mut files = Vec::new();
    if source {
        files.push(write_new(dir, &format!("{id}.eml"), message)?);
    } else {
        let attachments = View::read(message).attachments;
        let wanted = |one: &&Attachment| part.is_none_or(|number| one.part == number as usize);
        for one in attachments.iter().filter(wanted) {
            let content = message::content(message, one.part).unwrap_or_default();
            files.push(write_new(dir, &one.name, &content)?);
        }
        if files.is_empty() {
            return Err(Failure::no("there is no such attachment; `mail show` lists those there are"));
        }
    }
    if json {
        output::json(&files.iter().map(|file| json!({ "file": file })).collect::<Vec<_>>())?;
    } else {
        files.iter().try_for_each(|file| output::line(&file.display().to_string()))?;
    }
    Ok(Exit::Done)
}

/// Never over a file that is there: `name-2.pdf` then.
fn write_new(dir: &Path, name: &str, content: &[u8]) -> Result<PathBuf, Failure> {
    let (stem, extension) =
        name.rsplit_once('.').map_or((name, String::new()), |(s, e)| (s, format!(".{e}")));
    for number in 1..1_000 {
        let name = if number == 1 { name.to_owned() } else { format!("{stem}-{number}{extension}") };
        let path = dir.join(name);
        match std::fs::File::options().write(true).create_new(true).open(&path) {
            Ok(mut file) => {
                file.write_all(content)?;
                return Ok(path);
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Failure::no(format!("cannot write {}: {error}", path.display()))),
        }
    }
    Err(Failure::no(format!("{} is full of files named like {name}", dir.display())))
}
