//! `waypost domain`: the domains whose mail this system takes.

mod keys;

use super::administer::{self, none_or};
use super::domain_reports;
use crate::cli::Global;
use crate::cli::values::{Quota, Recipients, relay_to};
use crate::config::Target;
use crate::config::units::show_size;
use crate::config::{Config, Endpoint};
use crate::exit::{Exit, Failure};
use crate::output;
use address::{Address, Domain};
use admin::Client;
use admin::domain::dkim::{Rotate, Status};
use admin::domain::{self, DomainView, Record, RecordKind, Service, Setting};
use serde_json::json;
use std::path::Path;
use store::directory::{DomainKind, RelayRecipients, RelayTarget};

const EXAMPLES: &str = "\
Examples:
  waypost domain add example.org
  waypost domain add branch.example --relay-to smtp://mail.branch.example --recipients verify
  waypost domain add example.net --alias-of example.org
  waypost domain dns example.org";

/// Add, list, show and remove domains
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
    /// Take mail for a domain
    #[command(after_help = "\
Examples:
  waypost domain add example.org
  waypost domain add branch.example --relay-to mx --recipients addresses.txt")]
    Add(Add),
    /// All domains
    #[command(after_help = "Example:\n  waypost domain list --json")]
    List,
    /// One domain: its kind, accounts, keys
    #[command(after_help = "Example:\n  waypost domain show example.org")]
    Show {
        #[arg(value_name = "DOMAIN")]
        domain: Domain,
    },
    /// Take no more mail for a domain
    #[command(after_help = "Example:\n  waypost domain remove example.org --yes")]
    Remove {
        #[arg(value_name = "DOMAIN")]
        domain: Domain,
        /// Do not ask, also when it has accounts
        #[arg(long)]
        yes: bool,
    },
    /// The records to publish
    #[command(after_help = "Example:\n  waypost domain dns example.org")]
    Dns {
        #[arg(value_name = "DOMAIN")]
        domain: Domain,
    },
    /// The keys that sign its mail: how they stand, and new ones
    #[command(after_help = "\
A rotation goes by itself once it is begun: new keys are made; their records are to be published; when all name servers of the
domain have them, the new keys sign; when nothing in the queue has a signature of the old ones, these are deleted, and their
records can be removed.

Examples:
  waypost domain dkim rotate example.org
  waypost domain dkim status example.org")]
    Dkim {
        #[command(subcommand)]
        verb: Dkim,
    },
    /// Its MTA-STS policy: who sends mail to it is to insist on TLS with a valid certificate
    #[command(after_help = "\
Examples:
  waypost domain mta-sts example.org testing
  waypost domain mta-sts example.org enforce

Served by `waypost serve` where [listen] has https, at mta-sts.DOMAIN, which needs an address and a
certificate. It names this machine as the only host that takes the domain's mail.")]
    MtaSts {
        #[arg(value_name = "DOMAIN")]
        domain: Domain,
        /// enforce, testing, none (takes back an earlier one), or off (nothing is served)
        #[arg(value_name = "MODE")]
        mode: StsMode,
    },
    /// What other servers report about its mail and its hosts (DMARC and TLS reports that came)
    #[command(after_help = "Example:\n  waypost domain reports example.org --days 7")]
    Reports {
        #[arg(value_name = "DOMAIN")]
        domain: Domain,
        /// How far back
        #[arg(long, value_name = "NUMBER", default_value_t = 30)]
        days: u32,
    },
    /// The language of notifications to its people
    #[command(after_help = "Example:\n  waypost domain language example.org de")]
    Language {
        #[arg(value_name = "DOMAIN")]
        domain: Domain,
        /// A tag such as de, or none
        #[arg(value_name = "TAG")]
        language: String,
    },
    /// The most that its accounts together may keep
    #[command(after_help = "Example:\n  waypost domain quota example.org '100 GiB'")]
    Quota {
        #[arg(value_name = "DOMAIN")]
        domain: Domain,
        /// A size, or none
        #[arg(value_name = "SIZE")]
        quota: Quota,
    },
}

/// What a policy says, or that there is none.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub enum StsMode {
    Enforce,
    Testing,
    None,
    Off,
}

impl From<StsMode> for Option<domain::StsMode> {
    fn from(mode: StsMode) -> Self {
        match mode {
            StsMode::Enforce => Some(domain::StsMode::Enforce),
            StsMode::Testing => Some(domain::StsMode::Testing),
            StsMode::None => Some(domain::StsMode::None),
            StsMode::Off => None,
        }
    }
}

#[derive(Debug, clap::Args)]
pub struct Add {
    #[arg(value_name = "DOMAIN")]
    pub domain: Domain,
    /// Hand its mail on: smtp://HOST[:PORT], smtps://HOST[:PORT], lmtp://HOST[:PORT], or mx (be its backup)
    #[arg(long, value_name = "WHERE", value_parser = relay_to)]
    pub relay_to: Option<Target>,
    /// The recipients it has: a file with an address a line, or verify (ask the next host) [default: verify]
    #[arg(long, value_name = "FILE|verify", requires = "relay_to")]
    pub recipients: Option<Recipients>,
    /// Another name for this domain
    #[arg(long, value_name = "DOMAIN", conflicts_with = "relay_to")]
    pub alias_of: Option<Domain>,
    /// The most that its accounts together may keep: a size, or none
    #[arg(long, value_name = "SIZE", conflicts_with_all = ["relay_to", "alias_of"])]
    pub quota: Option<Quota>,
    /// The language of notifications, such as de
    #[arg(long, value_name = "TAG")]
    pub language: Option<String>,
}

#[derive(Debug, clap::Subcommand)]
pub enum Dkim {
    /// Make new keys and print the records to publish; while new keys wait for theirs, the same again
    #[command(after_help = "Example:\n  waypost domain dkim rotate example.org")]
    Rotate {
        #[arg(value_name = "DOMAIN")]
        domain: Domain,
    },
    /// Each key's stage, where its record is seen, and what is to be done
    #[command(after_help = "Example:\n  waypost domain dkim status example.org --json")]
    Status {
        #[arg(value_name = "DOMAIN")]
        domain: Domain,
    },
}

pub fn run(global: &Global, args: Args) -> Result<Exit, Failure> {
    let (verb, json) = (args.verb, args.json);
    // Before the change of user, which the file may not be readable for.
    let recipients = match &verb {
        Verb::Add(Add { recipients: Some(Recipients::File(file)), domain, .. }) => {
            read_recipients(file, domain)?
        }
        _ => Vec::new(),
    };
    administer::with_client(global, async move |client, config| match verb {
        Verb::Add(add) => {
            let made = client.call(operation(add, recipients)).await?;
            let mut text = format!("mail for {} is taken now", made.domain);
            if !made.dkim_selectors.is_empty() {
                text.push_str(&format!(
                    "; `waypost domain dns {}` prints the records to publish",
                    made.domain
                ));
            }
            administer::done(json, &made, &text)
        }
        Verb::List => list(&client.call(domain::List {}).await?, json),
        Verb::Show { domain } => show(&client.call(domain::Show { domain }).await?, json),
        Verb::Remove { domain, yes } => remove(client, domain, yes, json).await,
        Verb::Dns { domain } => {
            let records =
                domain::Records { domain, hostname: config.hostname.clone(), services: services(config) };
            print_records(&client.call(records).await?, config, json)
        }
        Verb::Dkim { verb: Dkim::Rotate { domain } } => {
            keys::print(&client.call(Rotate { domain }).await?, json)
        }
        Verb::Dkim { verb: Dkim::Status { domain } } => {
            keys::print(&client.call(Status { domain }).await?, json)
        }
        Verb::MtaSts { domain, mode } => {
            let set = domain::SetSts { domain, hostname: config.hostname.clone(), mode: mode.into() };
            let view = client.call(set).await?;
            let text = match &view.record {
                None => format!("{} has no MTA-STS policy", view.domain),
                Some(record) => format!("publish as TXT at _mta-sts.{}: {record}", view.domain),
            };
            administer::done(json, &view, &text)
        }
        Verb::Reports { domain, days } => {
            domain_reports::print(&client.call(domain::Reports { domain, days }).await?, json)
        }
        Verb::Language { domain, language } => {
            set(client, domain, Setting::Language(administer::language(none_or(language))), json).await
        }
        Verb::Quota { domain, quota } => set(client, domain, Setting::Quota(quota.0), json).await,
    })
}

fn operation(add: Add, recipients: Vec<Address>) -> domain::Add {
    let listed = matches!(add.recipients, Some(Recipients::File(_)));
    let kind = match (add.relay_to, add.alias_of) {
        (Some(to), _) => DomainKind::Relay {
            to: if to == Target::Mx { RelayTarget::Mx } else { RelayTarget::Url(to.to_string()) },
            recipients: if listed { RelayRecipients::Listed } else { RelayRecipients::Verify },
        },
        (None, Some(of)) => DomainKind::Alias { of },
        (None, None) => DomainKind::Local,
    };
    let quota = add.quota.and_then(|quota| quota.0);
    domain::Add { domain: add.domain, kind, recipients, language: administer::language(add.language), quota }
}

/// An address a line, whole or its local part alone; empty lines and those that begin with `#` are passed over.
fn read_recipients(file: &Path, domain: &Domain) -> Result<Vec<Address>, Failure> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::no(format!("cannot read {}: {error}", file.display())))?;
    let mut recipients = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let whole = if line.contains('@') { line.to_owned() } else { format!("{line}@{domain}") };
        let wrong = |error| Failure::no(format!("{}:{}: {error}", file.display(), index + 1));
        recipients.push(whole.parse().map_err(wrong)?);
    }
    Ok(recipients)
}

/// What this machine offers to mail programs, by its configuration.
pub(in crate::commands) fn services(config: &Config) -> Vec<Service> {
    let built = config.listen.iter().filter(|listener| listener.service.is_built());
    let port = |endpoint: &Endpoint| match endpoint {
        Endpoint::Tcp(address) => Some(address.port()),
        Endpoint::Unix(_) => None,
    };
    let mut services: Vec<Service> = Vec::new();
    for listener in built {
        let Some(port) = port(&listener.endpoint) else { continue };
        let service = Service { name: listener.service.name().to_owned(), port };
        if !services.contains(&service) {
            services.push(service);
        }
    }
    services
}

pub(super) fn print_records(records: &[Record], config: &Config, json: bool) -> Result<Exit, Failure> {
    if json {
        output::json(&records)?;
        return Ok(Exit::Done);
    }
    for record in records {
        let kind = match record.kind {
            RecordKind::Mx => "MX",
            RecordKind::Txt => "TXT",
            RecordKind::Srv => "SRV",
        };
        output::line(&format!("; {}\n{}. IN {kind} {}", record.purpose, record.name, record.value))?;
    }
    output::line(&format!(
        "; Besides, {0} needs its A or AAAA record, and its address a PTR record with the name {0}.",
        config.hostname
    ))?;
    Ok(Exit::Done)
}

async fn set(client: &Client, domain: Domain, setting: Setting, json: bool) -> Result<Exit, Failure> {
    let changed = client.call(domain::Set { domain, setting }).await?;
    show(&changed, json)
}

async fn remove(client: &Client, domain: Domain, yes: bool, json: bool) -> Result<Exit, Failure> {
    let there = client.call(domain::Show { domain: domain.clone() }).await?;
    let question =
        format!("Take no more mail for {domain}, and remove its {} accounts for good?", there.accounts);
    if !yes && !output::confirm(&question)? {
        return Err(Failure::no("nothing was removed"));
    }
    client.call(domain::Remove { domain: domain.clone(), with_accounts: true }).await?;
    administer::done(json, json!({ "domain": domain, "removed": true }), &format!("{domain} is removed"))
}

/// The kind in words.
fn kind(view: &DomainView) -> String {
    match (&view.relay_to, &view.alias_of) {
        (Some(to), _) => format!("relay to {to}"),
        (None, Some(of)) => format!("alias of {of}"),
        (None, None) => view.kind.clone(),
    }
}

fn quota(quota: Option<u64>) -> String {
    quota.map_or_else(|| "none".to_owned(), show_size)
}

fn list(all: &[DomainView], json: bool) -> Result<Exit, Failure> {
    if json {
        output::json(&all)?;
        return Ok(Exit::Done);
    }
    let rows = all.iter().map(|view| {
        let used = show_size(view.used_bytes);
        [view.domain.to_string(), kind(view), view.accounts.to_string(), used, quota(view.quota)]
    });
    output::table(["domain", "kind", "accounts", "used", "quota"], rows)?;
    Ok(Exit::Done)
}

fn show(view: &DomainView, json: bool) -> Result<Exit, Failure> {
    if json {
        output::json(view)?;
        return Ok(Exit::Done);
    }
    administer::facts([
        ("domain", view.domain.to_string()),
        ("kind", kind(view)),
        ("accounts", view.accounts.to_string()),
        ("used", show_size(view.used_bytes)),
        ("quota", quota(view.quota)),
        ("catch-all", view.catch_all.as_ref().map_or_else(|| "none".to_owned(), Address::to_string)),
        ("language", view.language.clone().unwrap_or_else(|| "en".to_owned())),
        ("DKIM selectors", view.dkim_selectors.join(", ")),
    ])
}
