//! `waypost dev`: everything on loopback, for people who develop against a mail server.

use crate::config::{Config, Endpoint, Listener, LogLevel, Service};
use crate::exit::{Exit, Failure};
use crate::server::{self, Setup};
use std::net::Ipv4Addr;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Ports, each plus the offset: SMTP 1025, submission 1587 and 1465, IMAP 1143 and 1993, POP3 1110 and 1995, HTTP 8025.
Mailbox: dev@localhost, password: dev.

Examples:
  waypost dev
  waypost dev --dir /tmp/mail --port-offset 10000";

/// Run everything on loopback, on high ports, and capture every message
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Keep the data here [default: a temporary folder]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Add this to every port
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u16).range(..=51_345))]
    pub port_offset: u16,
}

/// What listens, before the offset (DESIGN.md, the command line).
const PORTS: [(Service, u16); 8] = [
    (Service::Smtp, 1025),
    (Service::Submission, 1587),
    (Service::Submissions, 1465),
    (Service::Imap, 1143),
    (Service::Imaps, 1993),
    (Service::Pop3, 1110),
    (Service::Pop3s, 1995),
    (Service::Http, 8025),
];

/// Runs until Ctrl-C.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let temporary = match &args.dir {
        Some(_) => None,
        None => Some(temporary_folder(args.port_offset)?),
    };
    let data = args.dir.clone().or_else(|| temporary.clone()).unwrap_or_default();
    let data = std::path::absolute(data)?;
    let result =
        server::run(Setup { config: config(data, args.port_offset)?, file: None, dev: true }, welcome);
    if let Some(folder) = temporary {
        // What was captured was for this run alone.
        let _ = std::fs::remove_dir_all(folder);
    }
    result
}

/// A folder of this process and these ports; a killed one's is used again, after it is emptied.
fn temporary_folder(offset: u16) -> Result<PathBuf, Failure> {
    let user = rustix::process::geteuid().as_raw();
    let folder = std::env::temp_dir().join(format!("waypost-dev-{user}-{}", 8025 + u32::from(offset)));
    let busy = std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, 1025 + offset)).is_ok();
    if busy {
        let port = 1025 + offset;
        return Err(Failure::no(format!(
            "port {port} is in use, perhaps by another `waypost dev`; try --port-offset 100"
        )));
    }
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    Ok(folder)
}

fn config(data: PathBuf, offset: u16) -> Result<Config, Failure> {
    let hostname = "localhost".parse().map_err(|e| Failure::no(format!("localhost: {e}")))?;
    let mut config = Config::new(hostname);
    config.data = data;
    let listener = |(service, port): (Service, u16)| Listener {
        service,
        endpoint: Endpoint::Tcp((Ipv4Addr::LOCALHOST, port + offset).into()),
        proxy_from: Vec::new(),
        xclient_from: Vec::new(),
        tls: true,
    };
    config.listen = PORTS.into_iter().map(listener).collect();
    config.submission.check_sender = false;
    config.submission.hide_client_address = false;
    config.limits.auth_failures = None;
    // One machine's programs; what the system allows without asking is enough for them.
    config.limits.connections = 500;
    config.limits.connections_per_address = None;
    config.limits.messages_per_session = None;
    config.log.level = LogLevel::Warn;
    Ok(config)
}

/// What a newcomer wants to know first.
fn welcome(setup: &Setup) {
    let port = |service: Service| {
        let found = setup.config.listen.iter().find(|listener| listener.service == service);
        match found.map(|listener| &listener.endpoint) {
            Some(Endpoint::Tcp(address)) => address.port(),
            _ => 0,
        }
    };
    eprintln!(
        "Waypost dev: every message is captured, nothing leaves this machine.\n\n  \
         Page        http://127.0.0.1:{}/\n  \
         SMTP        127.0.0.1:{}\n  \
         Submission  127.0.0.1:{} (STARTTLS), {} (TLS)\n  \
         IMAP        127.0.0.1:{}, {} (TLS)\n  \
         POP3        127.0.0.1:{}, {} (TLS)\n  \
         Mailbox     dev@localhost, password dev\n\n  \
         Try: waypost send --to you@example.org --subject Hello --body 'It works.'\n  \
         Stop with Ctrl-C.\n",
        port(Service::Http),
        port(Service::Smtp),
        port(Service::Submission),
        port(Service::Submissions),
        port(Service::Imap),
        port(Service::Imaps),
        port(Service::Pop3),
        port(Service::Pop3s),
    );
}
