//! A mailbox elsewhere: where it is, and how to log in there.

use super::{Args, imap, pop3, remote};
use crate::cli::Global;
use crate::client::imap as imap_client;
use crate::exit::{Exit, Failure};
use crate::output;
use address::Secret;
use std::net::SocketAddr;

/// A server, by scheme or port: `imaps://HOST[:PORT]`, `imap://…`, `pop3s://…`, `pop3://…`, `HOST[:PORT]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Server {
    Pop3(pop3::Server),
    Imap(imap_client::Server),
}

impl std::str::FromStr for Server {
    type Err = String;

    /// Without a scheme the port says it; without either it is POP3 over TLS.
    fn from_str(text: &str) -> Result<Self, String> {
        /// With and without TLS, of a server and of `waypost dev`.
        const IMAP: [u16; 4] = [993, 143, 1993, 1143];
        if text.starts_with("imap://") || text.starts_with("imaps://") {
            return text.parse().map(Self::Imap);
        }
        if text.contains("://") {
            let server = text.parse().map(Self::Pop3);
            return server.map_err(|_| {
                format!(
                    "{text:?} is no mail server: write imaps://HOST, imap://HOST, pop3s://HOST, pop3://HOST or HOST[:PORT]"
                )
            });
        }
        match text.parse()? {
            pop3::Server { peer, .. } if IMAP.contains(&peer.port) => text.parse().map(Self::Imap),
            server => Ok(Self::Pop3(server)),
        }
    }
}

/// Who logs in, and who is asked for addresses.
pub(super) struct Login {
    pub(super) user: String,
    pub(super) password: Secret<String>,
    pub(super) dns: Vec<SocketAddr>,
}

impl Login {
    /// Asks for the password, or reads it.
    fn new(global: &Global, args: &Args) -> Result<Self, Failure> {
        let user =
            args.user.clone().ok_or_else(|| Failure::usage("say whose mail, with --user you@example.org"))?;
        // No configuration is needed; where there is one, its name servers are asked.
        let config = global.load_if_any().ok().flatten();
        let configured = config.map(|(_, config)| config.dns.servers).unwrap_or_default();
        let dns = args.dns.map_or(configured, |named| vec![named]);
        let password = output::password(&format!("password of {user}"), args.password_stdin)?;
        Ok(Self { user, password, dns })
    }
}

pub(super) fn run(global: &Global, args: Args, server: &Server) -> Result<Exit, Failure> {
    if let super::Verb::Undelete { .. } = args.verb {
        return Err(Failure::usage("undelete is for the mailboxes of this machine: leave --server out"));
    }
    if let Server::Pop3(_) = server {
        remote::check_folder(args.one_folder())?;
    }
    let login = Login::new(global, &args)?;
    match server {
        Server::Pop3(server) => remote::run(args, server, login),
        Server::Imap(server) => imap::run(args, server, login),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_or_the_port_says_the_protocol() {
        for (text, imap, place) in [
            ("imaps://mail.example.org", true, "mail.example.org:993"),
            ("imap://mail.example.org", true, "mail.example.org:143"),
            ("mail.example.org:993", true, "mail.example.org:993"),
            ("127.0.0.1:1143", true, "127.0.0.1:1143"),
            ("pop3s://mail.example.org", false, "mail.example.org:995"),
            ("pop3://mail.example.org", false, "mail.example.org:110"),
            ("mail.example.org", false, "mail.example.org:995"),
            ("127.0.0.1:1110", false, "127.0.0.1:1110"),
        ] {
            let found = match text.parse().unwrap() {
                Server::Imap(server) => (true, server.peer.to_string()),
                Server::Pop3(server) => (false, server.peer.to_string()),
            };
            assert_eq!(found, (imap, place.to_owned()), "{text}");
        }
        for text in ["http://x.example", "", "imaps://", "x:0"] {
            assert!(text.parse::<Server>().is_err(), "{text}");
        }
    }
}
