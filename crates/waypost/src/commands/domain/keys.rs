//! `waypost domain dkim`: a domain's signing keys for people.

use crate::exit::{Exit, Failure};
use crate::output::{self, Tone};
use admin::domain::dkim::{Key, Keys};
use store::directory::KeyStage;

pub(super) fn print(keys: &Keys, json: bool) -> Result<Exit, Failure> {
    if json {
        output::json(keys)?;
        return Ok(Exit::Done);
    }
    if keys.keys.is_empty() {
        output::line(&format!(
            "{} has no signing keys: `waypost domain dkim rotate` makes some",
            keys.domain
        ))?;
    }
    for key in &keys.keys {
        print_key(key)?;
    }
    Ok(Exit::Done)
}

fn print_key(key: &Key) -> Result<(), Failure> {
    let (word, tone) = match key.stage {
        KeyStage::Waiting => ("waiting", Tone::Warning),
        KeyStage::Active => ("active", Tone::Good),
        KeyStage::Retiring => ("retiring", Tone::Quiet),
        KeyStage::Removable => ("removable", Tone::Warning),
    };
    let algorithm = key.algorithm.as_deref().unwrap_or("key deleted");
    let text = format!("{} ({algorithm}): {}", key.selector, key.next);
    output::line(&format!("{} {}", output::tinted(word, tone), output::printable(&text)))?;
    for at in &key.servers {
        output::line(&output::printable(&format!("    {}: {}", at.server, at.says)))?;
    }
    let wanted =
        key.record.as_ref().filter(|_| key.servers.iter().any(|at| !at.published) || key.servers.is_empty());
    if let Some(record) = wanted {
        output::line(&format!("    {}. IN TXT {}", record.name, record.value))?;
    }
    Ok(())
}
