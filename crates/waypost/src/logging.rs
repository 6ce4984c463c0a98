//! Logs: one line an event, to standard error or to a file that is opened anew at SIGHUP.

mod lines;

use crate::config::{Log, LogFormat, LogLevel};
use crate::exit::Failure;
use lines::Lines;
use std::fs::File;
use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::prelude::*;
use tracing_subscriber::{Registry, reload};

static LINES: OnceLock<Lines> = OnceLock::new();
static LOG_FILE: OnceLock<PathBuf> = OnceLock::new();
static LEVEL: OnceLock<reload::Handle<LevelFilter, Registry>> = OnceLock::new();

/// Begins logging. To be called once, before anything that is worth a line.
pub(crate) fn start(log: &Log) -> Result<(), Failure> {
    let failed = |path: &Path, e: io::Error| Failure::no(format!("log file {}: {e}", path.display()));
    let output: Box<dyn Write + Send> = match &log.file {
        Some(path) => {
            let _ = LOG_FILE.set(path.clone());
            Box::new(open(path).map_err(|e| failed(path, e))?)
        }
        None => Box::new(io::stderr()),
    };
    let _ = LINES.set(Lines::new(output));
    let colours = log.file.is_none() && io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let (filter, handle) = reload::Layer::new(level(log.level));
    let _ = LEVEL.set(handle);
    let lines = tracing_subscriber::fmt::layer().with_writer(Target).with_ansi(colours);
    let subscriber = tracing_subscriber::registry().with(filter);
    match log.format {
        LogFormat::Text => subscriber.with(lines).init(),
        LogFormat::Json => subscriber.with(lines.json().flatten_event(true)).init(),
    }
    Ok(())
}

/// Tells more or less from now on.
pub(crate) fn set_level(wanted: LogLevel) {
    if let Some(handle) = LEVEL.get() {
        // It fails only when nothing is logged any more.
        let _ = handle.reload(level(wanted));
    }
}

/// While this is kept, lines that are no trouble may wait a few milliseconds for others.
#[must_use]
pub(crate) struct Gathering;

/// Begins to gather lines, in a thread of its own, so not before the process is confined.
pub(crate) fn gather() -> io::Result<Gathering> {
    if let Some(lines) = LINES.get() {
        lines.gather();
        std::thread::Builder::new().name("log".into()).spawn(|| lines.write_gathered())?;
    }
    Ok(Gathering)
}

impl Drop for Gathering {
    fn drop(&mut self) {
        LINES.get().into_iter().for_each(Lines::end_gathering);
    }
}

/// After the file was moved away (logrotate): on a failure the old one stays in use.
pub(crate) fn reopen() {
    let (Some(path), Some(lines)) = (LOG_FILE.get(), LINES.get()) else { return };
    match open(path) {
        Ok(file) => lines.change_output(Box::new(file)),
        Err(error) => {
            tracing::error!(file = %path.display(), %error, "the log file cannot be opened anew")
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    File::options().create(true).append(true).open(path)
}

fn level(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}

/// The file, or standard error.
struct Target;

impl<'a> MakeWriter<'a> for Target {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line { urgent: true }
    }

    fn make_writer_for(&'a self, event: &Metadata<'_>) -> Line {
        Line { urgent: *event.level() <= Level::WARN }
    }
}

struct Line {
    /// The process may be about to end.
    urgent: bool,
}

impl Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match LINES.get() {
            Some(lines) => lines.add(line, self.urgent).map(|()| line.len()),
            None => io::stderr().lock().write(line),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
