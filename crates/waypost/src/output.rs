//! What commands print and ask, so that all do it alike.
//!
//! With `--json` the document stands alone on standard output. Colours and progress bars are for terminals only.

use crate::exit::Failure;
use address::Secret;
use comfy_table::{ContentArrangement, Table, presets};
use directory::MIN_ADVISED_PASSWORD;
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use std::io::{BufRead, IsTerminal, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// The longest password that is read, in octets; PAM and argon2 take fewer than this gladly.
pub const MAX_PASSWORD: usize = 4096;

/// Standard output is the process's, and so is what stands there.
static DOCUMENT: AtomicBool = AtomicBool::new(false);

/// Whether a JSON document was printed: there must be only one.
pub fn has_document() -> bool {
    DOCUMENT.load(Ordering::Relaxed)
}

/// Prints one JSON document and a newline: an array for lists, an object otherwise.
pub fn json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Failure::no(format!("cannot write JSON: {error}")))?;
    DOCUMENT.store(true, Ordering::Relaxed);
    line(&text)
}

/// One JSON document that is an array, printed element by element: a long one is never in memory.
#[derive(Debug)]
pub struct JsonArray {
    any: bool,
}

impl JsonArray {
    /// Begins the document.
    pub fn open() -> Result<Self, Failure> {
        DOCUMENT.store(true, Ordering::Relaxed);
        print("[")?;
        Ok(Self { any: false })
    }

    pub fn add(&mut self, value: &impl serde::Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value)
            .map_err(|error| Failure::no(format!("cannot write JSON: {error}")))?;
        print(if std::mem::replace(&mut self.any, true) { ",\n" } else { "\n" })?;
        print(&text)
    }

    /// Ends the document.
    pub fn close(self) -> Result<(), Failure> {
        print(if self.any { "\n]\n" } else { "]\n" })
    }
}

/// Prints a line. A reader that went away (`| head`) is a failure, not a panic.
pub fn line(text: &str) -> Result<(), Failure> {
    print(&format!("{text}\n"))
}

fn print(text: &str) -> Result<(), Failure> {
    std::io::stdout()
        .lock()
        .write_all(text.as_bytes())
        .map_err(|error| Failure::no(format!("cannot write to standard output: {error}")))
}

/// Prints rows under a head, in columns. On a terminal they are fitted to its width; elsewhere a row is one line,
/// so that other programs can read it.
pub fn table<const N: usize>(
    head: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> Result<(), Failure> {
    line(&render(head, rows, std::io::stdout().is_terminal()))
}

fn render<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = [String; N]>, fit: bool) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(head);
    let arrangement = if fit { ContentArrangement::Dynamic } else { ContentArrangement::Disabled };
    table.set_content_arrangement(arrangement);
    table.add_rows(rows.into_iter().map(|row| row.map(|cell| printable(&cell))));
    table.trim_fmt()
}

/// The text without control characters: what a stranger wrote into a subject must not steer the terminal.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// What a word means, for its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    Good,
    Warning,
    Bad,
    Quiet,
}

/// The text in its colour when standard output is a terminal and `NO_COLOR` is not set (no-color.org).
pub fn tinted(text: &str, tone: Tone) -> String {
    let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    tint(text, tone, wanted && std::io::stdout().is_terminal())
}

fn tint(text: &str, tone: Tone, colour: bool) -> String {
    let code = match tone {
        Tone::Good => 32,
        Tone::Warning => 33,
        Tone::Bad => 31,
        Tone::Quiet => 2,
    };
    if colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}

/// Reads a password: a line of standard input with `--password-stdin`, else by asking at the terminal.
pub fn password(prompt: &str, stdin: bool) -> Result<Secret<String>, Failure> {
    if stdin {
        return password_from(&mut std::io::stdin().lock());
    }
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage("no terminal to ask for the password at: give it with --password-stdin"));
    }
    rpassword::prompt_password(format!("{prompt}: "))
        .map(Secret::new)
        .map_err(|error| Failure::no(format!("cannot read the password: {error}")))
}

/// As [`password`], for one that is being chosen: at the terminal it is asked for twice, and a short one is warned
/// about.
pub fn new_password(prompt: &str, stdin: bool) -> Result<Secret<String>, Failure> {
    let chosen = password(prompt, stdin)?;
    // Both were just typed by the same person: there is nobody to hide the time of the comparison from.
    if !stdin && password("again", false)?.reveal() != chosen.reveal() {
        return Err(Failure::no("the passwords differ: nothing was changed"));
    }
    if chosen.reveal().is_empty() {
        return Err(Failure::usage("the password is empty"));
    }
    if chosen.reveal().chars().count() < MIN_ADVISED_PASSWORD {
        warn(&format!("the password is short: at least {MIN_ADVISED_PASSWORD} characters are better"));
    }
    Ok(chosen)
}

/// The first line, its end removed.
fn password_from(input: &mut impl BufRead) -> Result<Secret<String>, Failure> {
    let mut line = Vec::new();
    let limit = MAX_PASSWORD as u64 + 2;
    input
        .take(limit)
        .read_until(b'\n', &mut line)
        .map_err(|error| Failure::no(format!("cannot read the password: {error}")))?;
    if line.is_empty() {
        return Err(Failure::usage("standard input has no password: its first line must be it"));
    }
    let text = line.strip_suffix(b"\n").unwrap_or(&line);
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    if text.len() > MAX_PASSWORD {
        return Err(Failure::usage(format!("the password is longer than {MAX_PASSWORD} octets")));
    }
    let text = String::from_utf8(text.to_vec()).map_err(|_| Failure::usage("the password is not UTF-8"))?;
    Ok(Secret::new(text))
}

/// Asks a question that only `yes` answers with yes. Without a terminal nobody can, so `--yes` must have been given.
pub fn confirm(question: &str) -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage(format!("{question} There is no terminal to ask at: say so with --yes")));
    }
    write!(std::io::stderr(), "{question} [yes/no] ")?;
    let mut answer = String::new();
    std::io::stdin().lock().take(16).read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "yes" | "y"))
}

/// A moment as people here read it, with the zone; `milliseconds` since 1970.
pub fn moment(milliseconds: i64) -> String {
    written(milliseconds, "%Y-%m-%d %H:%M:%S %:z")
}

/// The same to the millisecond, where it names something.
pub fn exact_moment(milliseconds: i64) -> String {
    written(milliseconds, "%Y-%m-%d %H:%M:%S%.3f %:z")
}

fn written(milliseconds: i64, form: &str) -> String {
    let when = jiff::Timestamp::from_millisecond(milliseconds).unwrap_or_default();
    when.to_zoned(jiff::tz::TimeZone::system()).strftime(form).to_string()
}

/// Says something on standard error that is no reason to stop.
pub fn warn(text: &str) {
    // A standard error that is closed is no reason to panic.
    let _ = writeln!(std::io::stderr(), "waypost: warning: {text}");
}

/// A bar for long work, on standard error and only on a terminal. It is hidden with `--json`.
pub fn progress(length: u64, what: &str, json: bool) -> ProgressBar {
    if json || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {rate} {eta}");
    let bar = ProgressBar::new(length).with_message(what.to_owned());
    // The template is a constant; were it wrong, the bar would only be plainer.
    match style {
        Ok(style) => bar.with_style(style.with_key("rate", rate)),
        Err(_) => bar,
    }
}

/// As many in a second, of late.
fn rate(state: &ProgressState, to: &mut dyn std::fmt::Write) {
    // What a bar cannot show is no reason to stop.
    let _ = write!(to, "{:.0}/s", state.per_sec());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_one_line_without_its_end() {
        let long = "x".repeat(MAX_PASSWORD + 1);
        for (input, expected) in [
            ("secret\n", Some("secret")),
            ("secret\r\n", Some("secret")),
            ("secret", Some("secret")),
            (" two words \nmore", Some(" two words ")),
            ("\n", Some("")),
            ("", None),
            (long.as_str(), None),
        ] {
            let read = password_from(&mut input.as_bytes()).ok().map(Secret::into_inner);
            assert_eq!(read.as_deref(), expected, "{input:?}");
        }
        assert!(password_from(&mut &b"\xff\n"[..]).is_err());
    }

    #[test]
    fn tables_are_one_line_a_row_and_harmless() {
        let rows = [["a".to_owned(), "x\x1b[2Jy\nz".to_owned()], ["long one".to_owned(), "b".repeat(300)]];
        let text = render(["id", "subject"], rows, false);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[0].trim_start().starts_with("id "), "{text}");
        assert!(lines[1].contains("x\u{fffd}[2Jy\u{fffd}z"), "{text}");
    }

    #[test]
    fn zones_are_known_by_their_names() {
        let (name, place) = ("Europe/Berlin", "/usr/share/zoneinfo/Europe/Berlin");
        assert_eq!(jiff::tz::TimeZone::get(name).is_ok(), std::path::Path::new(place).exists());
    }

    #[test]
    fn colours_only_where_wanted() {
        assert_eq!(tint("ok", Tone::Good, true), "\x1b[32mok\x1b[0m");
        assert_eq!(tint("ok", Tone::Good, false), "ok");
    }
}
