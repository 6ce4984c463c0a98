//! `waypost alias`: addresses whose mail goes to others.

use super::administer;
use crate::cli::Global;
use crate::cli::values::AliasName;
use crate::exit::{Exit, Failure};
use crate::output;
use address::{Address, Domain};
use admin::alias::{self, AliasView};
use admin::{AdminError, Client, domain};
use serde::Serialize;
use serde_json::json;

const EXAMPLES: &str = "\
Examples:
  waypost alias add info@example.org you@example.org friend@example.net
  waypost alias add @example.org you@example.org          whatever the domain has not
  waypost alias remove info@example.org";

/// Add, list, show and remove aliases
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    pub verb: Verb,
    /// Print one JSON document
    #[arg(long, global = true)]
    pub json: bool,
}

#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// Send what comes for one address to others too; those it has already stay
    #[command(after_help = "Example:\n  waypost alias add info@example.org you@example.org")]
    Add {
        /// An address, or @ and a domain for all it has not
        #[arg(value_name = "ALIAS")]
        alias: AliasName,
        #[arg(required = true, value_name = "ADDRESS")]
        targets: Vec<Address>,
    },
    /// All aliases
    #[command(after_help = "Example:\n  waypost alias list --domain example.org")]
    List {
        /// Of this domain
        #[arg(long, value_name = "DOMAIN")]
        domain: Option<Domain>,
    },
    /// Where one alias goes
    #[command(after_help = "Example:\n  waypost alias show info@example.org")]
    Show {
        #[arg(value_name = "ALIAS")]
        alias: AliasName,
    },
    /// Take an alias away, or some of its targets
    #[command(after_help = "Example:\n  waypost alias remove info@example.org friend@example.net")]
    Remove {
        #[arg(value_name = "ALIAS")]
        alias: AliasName,
        #[arg(value_name = "ADDRESS")]
        targets: Vec<Address>,
    },
}

/// An alias or a catch-all as it is printed.
#[derive(Debug, Serialize)]
struct Line {
    alias: String,
    targets: Vec<Address>,
}

impl From<AliasView> for Line {
    fn from(view: AliasView) -> Self {
        Self { alias: view.alias.to_string(), targets: view.targets }
    }
}

pub fn run(global: &Global, args: Args) -> Result<Exit, Failure> {
    let (verb, json) = (args.verb, args.json);
    administer::with_client(global, async move |client, _| match verb {
        Verb::Add { alias, targets } => {
            let line = add(client, alias, targets).await?;
            administer::done(json, &line, &format!("{} goes to {}", line.alias, joined(&line.targets)))
        }
        Verb::List { domain } => {
            let lines = all(client, domain).await?;
            if json {
                output::json(&lines)?;
            } else {
                let rows = lines.iter().map(|line| [line.alias.clone(), joined(&line.targets)]);
                output::table(["alias", "goes to"], rows)?;
            }
            Ok(Exit::Done)
        }
        Verb::Show { alias } => {
            let line = show(client, alias).await?;
            administer::done(json, &line, &format!("{} goes to {}", line.alias, joined(&line.targets)))
        }
        Verb::Remove { alias, targets } => {
            remove(client, &alias, targets).await?;
            let alias = alias.to_string();
            administer::done(json, json!({ "alias": alias, "removed": true }), &format!("{alias} is changed"))
        }
    })
}

fn joined(targets: &[Address]) -> String {
    targets.iter().map(Address::to_string).collect::<Vec<_>>().join(", ")
}

async fn add(client: &Client, alias: AliasName, mut targets: Vec<Address>) -> Result<Line, Failure> {
    match alias {
        AliasName::Address(alias) => Ok(client.call(alias::Add { alias, targets }).await?.into()),
        AliasName::CatchAll(domain) => {
            let (Some(target), None) = (targets.pop(), targets.pop()) else {
                let text =
                    "what a domain has not goes to one address: make an alias of several, and give that";
                return Err(Failure::usage(text));
            };
            let setting = domain::Setting::CatchAll(Some(target.clone()));
            client.call(domain::Set { domain: domain.clone(), setting }).await?;
            Ok(Line { alias: format!("@{domain}"), targets: vec![target] })
        }
    }
}

async fn all(client: &Client, domain: Option<Domain>) -> Result<Vec<Line>, Failure> {
    let domains = client.call(domain::List {}).await?.into_iter();
    let wanted = domains.filter(|one| domain.as_ref().is_none_or(|domain| *domain == one.domain));
    let catch_all = wanted.filter_map(|one| {
        one.catch_all.map(|target| Line { alias: format!("@{}", one.domain), targets: vec![target] })
    });
    let mut lines: Vec<Line> = catch_all.collect();
    lines.extend(client.call(alias::List { domain }).await?.into_iter().map(Line::from));
    Ok(lines)
}

async fn show(client: &Client, alias: AliasName) -> Result<Line, Failure> {
    match alias {
        AliasName::Address(alias) => Ok(client.call(alias::Show { alias }).await?.into()),
        AliasName::CatchAll(domain) => {
            let target = client.call(domain::Show { domain: domain.clone() }).await?.catch_all;
            let missing = || AdminError::NotFound(format!("{domain} has no catch-all"));
            Ok(Line { alias: format!("@{domain}"), targets: vec![target.ok_or_else(missing)?] })
        }
    }
}

async fn remove(client: &Client, alias: &AliasName, targets: Vec<Address>) -> Result<(), Failure> {
    match alias {
        AliasName::Address(alias) => {
            client.call(alias::Remove { alias: alias.clone(), targets }).await?;
        }
        AliasName::CatchAll(domain) => {
            let there = show(client, AliasName::CatchAll(domain.clone())).await?.targets;
            if targets.iter().any(|target| !there.contains(target)) {
                return Err(Failure::no(format!("@{domain} goes to {}", joined(&there))));
            }
            let setting = domain::Setting::CatchAll(None);
            client.call(domain::Set { domain: domain.clone(), setting }).await?;
        }
    }
    Ok(())
}
