//! What is wrong with a configuration: what, where, and what to do about it.

use std::fmt;
use std::path::PathBuf;

/// Why there is no [`Config`](super::Config).
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "no configuration file: looked for {}; name one with --config, or make one with `waypost quickstart you@example.org`",
        list(.0)
    )]
    NotFound(Vec<PathBuf>),
    #[error("cannot read {file}: {source}{}", sudo(.source), file = .file.display())]
    Read { file: PathBuf, source: std::io::Error },
    #[error("{}", lines(.file, .problems))]
    Invalid { file: PathBuf, problems: Vec<Problem> },
    #[error("cannot read {key} {file}: {source}", file = .file.display())]
    Secret { key: &'static str, file: PathBuf, source: std::io::Error },
    #[error("{key} {file} is empty: its first line must be the password", file = .file.display())]
    EmptySecret { key: &'static str, file: PathBuf },
}

/// One thing to correct in the file.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// Counted from 1; none when the trouble is something that is missing.
    pub line: Option<usize>,
    /// The dotted name of the key, such as `limits.message-size` or `route[1].to`; empty where none applies.
    pub key: String,
    /// What is wrong and what to do.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.text)
    }
}

fn sudo(error: &std::io::Error) -> &'static str {
    if error.kind() == std::io::ErrorKind::PermissionDenied { "; root may (sudo)" } else { "" }
}

fn list(files: &[PathBuf]) -> String {
    files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// `file:line: key: text`, a line each, which editors can jump to.
fn lines(file: &std::path::Path, problems: &[Problem]) -> String {
    let one = |problem: &Problem| match problem.line {
        Some(line) => format!("{}:{line}: {problem}", file.display()),
        None => format!("{}: {problem}", file.display()),
    };
    problems.iter().map(one).collect::<Vec<_>>().join("\n")
}
