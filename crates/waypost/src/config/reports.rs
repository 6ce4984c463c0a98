//! `[reports]`: what is told to other domains about their mail and ours, and what they tell us.

use super::units;
use address::Address;
use serde::Deserialize;

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Reports {
    pub dmarc: bool,
    pub tls: bool,
    pub failure: bool,
    /// None: the postmaster.
    #[serde(deserialize_with = "units::optional")]
    pub from: Option<Address>,
    /// Addresses, or local parts that count in every domain.
    #[serde(deserialize_with = "names")]
    pub read: Vec<String>,
}

impl Default for Reports {
    fn default() -> Self {
        let read = ["dmarc", "dmarc-reports", "tls-reports", "postmaster"];
        Self { dmarc: true, tls: true, failure: false, from: None, read: read.map(str::to_owned).to_vec() }
    }
}

/// Each is an address, or becomes one with a domain.
fn names<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    for name in &names {
        let whole = if name.contains('@') { name.clone() } else { format!("{name}@localhost") };
        if let Err(error) = whole.parse::<Address>() {
            return Err(serde::de::Error::custom(format!(
                "{name:?} is neither an address nor its local part: {error}"
            )));
        }
    }
    Ok(names)
}
