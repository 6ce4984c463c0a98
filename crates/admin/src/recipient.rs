//! What an address means here: who gets its mail.

use crate::operation::blocking;
use crate::{Actor, AdminError, Operation, Operations};
use address::Address;
use directory::{Directory, Resolution};
use serde::{Deserialize, Serialize};
use store::directory::RelayTarget;

/// Follows an address through aliases, subaddresses and catch-alls, as a message to it would be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Resolve {
    pub address: Address,
}

/// Where it leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resolved {
    /// These get it. Never empty.
    Here(Vec<Target>),
    /// To the next host of a relay domain: `mx` or a URL.
    Relay { to: String },
    /// The domain is ours; there is no such address in it.
    Unknown,
    /// There is, but it takes no mail now.
    Disabled,
    /// The domain is another's.
    Elsewhere,
}

/// Somebody who gets a copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    Account(Address),
    /// An alias leads out of here, or to a relay domain.
    Address(Address),
}

impl Operation for Resolve {
    type Answer = Resolved;

    fn changes(&self) -> Option<String> {
        None
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<Resolved, AdminError> {
        let Some(domain) = self.address.domain().cloned() else { return Ok(Resolved::Elsewhere) };
        // The home domain is for names without one.
        let directory = Directory::open(operations.store.clone(), domain).await?;
        blocking(move || Ok(directory.resolve(&self.address)?.into())).await
    }
}

impl From<Resolution> for Resolved {
    fn from(resolution: Resolution) -> Self {
        let target = |target| match target {
            directory::Target::Account { account, .. } => Target::Account(account.address),
            directory::Target::Address(address) => Target::Address(address),
        };
        match resolution {
            Resolution::Here(targets) => Self::Here(targets.into_iter().map(target).collect()),
            Resolution::Relay(relay) => Self::Relay {
                to: match relay.to {
                    RelayTarget::Mx => "mx".to_owned(),
                    RelayTarget::Url(url) => url,
                },
            },
            Resolution::Returned(sender) => Self::Here(vec![Target::Address(sender)]),
            Resolution::Unknown => Self::Unknown,
            Resolution::Disabled => Self::Disabled,
            Resolution::Elsewhere => Self::Elsewhere,
        }
    }
}
