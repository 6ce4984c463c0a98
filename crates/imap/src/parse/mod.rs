//! From a framed command to what it asks for. A file a family of verbs; above each function stands the grammar that it
//! reads. Upper and lower case are the same everywhere.

mod acl;
mod any;
pub(crate) mod append;
mod auth;
mod cursor;
mod fetch;
mod list;
mod literal;
mod mailbox;
mod metadata;
mod notify;
mod quota;
mod refused;
mod search;
mod sort;
mod store;

use crate::command::{Command, Tag};
use crate::framing::Line;
use cursor::{Cursor, Parsed};
pub(crate) use literal::check_literal;
pub use refused::{Problem, Refused};

/// What the meaning of a command depends on besides itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Context {
    /// The client has enabled IMAP4rev2 or UTF8=ACCEPT: names of mailboxes are UTF-8, not modified UTF-7.
    pub utf8: bool,
    /// The client has enabled UTF8=ACCEPT: a search says no charset (RFC 6855 §3).
    pub no_charset: bool,
    /// Literals are let in of commands that may come now alone. `None`: of all.
    pub stage: Option<Stage>,
}

/// Who the client is to the server (RFC 9051 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    NotAuthenticated,
    Authenticated,
    Selected,
}

/// `command = tag SP (command-any / command-auth / command-nonauth / command-select) CRLF`
///
/// Every verb is read in every state; which one it may be used in is the session's to know.
pub fn parse(line: &Line, context: &Context) -> Result<(Tag, Command), Refused> {
    let octets = line.octets();
    if octets.is_empty() {
        return Err(Refused::of(octets, Problem::Empty));
    }
    let mut cursor = Cursor::new(octets, context.utf8);
    cursor.forbid_charset(context.no_charset);
    let refused = |problem| Refused::of(octets, problem);
    let tag = cursor.tag().map_err(refused)?;
    let verb = verb(&mut cursor);
    let command = command(&verb, &mut cursor).map_err(refused)?;
    cursor.end().map_err(refused)?;
    Ok((tag, command))
}

/// The command's word; both words of `uid = "UID" SP (copy / move / fetch / …)`.
fn verb(cursor: &mut Cursor<'_>) -> String {
    let mut verb = cursor.word();
    if verb == "UID" && cursor.take(b' ') {
        verb = format!("UID {}", cursor.word());
    }
    verb.truncate(MAX_VERB);
    verb
}

/// Whether the command, read as far as its verb, is a search that saves its result.
fn saves(verb: &str, cursor: &mut Cursor<'_>) -> bool {
    let searches = ["SEARCH", "UID SEARCH", "SORT", "UID SORT"].contains(&verb);
    let returns = if searches && cursor.space().is_ok() { search::return_options(cursor) } else { Ok(None) };
    returns.ok().flatten().is_some_and(|returns| returns.save)
}

/// `UNAUTHENTICATE` has 14 letters; of what is none, no more is repeated.
const MAX_VERB: usize = 32;

fn command(verb: &str, cursor: &mut Cursor<'_>) -> Parsed<Command> {
    let (uid, name) = verb.strip_prefix("UID ").map_or((false, verb), |name| (true, name));
    if let Some(command) = bare(verb) {
        return Ok(command);
    }
    let arguments = match name {
        "COPY" | "MOVE" => store::copy_or_move,
        "FETCH" => fetch::fetch,
        "SEARCH" => search::search,
        "SORT" => sort::sort,
        "STORE" => store::store,
        "THREAD" => sort::thread,
        "EXPUNGE" if uid => store::uid_expunge,
        "APPEND" | "REPLACE" => no_message,
        _ if uid => return Err(Problem::Unknown(verb.to_owned())),
        _ => return named(verb, cursor),
    };
    cursor.space()?;
    arguments(cursor, uid, name)
}

/// Commands of a word alone.
fn bare(verb: &str) -> Option<Command> {
    Some(match verb {
        "CAPABILITY" => Command::Capability,
        "CHECK" => Command::Check,
        "CLOSE" => Command::Close,
        "EXPUNGE" => Command::Expunge(None),
        "IDLE" => Command::Idle,
        "LOGOUT" => Command::Logout,
        "NAMESPACE" => Command::Namespace,
        "NOOP" => Command::Noop,
        "STARTTLS" => Command::StartTls,
        "UNAUTHENTICATE" => Command::Unauthenticate,
        "UNSELECT" => Command::Unselect,
        _ => return None,
    })
}

/// Commands with arguments that have no UID form.
fn named(verb: &str, cursor: &mut Cursor<'_>) -> Parsed<Command> {
    let arguments = match verb {
        "AUTHENTICATE" => auth::authenticate,
        "COMPRESS" => any::compress,
        "CREATE" => mailbox::create,
        "DELETE" => mailbox::delete,
        "DELETEACL" => acl::delete_acl,
        "ENABLE" => any::enable,
        "EXAMINE" => mailbox::examine,
        "GETACL" => acl::get_acl,
        "GETMETADATA" => metadata::get_metadata,
        "GETQUOTA" => quota::get_quota,
        "GETQUOTAROOT" => quota::get_quota_root,
        "ID" => any::id,
        "LIST" => list::list,
        "LISTRIGHTS" => acl::list_rights,
        "LOGIN" => auth::login,
        "LSUB" => list::lsub,
        "MYRIGHTS" => acl::my_rights,
        "NOTIFY" => notify::notify,
        "RENAME" => mailbox::rename,
        "SELECT" => mailbox::select,
        "SETACL" => acl::set_acl,
        "SETMETADATA" => metadata::set_metadata,
        "SETQUOTA" => quota::set_quota,
        "STATUS" => mailbox::status,
        "SUBSCRIBE" => mailbox::subscribe,
        "UNSUBSCRIBE" => mailbox::unsubscribe,
        "" => return Err(cursor.expected("a command")),
        _ => return Err(Problem::Unknown(verb.to_owned())),
    };
    cursor.space()?;
    arguments(cursor)
}

/// An APPEND or REPLACE with a message never comes here as a line.
fn no_message(cursor: &mut Cursor<'_>, uid: bool, name: &str) -> Parsed<Command> {
    if uid && name == "APPEND" {
        return Err(Problem::Unknown("UID APPEND".to_owned()));
    }
    if name == "REPLACE" {
        cursor.seq_number()?;
        cursor.space()?;
    }
    cursor.mailbox()?;
    Err(Problem::Senseless("there is no message: its literal ends the line"))
}
