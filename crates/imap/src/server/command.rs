//! Which command may come when, and what becomes of it (RFC 9051 §3 and §6).

use super::context::Context;
use super::enable::{enable, is_condstore_enabling, missing};
use super::event::{Event, Reason};
use super::login;
use super::state::{Level, State};
use crate::command::{Command, Tag};
use crate::response::{Code, Data, Status, StatusKind};

/// When a command is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    Always,
    BeforeLogin,
    LoggedIn,
    Selected,
}

impl When {
    pub(super) fn allows(self, level: Level) -> bool {
        match self {
            Self::Always => true,
            Self::BeforeLogin => level == Level::NotAuthenticated,
            Self::LoggedIn => level != Level::NotAuthenticated,
            Self::Selected => matches!(level, Level::Selected(_)),
        }
    }

    /// What the client is told about a command that came at the wrong time.
    pub(super) fn complaint(self, name: &str, level: Level) -> String {
        let hint = match (self, level) {
            (Self::BeforeLogin, _) => "you are already logged in",
            (_, Level::NotAuthenticated) => "log in first",
            _ => "SELECT or EXAMINE a mailbox first",
        };
        format!("{name} is not allowed in the {} state: {hint}", level.name())
    }
}

/// Its name, and when it is allowed.
pub(super) fn rule(command: &Command) -> (&'static str, When) {
    use When::{Always, BeforeLogin, LoggedIn, Selected};
    match command {
        Command::Capability => ("CAPABILITY", Always),
        Command::Noop => ("NOOP", Always),
        Command::Logout => ("LOGOUT", Always),
        Command::Id(_) => ("ID", Always),
        Command::StartTls => ("STARTTLS", BeforeLogin),
        Command::Login { .. } => ("LOGIN", BeforeLogin),
        Command::Authenticate { .. } => ("AUTHENTICATE", BeforeLogin),
        // RFC 5161 §3.1 lets a server take it with a mailbox open, too.
        Command::Enable(_) => ("ENABLE", LoggedIn),
        Command::Select(select) if select.read_only => ("EXAMINE", LoggedIn),
        Command::Select(_) => ("SELECT", LoggedIn),
        Command::Create { .. } => ("CREATE", LoggedIn),
        Command::Delete(_) => ("DELETE", LoggedIn),
        Command::Rename { .. } => ("RENAME", LoggedIn),
        Command::Subscribe(_) => ("SUBSCRIBE", LoggedIn),
        Command::Unsubscribe(_) => ("UNSUBSCRIBE", LoggedIn),
        Command::List(_) => ("LIST", LoggedIn),
        Command::Lsub { .. } => ("LSUB", LoggedIn),
        Command::Namespace => ("NAMESPACE", LoggedIn),
        Command::Status { .. } => ("STATUS", LoggedIn),
        Command::Idle => ("IDLE", LoggedIn),
        Command::Append(_) => ("APPEND", LoggedIn),
        Command::GetQuota(_) => ("GETQUOTA", LoggedIn),
        Command::GetQuotaRoot(_) => ("GETQUOTAROOT", LoggedIn),
        Command::SetQuota { .. } => ("SETQUOTA", LoggedIn),
        Command::GetMetadata(_) => ("GETMETADATA", LoggedIn),
        Command::SetMetadata { .. } => ("SETMETADATA", LoggedIn),
        Command::Notify(_) => ("NOTIFY", LoggedIn),
        Command::CompressDeflate => ("COMPRESS", LoggedIn),
        Command::Unauthenticate => ("UNAUTHENTICATE", LoggedIn),
        Command::SetAcl { .. } => ("SETACL", LoggedIn),
        Command::DeleteAcl { .. } => ("DELETEACL", LoggedIn),
        Command::GetAcl(_) => ("GETACL", LoggedIn),
        Command::ListRights { .. } => ("LISTRIGHTS", LoggedIn),
        Command::MyRights(_) => ("MYRIGHTS", LoggedIn),
        Command::Close => ("CLOSE", Selected),
        Command::Unselect => ("UNSELECT", Selected),
        Command::Check => ("CHECK", Selected),
        Command::Expunge(_) => ("EXPUNGE", Selected),
        Command::Search(_) => ("SEARCH", Selected),
        Command::Sort(_) => ("SORT", Selected),
        Command::Thread(_) => ("THREAD", Selected),
        Command::Fetch { .. } => ("FETCH", Selected),
        Command::Store(_) => ("STORE", Selected),
        Command::Copy { .. } => ("COPY", Selected),
        Command::Move { .. } => ("MOVE", Selected),
        Command::Replace { .. } => ("REPLACE", Selected),
    }
}

/// Carries a command out, or has it carried out. `behind`: the client has sent something after it.
pub(super) fn command(tag: Tag, command: Command, behind: bool, context: &mut Context) -> State {
    let (name, when) = rule(&command);
    if !when.allows(context.level) {
        return context.bad(&tag, when.complaint(name, context.level));
    }
    match command {
        Command::Capability => capability(&tag, context),
        Command::Noop if context.level == Level::NotAuthenticated => context.ok(&tag, "NOOP completed"),
        Command::Logout => logout(&tag, context),
        Command::Id(_) => id(&tag, context),
        Command::StartTls => login::start_tls(&tag, behind, context),
        Command::Login { user, password } => login::login(tag, user, password, context),
        Command::Authenticate { mechanism, initial } => {
            login::authenticate(tag, &mechanism, initial, context)
        }
        Command::Enable(names) => enable_command(&tag, &names, context),
        Command::Idle => idle(tag, context),
        Command::CompressDeflate => compress(tag, behind, context),
        Command::Unauthenticate if !context.config.unauthenticate => {
            context.bad(&tag, "UNAUTHENTICATE is not offered")
        }
        Command::Unauthenticate if context.compressed => {
            context.bad(&tag, "UNAUTHENTICATE is not offered under compression")
        }
        Command::Unauthenticate => {
            context.ask(Event::Command(Command::Unauthenticate), State::Unauthenticating(tag))
        }
        command => hand_over(tag, command, context),
    }
}

fn capability(tag: &Tag, context: &mut Context) -> State {
    let names = context.capabilities();
    context.data(&Data::Capability(names));
    context.ok(tag, "CAPABILITY completed")
}

fn logout(tag: &Tag, context: &mut Context) -> State {
    let text = format!("{} signing off", context.config.hostname);
    context.untagged(&Status { kind: StatusKind::Bye, code: None, text });
    context.ok(tag, "LOGOUT completed");
    State::Closing(Reason::Logout)
}

/// What the client says of itself is of no use here.
fn id(tag: &Tag, context: &mut Context) -> State {
    let pairs = context.config.id.iter().map(|(name, value)| (name.clone(), Some(value.clone()))).collect();
    context.data(&Data::Id(pairs));
    context.ok(tag, "ID completed")
}

fn enable_command(tag: &Tag, names: &[String], context: &mut Context) -> State {
    let before = context.enabled;
    let newly = enable(&mut context.enabled, names);
    context.data(&Data::Enabled(newly));
    tell_condstore(before.condstore, context);
    context.ok(tag, "ENABLE completed")
}

/// RFC 7162 §3.1: the first sign of CONDSTORE while a mailbox is selected is answered by HIGHESTMODSEQ.
fn tell_condstore(before: bool, context: &mut Context) {
    if !before && context.enabled.condstore && matches!(context.level, Level::Selected(_)) {
        context.tell(Event::CondstoreEnabled);
    }
}

/// RFC 2177 §3.
fn idle(tag: Tag, context: &mut Context) -> State {
    context.encoder().continuation("idling");
    context.tell(Event::Idle);
    State::Idling(tag)
}

fn compress(tag: Tag, behind: bool, context: &mut Context) -> State {
    if context.compressed {
        let status = Status::no(Code::CompressionActive, "DEFLATE is already active");
        return context.conclude(Some(&tag), &status);
    }
    if !context.config.compress {
        return context.bad(&tag, "COMPRESS is not offered");
    }
    if behind {
        return context.close(Reason::InputBehind);
    }
    context.ask(Event::Command(Command::CompressDeflate), State::Compressing(tag))
}

/// To the driver, who knows mailboxes.
pub(super) fn hand_over(tag: Tag, command: Command, context: &mut Context) -> State {
    if let Some(fault) = missing(&command, context.enabled) {
        return context.bad(&tag, fault);
    }
    if is_condstore_enabling(&command) {
        let before = std::mem::replace(&mut context.enabled.condstore, true);
        // SELECT says it anyway.
        if !matches!(command, Command::Select(_)) {
            tell_condstore(before, context);
        }
    }
    context.ask(Event::Command(command), State::Working(tag))
}
