//! `waypost account`: the people who have a mailbox here.

mod certificate;

use super::administer::{self, none_or};
use crate::cli::Global;
use crate::cli::values::{PasswordStdin, Quota};
use crate::config::units::show_size;
use crate::exit::{Exit, Failure};
use crate::output;
use address::{Address, Domain, Secret};
use admin::account::{self, AccountDetails, AccountView, Password, Setting};
use admin::{AdminError, Client};
use serde_json::json;

const EXAMPLES: &str = "\
Examples:
  waypost account add you@example.org
  waypost account list --domain example.org
  waypost account password you@example.org --password-stdin
  waypost account app-password you@example.org --name phone
  waypost account certificate add you@example.org --file laptop.pem
  waypost account quota you@example.org '5 GiB'";

/// Add, list, show, change and remove accounts
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
    /// Make an account
    #[command(
        after_help = "Example:\n  waypost account add you@example.org --name 'Your Name' --quota '5 GiB'"
    )]
    Add(Add),
    /// All accounts
    #[command(after_help = "Example:\n  waypost account list --domain example.org")]
    List {
        /// Of this domain
        #[arg(long, value_name = "DOMAIN")]
        domain: Option<Domain>,
    },
    /// One account
    #[command(after_help = "Example:\n  waypost account show you@example.org")]
    Show {
        #[arg(value_name = "ADDRESS")]
        address: Address,
    },
    /// Remove an account and all its mail
    #[command(after_help = "Example:\n  waypost account remove you@example.org --yes")]
    Remove {
        #[arg(value_name = "ADDRESS")]
        address: Address,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Set a new password
    #[command(after_help = "Example:\n  waypost account password you@example.org --password-stdin")]
    Password {
        #[arg(value_name = "ADDRESS")]
        address: Address,
        #[command(flatten)]
        password: PasswordStdin,
        /// Also keep it so that CRAM-MD5 works, which needs it readable
        #[arg(long)]
        cram_md5: bool,
    },
    /// Make a password for one program, and print it once
    #[command(after_help = "\
Examples:
  waypost account app-password you@example.org --name phone
  waypost account app-password you@example.org --list
  waypost account app-password you@example.org --remove phone")]
    AppPassword {
        #[arg(value_name = "ADDRESS")]
        address: Address,
        /// What it is for
        #[arg(long, value_name = "NAME", conflicts_with_all = ["list", "remove"])]
        name: Option<String>,
        /// The names of those there are, instead
        #[arg(long, conflicts_with = "remove")]
        list: bool,
        /// Take this one away, instead
        #[arg(long, value_name = "NAME")]
        remove: Option<String>,
    },
    /// Client certificates that log in without a password (SASL EXTERNAL)
    #[command(after_help = "Example:\n  waypost account certificate add you@example.org --file laptop.pem")]
    Certificate {
        #[command(subcommand)]
        verb: certificate::Verb,
    },
    /// Let it log in and send again
    #[command(after_help = "Example:\n  waypost account enable you@example.org")]
    Enable {
        #[arg(value_name = "ADDRESS")]
        address: Address,
    },
    /// Stop it from logging in and sending; its mail is kept
    #[command(after_help = "Example:\n  waypost account disable you@example.org")]
    Disable {
        #[arg(value_name = "ADDRESS")]
        address: Address,
    },
    /// The language of its notifications
    #[command(after_help = "Example:\n  waypost account language you@example.org de")]
    Language {
        #[arg(value_name = "ADDRESS")]
        address: Address,
        /// A tag such as de, or none for the domain's
        #[arg(value_name = "TAG")]
        language: String,
    },
    /// The most it may keep
    #[command(after_help = "Example:\n  waypost account quota you@example.org '5 GiB'")]
    Quota {
        #[arg(value_name = "ADDRESS")]
        address: Address,
        /// A size, or none
        #[arg(value_name = "SIZE")]
        quota: Quota,
    },
}

#[derive(Debug, clap::Args)]
pub struct Add {
    #[arg(value_name = "ADDRESS")]
    pub address: Address,
    /// The person's name
    #[arg(long, value_name = "TEXT")]
    pub name: Option<String>,
    /// The most it may keep: a size, or none
    #[arg(long, value_name = "SIZE")]
    pub quota: Option<Quota>,
    /// The language of notifications, such as de [default: the domain's]
    #[arg(long, value_name = "TAG")]
    pub language: Option<String>,
    #[command(flatten)]
    pub password: PasswordStdin,
    /// Import a password's hash from another system, such as '{CRYPT}$6$…', instead of asking for the password
    #[arg(long, value_name = "HASH", conflicts_with_all = ["password_stdin", "cram_md5"])]
    pub hash: Option<String>,
    /// Also keep the password so that CRAM-MD5 works, which needs it readable
    #[arg(long)]
    pub cram_md5: bool,
}

pub fn run(global: &Global, args: Args) -> Result<Exit, Failure> {
    let json = args.json;
    let verb = match args.verb {
        Verb::Certificate { verb } => Verb::Certificate { verb: verb.read_file()? },
        verb => verb,
    };
    administer::with_client(global, async move |client, _| match verb {
        Verb::Add(add) => self::add(client, add, json).await,
        Verb::List { domain } => list(&client.call(account::List { domain }).await?, json),
        Verb::Show { address } => show(&client.call(account::Show { address }).await?, json),
        Verb::Remove { address, yes } => remove(client, address, yes, json).await,
        Verb::Password { address, password, cram_md5 } => {
            // Before anything is typed.
            client.call(account::Show { address: address.clone() }).await?;
            let password = output::new_password("new password", password.password_stdin)?;
            let password = Password::Chosen { password, cram_md5 };
            client.call(account::SetPassword { address: address.clone(), password }).await?;
            administer::done(
                json,
                json!({ "address": address }),
                &format!("the password of {address} is set"),
            )
        }
        Verb::AppPassword { address, name, list, remove } => {
            app_password(client, address, (name, list, remove), json).await
        }
        Verb::Certificate { verb } => certificate::run(client, verb, json).await,
        Verb::Enable { address } => set(client, address, Setting::Disabled(false), json).await,
        Verb::Disable { address } => set(client, address, Setting::Disabled(true), json).await,
        Verb::Quota { address, quota } => set(client, address, Setting::Quota(quota.0), json).await,
        Verb::Language { address, language } => {
            set(client, address, Setting::Language(administer::language(none_or(language))), json).await
        }
    })
}

async fn add(client: &Client, add: Add, json: bool) -> Result<Exit, Failure> {
    // Before anything is typed.
    match client.call(account::Show { address: add.address.clone() }).await {
        Ok(there) => return Err(Failure::no(format!("account {} already exists", there.account.address))),
        Err(AdminError::NotFound(_)) => {}
        Err(error) => return Err(error.into()),
    }
    let password = match add.hash {
        Some(hash) => Password::Hash(Secret::new(hash)),
        None => {
            let password = output::new_password("password", add.password.password_stdin)?;
            Password::Chosen { password, cram_md5: add.cram_md5 }
        }
    };
    let operation = account::Add {
        address: add.address,
        name: add.name,
        language: administer::language(add.language),
        quota: add.quota.and_then(|quota| quota.0),
        password: Some(password),
    };
    let made = client.call(operation).await?;
    administer::done(json, &made, &format!("{} has a mailbox now", made.address))
}

async fn set(client: &Client, address: Address, setting: Setting, json: bool) -> Result<Exit, Failure> {
    let changed = client.call(account::Set { address, setting }).await?;
    let text = format!(
        "{}: {}, quota {}, language {}",
        changed.address,
        state(&changed),
        quota(changed.quota),
        changed.language.as_deref().unwrap_or("of the domain")
    );
    administer::done(json, &changed, &text)
}

async fn remove(client: &Client, address: Address, yes: bool, json: bool) -> Result<Exit, Failure> {
    let there = client.call(account::Show { address: address.clone() }).await?.account;
    let question = format!("Remove {address} with its {} messages for good?", there.used_messages);
    if !yes && !output::confirm(&question)? {
        return Err(Failure::no("nothing was removed"));
    }
    client.call(account::Remove { address: address.clone() }).await?;
    administer::done(json, json!({ "address": address, "removed": true }), &format!("{address} is removed"))
}

async fn app_password(
    client: &Client,
    address: Address,
    (name, list, remove): (Option<String>, bool, Option<String>),
    json: bool,
) -> Result<Exit, Failure> {
    if list {
        let all = client.call(account::ListAppPasswords { address }).await?;
        if json {
            output::json(&all)?;
        } else {
            output::table(
                ["name", "made"],
                all.iter().map(|one| [one.name.clone(), output::moment(one.created)]),
            )?;
        }
        return Ok(Exit::Done);
    }
    if let Some(name) = remove {
        client.call(account::RemoveAppPassword { address: address.clone(), name: name.clone() }).await?;
        let text = format!("the app password {name:?} of {address} is removed");
        return administer::done(json, json!({ "address": address, "name": name, "removed": true }), &text);
    }
    let name =
        name.ok_or_else(|| Failure::usage("say what the password is for, with --name phone for example"))?;
    let made = client.call(account::AddAppPassword { address, name }).await?;
    let text = format!(
        "{}\nIt is shown this once. Spaces, hyphens and capitals do not matter.",
        made.password.reveal()
    );
    administer::done(json, &made, &text)
}

fn state(account: &AccountView) -> &'static str {
    if account.disabled { "disabled" } else { "enabled" }
}

fn quota(quota: Option<u64>) -> String {
    quota.map_or_else(|| "none".to_owned(), show_size)
}

fn list(all: &[AccountView], json: bool) -> Result<Exit, Failure> {
    if json {
        output::json(&all)?;
        return Ok(Exit::Done);
    }
    let rows = all.iter().map(|account| {
        [
            account.address.to_string(),
            account.name.clone().unwrap_or_default(),
            account.used_messages.to_string(),
            show_size(account.used_bytes),
            quota(account.quota),
            state(account).to_owned(),
        ]
    });
    output::table(["address", "name", "messages", "used", "quota", "state"], rows)?;
    Ok(Exit::Done)
}

fn show(details: &AccountDetails, json: bool) -> Result<Exit, Failure> {
    if json {
        output::json(details)?;
        return Ok(Exit::Done);
    }
    let account = &details.account;
    let joined = |list: Vec<String>| if list.is_empty() { "none".to_owned() } else { list.join(", ") };
    administer::facts([
        ("address", account.address.to_string()),
        ("name", account.name.clone().unwrap_or_default()),
        ("state", state(account).to_owned()),
        ("messages", account.used_messages.to_string()),
        ("used", show_size(account.used_bytes)),
        ("quota", quota(account.quota)),
        ("language", account.language.clone().unwrap_or_else(|| "of the domain".to_owned())),
        ("password", if details.has_password { "set" } else { "none" }.to_owned()),
        ("app passwords", joined(details.app_passwords.clone())),
        ("certificates", joined(details.certificates.clone())),
        ("aliases", joined(details.aliases.iter().map(Address::to_string).collect())),
        ("made", output::moment(account.created)),
    ])
}
