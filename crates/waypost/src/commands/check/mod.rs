//! `waypost check`: is it right, and if not, why?

mod blocklist;
mod config;
mod delivery;
mod dmarc;
mod dns;
mod relay;
mod signatures;
mod spf;
mod store;
mod tls;

use crate::cli::Global;
use crate::client::Here;
use crate::config::{Config, Peer};
use crate::exit::{Exit, Failure};
use address::{Address, Domain, ReversePath};
use std::net::SocketAddr;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Only `config`, `store` and `delivery` need a configuration file.

Examples:
  waypost check config
  waypost check store
  waypost check relay mx.example.org
  waypost check tls mx.example.org
  waypost check delivery you@example.org
  waypost check dmarc example.org
  waypost check blocklist 192.0.2.1
  waypost check dns example.org
  waypost check dkim message.eml
  waypost check arc message.eml
  waypost check spf --ip 192.0.2.1 --from you@example.org --helo mail.example.org";

/// Check the configuration, the data, another server, or the way to an address
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    pub what: What,
    /// Print one JSON document
    #[arg(long, global = true)]
    pub json: bool,
    /// Ask this name server instead of the configured ones
    #[arg(long, global = true, value_name = "ADDRESS[:PORT]", value_parser = crate::config::name_server)]
    pub dns: Option<SocketAddr>,
}

#[derive(Debug, clap::Subcommand)]
pub enum What {
    /// What the configuration file says, and what is wrong with it
    #[command(after_help = "Example:\n  waypost check config --config /etc/waypost/waypost.toml")]
    Config,
    /// Whether the data is whole
    #[command(after_help = "Examples:\n  waypost check store --json\n  waypost check store --rebuild-search")]
    Store {
        /// Make the index of words that searches use anew from the messages, and wait for it; mail and searches go on
        #[arg(long)]
        rebuild_search: bool,
    },
    /// Whether a server relays for strangers, by the known ways of asking it
    #[command(after_help = relay::help())]
    Relay {
        #[arg(value_name = "HOST[:PORT]", value_parser = smtp_server)]
        server: Peer,
    },
    /// Which TLS a server speaks, with which certificate, and what DANE and MTA-STS say of that
    #[command(
        after_help = "Examples:\n  waypost check tls mx.example.org\n  waypost check tls mx.example.net --domain example.org"
    )]
    Tls {
        #[arg(value_name = "HOST[:PORT]", value_parser = smtp_server)]
        server: Peer,
        /// A domain that the host takes mail for, whose MTA-STS policy counts [default: HOST, or the name above it]
        #[arg(long, value_name = "DOMAIN")]
        domain: Option<Domain>,
    },
    /// What lists of spammers, and of the good, say of an address
    #[command(after_help = blocklist::help())]
    Blocklist(blocklist::Args),
    /// Everything that a domain needs in the DNS for mail: what is there, what is wrong, what to publish
    #[command(after_help = dns::HELP)]
    Dns(dns::Args),
    /// Whether a host may send mail in a domain's name, by the domain's SPF record
    #[command(after_help = spf::HELP)]
    Spf(spf::Args),
    /// Whether a domain vouches for a message by DMARC, or what policy it has
    #[command(after_help = dmarc::help())]
    Dmarc(dmarc::Args),
    /// Whether the DKIM signatures of a message hold
    #[command(after_help = signatures::help_dkim())]
    Dkim {
        /// The message, - for standard input
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Whether the ARC chain of a message holds
    #[command(after_help = signatures::help_arc())]
    Arc {
        /// The message, - for standard input
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// The whole way to an address, up to RCPT, without sending a message
    #[command(after_help = "Example:\n  waypost check delivery you@example.org")]
    Delivery {
        #[arg(value_name = "ADDRESS")]
        address: Address,
        /// The sender; <> for none
        #[arg(long, value_name = "ADDRESS", default_value = "<>", value_parser = crate::cli::values::reverse_path)]
        from: ReversePath,
    },
}

fn smtp_server(text: &str) -> Result<Peer, String> {
    Peer::parse(text, crate::config::SMTP_PORT)
}

pub fn run(global: &Global, args: Args) -> Result<Exit, Failure> {
    match args.what {
        What::Config => config::run(global, args.json),
        What::Store { rebuild_search: false } => store::run(global, args.json),
        What::Store { rebuild_search: true } => store::rebuild(global, args.json),
        What::Relay { server } => {
            let (config, dns) = surroundings(global, args.dns)?;
            relay::run(&server, &Here::new(config.as_ref()), dns, args.json)
        }
        What::Tls { server, domain } => {
            let (config, servers) = surroundings(global, args.dns)?;
            let trust_anchor = config.as_ref().and_then(|config| config.dns.trust_anchor.clone());
            let dns = ::dns::Settings { servers, trust_anchor, ..::dns::Settings::default() };
            let here = &Here::new(config.as_ref());
            tls::run(tls::Question { server: &server, domain: domain.as_ref(), here, dns }, args.json)
        }
        What::Blocklist(question) => {
            let (_, dns) = surroundings(global, args.dns)?;
            blocklist::run(&question, dns, args.json)
        }
        What::Dns(question) => {
            let (config, dns) = surroundings(global, args.dns)?;
            dns::run(&question, config.as_ref(), dns, args.json)
        }
        What::Spf(question) => {
            let (config, dns) = surroundings(global, args.dns)?;
            spf::run(&question, &Here::new(config.as_ref()), dns, args.json)
        }
        What::Dmarc(question) => {
            let (config, dns) = surroundings(global, args.dns)?;
            dmarc::run(&question, &Here::new(config.as_ref()), dns, args.json)
        }
        What::Dkim { file } => signatures::dkim(&file, surroundings(global, args.dns)?.1, args.json),
        What::Arc { file } => signatures::arc(&file, surroundings(global, args.dns)?.1, args.json),
        What::Delivery { address, from } => {
            let (config, dns) = surroundings(global, args.dns)?;
            let question =
                delivery::Question { address: &address, from: &from, config: config.as_ref(), dns };
            delivery::run(&question, args.json)
        }
    }
}

/// The configuration, if there is one, and the name servers to ask; none: the system's.
fn surroundings(
    global: &Global,
    named: Option<SocketAddr>,
) -> Result<(Option<Config>, Vec<SocketAddr>), Failure> {
    let config = global.load_if_any()?.map(|(_, config)| config);
    let configured = || config.as_ref().map(|config| config.dns.servers.clone()).unwrap_or_default();
    let dns = named.map_or_else(configured, |server| vec![server]);
    Ok((config, dns))
}
