//! Building what is run.

use std::path::PathBuf;
use std::process::{Command, Stdio};

type Failure = Box<dyn std::error::Error>;

/// Builds `waypost`, and says where it is.
pub(crate) fn waypost(release: bool) -> Result<PathBuf, Failure> {
    build("waypost", &["--package", "waypost", "--bin", "waypost"], release)
}

/// Builds the store's example that fills a queue, and says where it is.
pub(crate) fn filler(release: bool) -> Result<PathBuf, Failure> {
    build("fill", &["--package", "store", "--example", "fill"], release)
}

fn build(name: &str, words: &[&str], release: bool) -> Result<PathBuf, Failure> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--message-format", "json-render-diagnostics"]).args(words);
    if release {
        command.arg("--release");
    }
    let output = command.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("{name} does not build").into());
    }
    let messages = String::from_utf8(output.stdout)?;
    let executable = messages.lines().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let is_it = message["target"]["name"] == name;
        is_it.then(|| message["executable"].as_str().map(PathBuf::from))?
    });
    executable.ok_or_else(|| format!("cargo does not say where it put {name}").into())
}
