//! Whether a literal may follow what has come of a command. The command is read as far as it goes: a literal is welcome
//! where whoever reads it misses a string at the very end.

use super::cursor::Cursor;
use super::{Context, Problem, Stage, command, verb};

/// A literal that may come, besides what the framing allows in a whole command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Octets.
    limit: usize,
    /// Of what there are so many at most.
    what: &'static str,
    /// It may have NUL, and a `~` before its head.
    binary: bool,
}

impl Wanted {
    pub(super) const ANY: Self = Self { limit: usize::MAX, what: "octets in a literal", binary: false };

    pub(super) fn within(self, limit: usize, what: &'static str) -> Self {
        Self { limit, what, ..self }
    }

    pub(super) fn binary(self, binary: bool) -> Self {
        Self { binary, ..self }
    }
}

/// Whether a literal of `size` octets can follow `text`, the beginning of a command. `None`: of more than can be counted.
pub(crate) fn check_literal(
    text: &[u8],
    size: Option<usize>,
    binary: bool,
    context: &Context,
) -> Result<(), Problem> {
    let wanted = wanted(text, context)?;
    if binary && !wanted.binary {
        return Err(Problem::LiteralMisplaced);
    }
    match size {
        Some(size) if size > wanted.limit => Err(Problem::TooMany { what: wanted.what, limit: wanted.limit }),
        _ => Ok(()),
    }
}

fn wanted(text: &[u8], context: &Context) -> Result<Wanted, Problem> {
    let mut cursor = Cursor::new(text, context.utf8);
    cursor.forbid_charset(context.no_charset);
    if cursor.tag().is_err() {
        return Err(Problem::LiteralMisplaced);
    }
    let verb = verb(&mut cursor);
    if let Some(untimely) = context.stage.and_then(|stage| stage.untimely(&verb)) {
        return Err(Problem::Senseless(untimely));
    }
    let read = command(&verb, &mut cursor);
    match (cursor.wanted(), read) {
        (Some(wanted), _) => Ok(wanted),
        // What is wrong is that the command stops here.
        (None, Ok(_)) => Err(Problem::LiteralMisplaced),
        (None, Err(Problem::Expected { at, .. })) if at > text.len() => Err(Problem::LiteralMisplaced),
        (None, Err(problem)) => Err(problem),
    }
}

impl Stage {
    /// Why a command with strings in it cannot come now, if it cannot.
    fn untimely(self, verb: &str) -> Option<&'static str> {
        let name = verb.strip_prefix("UID ").unwrap_or(verb);
        let of_messages = ["COPY", "FETCH", "MOVE", "REPLACE", "SEARCH", "SORT", "THREAD"].contains(&name);
        match self {
            Self::NotAuthenticated => (!["ID", "LOGIN"].contains(&verb)).then_some("log in first"),
            Self::Authenticated | Self::Selected if verb == "LOGIN" => Some("you are already logged in"),
            Self::Authenticated if of_messages => Some("SELECT or EXAMINE a mailbox first"),
            Self::Authenticated | Self::Selected => None,
        }
    }
}
