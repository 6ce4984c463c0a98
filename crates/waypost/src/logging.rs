//! Logs: one line an event, to standard error or to a file that is opened anew at SIGHUP.

mod form;
mod lines;

use crate::config::{Log, LogLevel};
use crate::exit::Failure;
use form::Form;
use lines::Lines;
use std::fs::File;
use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::prelude::*;
use tracing_subscriber::{Registry, reload};

static LINES: OnceLock<Lines> = OnceLock::new();
/// Where the lines go; `None`: to standard error.
static LOG_FILE: Mutex<Option<PathBuf>> = Mutex::new(None);
static LEVEL: OnceLock<reload::Handle<LevelFilter, Registry>> = OnceLock::new();

/// Begins logging. To be called once, before anything that is worth a line.
pub(crate) fn start(log: &Log) -> Result<(), Failure> {
    let failed = |e: io::Error| Failure::no(format!("log file {}: {e}", name(log.file.as_deref())));
    let _ = LINES.set(Lines::new(output(log.file.as_deref()).map_err(failed)?));
    lock_file().clone_from(&log.file);
    form::set(log.format, coloured(log.file.as_deref()));
    let (filter, handle) = reload::Layer::new(level(log.level));
    let _ = LEVEL.set(handle);
    let lines = tracing_subscriber::fmt::layer().with_writer(Target).event_format(Form::new());
    tracing_subscriber::registry().with(filter).with(lines).init();
    Ok(())
}

/// Tells more or less, elsewhere or in another form from now on. Where another file cannot be opened, the log goes on
/// where it was.
pub(crate) fn change(log: &Log) {
    if let Some(handle) = LEVEL.get() {
        // It fails only when nothing is logged any more.
        let _ = handle.reload(level(log.level));
    }
    let mut file = lock_file();
    if *file != log.file {
        let name = name(log.file.as_deref());
        match output(log.file.as_deref()) {
            Ok(output) => {
                tracing::info!(file = %name, "the log goes on there");
                if let Some(lines) = LINES.get() {
                    lines.change_output(output);
                }
                file.clone_from(&log.file);
            }
            Err(error) => tracing::error!(file = %name, %error, "the log file cannot be opened"),
        }
    }
    form::set(log.format, coloured(file.as_deref()));
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
    let file = lock_file();
    let (Some(path), Some(lines)) = (&*file, LINES.get()) else { return };
    match open(path) {
        Ok(file) => lines.change_output(Box::new(file)),
        Err(error) => {
            tracing::error!(file = %path.display(), %error, "the log file cannot be opened anew")
        }
    }
}

fn lock_file() -> MutexGuard<'static, Option<PathBuf>> {
    LOG_FILE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn output(file: Option<&Path>) -> io::Result<Box<dyn Write + Send>> {
    Ok(match file {
        Some(path) => Box::new(open(path)?),
        None => Box::new(io::stderr()),
    })
}

fn name(file: Option<&Path>) -> String {
    file.map_or_else(|| "standard error".to_owned(), |file| file.display().to_string())
}

/// For people at a terminal who want it.
fn coloured(file: Option<&Path>) -> bool {
    file.is_none() && io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()
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
