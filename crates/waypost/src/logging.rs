//! Logs: one line an event, to standard error or to a file that is opened anew at SIGHUP.

use crate::config::{Log, LogFormat, LogLevel};
use crate::exit::Failure;
use std::fs::File;
use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::prelude::*;
use tracing_subscriber::{Registry, reload};

static LOG_FILE: OnceLock<LogFile> = OnceLock::new();
static LEVEL: OnceLock<reload::Handle<LevelFilter, Registry>> = OnceLock::new();

struct LogFile {
    path: PathBuf,
    file: Mutex<File>,
}

/// Begins logging. To be called once, before anything that is worth a line.
pub(crate) fn start(log: &Log) -> Result<(), Failure> {
    let failed = |path: &Path, e: io::Error| Failure::no(format!("log file {}: {e}", path.display()));
    if let Some(path) = &log.file {
        let file = Mutex::new(open(path).map_err(|e| failed(path, e))?);
        let _ = LOG_FILE.set(LogFile { path: path.clone(), file });
    }
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

/// After the file was moved away (logrotate): on a failure the old one stays in use.
pub(crate) fn reopen() {
    let Some(log) = LOG_FILE.get() else { return };
    match open(&log.path) {
        Ok(file) => *log.file.lock().unwrap_or_else(PoisonError::into_inner) = file,
        Err(error) => {
            tracing::error!(file = %log.path.display(), %error, "the log file cannot be opened anew")
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
        Line
    }
}

struct Line;

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match LOG_FILE.get() {
            Some(log) => log.file.lock().unwrap_or_else(PoisonError::into_inner).write(bytes),
            None => io::stderr().lock().write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
