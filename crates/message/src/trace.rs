//! Trace fields: `Received`, `Return-Path`, `Delivered-To` (RFC 5321 §4.4).
//!
//! Much of what stands in them was said by the peer. Names that are no host names become escaped comments, all is
//! bounded, and nothing can start another line.

use crate::date::rfc5322_date;
use crate::field::{Folder, NewField, comment, printable};
use crate::header::Header;
use address::{Address, Domain, Host, Literal, ReversePath};
use jiff::Zoned;
use std::net::IpAddr;

/// Longest text of a peer that is kept in a trace field, in octets (a domain's, RFC 5321 §4.5.3.1.2).
const MAX_PEER_TEXT: usize = 255;
/// Longest queue id, cipher name and the like.
const MAX_WORD: usize = 64;

/// The field above a message that was put aside: servers and filters further on know it as the mark of unwanted mail.
const PUT_ASIDE: &str = "X-Spam-Flag";

/// Says to whoever gets a message next that it was put aside here.
pub fn put_aside() -> NewField {
    NewField::new(PUT_ASIDE, "YES")
}

/// Whether the trace fields of a message, and only those, have the mark: what a sender writes below them says nothing.
pub fn was_put_aside(trace: &[u8]) -> bool {
    Header::parse(trace).contains(PUT_ASIDE)
}

/// A `Received` field to be.
#[derive(Debug, Clone)]
pub struct Received<'a> {
    /// This host.
    pub by: &'a Domain,
    pub client: Client<'a>,
    /// `None` when the message came by no mail protocol (`sendmail`, the HTTP API).
    pub with: Option<Protocol>,
    /// The queue id; characters that are not in an atom become `-`.
    pub id: &'a str,
    /// The recipient, when there is only one: with more, `for` would show who else got the message.
    pub only_recipient: Option<&'a Address>,
    pub tls: Option<Tls<'a>>,
    /// MT-PRIORITY of MAIL (RFC 6710 §4.1).
    pub priority: Option<i8>,
    pub now: &'a Zoned,
}

/// Who handed the message over.
#[derive(Debug, Clone, Copy)]
pub enum Client<'a> {
    Shown {
        /// The argument of HELO, EHLO or LHLO as the client gave it.
        helo: &'a str,
        /// The name that its address resolves to and that resolves back.
        name: Option<&'a Domain>,
        ip: IpAddr,
    },
    /// Came over a Unix socket: it has a greeting but no address.
    Socket { helo: &'a str },
    /// A local user ran a command.
    Local { user: &'a str },
    /// Authenticated, and its address is nobody's business.
    Hidden,
}

/// What the session was, for the `with` clause (RFC 3848, RFC 6531 §4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protocol {
    pub greeting: Greeting,
    pub tls: bool,
    pub authenticated: bool,
    /// MAIL had the SMTPUTF8 parameter.
    pub smtputf8: bool,
}

/// The command that opened the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Greeting {
    Helo,
    Ehlo,
    Lhlo,
}

impl Protocol {
    /// The registered keyword.
    pub fn keyword(self) -> &'static str {
        // After HELO there are no extensions; implicit TLS then has no keyword of its own.
        let lmtp = match self.greeting {
            Greeting::Helo => return "SMTP",
            Greeting::Ehlo => false,
            Greeting::Lhlo => true,
        };
        match (lmtp, self.smtputf8, self.tls, self.authenticated) {
            (false, false, false, false) => "ESMTP",
            (false, false, false, true) => "ESMTPA",
            (false, false, true, false) => "ESMTPS",
            (false, false, true, true) => "ESMTPSA",
            (false, true, false, false) => "UTF8SMTP",
            (false, true, false, true) => "UTF8SMTPA",
            (false, true, true, false) => "UTF8SMTPS",
            (false, true, true, true) => "UTF8SMTPSA",
            (true, false, false, false) => "LMTP",
            (true, false, false, true) => "LMTPA",
            (true, false, true, false) => "LMTPS",
            (true, false, true, true) => "LMTPSA",
            (true, true, false, false) => "UTF8LMTP",
            (true, true, false, true) => "UTF8LMTPA",
            (true, true, true, false) => "UTF8LMTPS",
            (true, true, true, true) => "UTF8LMTPSA",
        }
    }
}

/// The `tls` clause (RFC 8314 §4.3); the version follows as a comment.
#[derive(Debug, Clone, Copy)]
pub struct Tls<'a> {
    /// `TLSv1.3`.
    pub version: &'a str,
    /// The registered name, `TLS_AES_256_GCM_SHA384`; rustls' `TLS13_…` is understood.
    pub cipher: &'a str,
}

impl Received<'_> {
    pub fn field(&self) -> NewField {
        let mut out = Folder::new("Received");
        self.from(&mut out);
        out.clause(&["by", self.by.as_str(), "(Waypost)"]);
        if let Some(protocol) = self.with {
            out.clause(&["with", protocol.keyword()]);
        }
        out.clause(&["id", &atom(self.id)]);
        // An address in UTF-8 may stand here only in a message that is SMTPUTF8 anyway (RFC 6531 §3.7.3).
        let utf8 = self.with.is_some_and(|protocol| protocol.smtputf8);
        if let Some(address) = self.only_recipient.filter(|address| utf8 || !address.needs_smtputf8()) {
            out.clause(&["for", &format!("<{address}>")]);
        }
        if let Some(tls) = self.tls {
            out.clause(&["tls", &cipher(tls.cipher), &comment(tls.version, MAX_WORD)]);
        }
        if let Some(priority) = self.priority {
            out.clause(&["PRIORITY", &priority.to_string()]);
        }
        out.glue(";");
        out.clause(&[&rfc5322_date(self.now)]);
        out.finish()
    }

    /// `from` with what is known of the client. The grammar wants a host there (RFC 5321 §4.4), so a greeting that is
    /// none becomes a comment, and a client without an address goes by this host's name.
    fn from(&self, out: &mut Folder) {
        let greeting = |helo: &str| comment(&format!("helo={helo}"), MAX_PEER_TEXT);
        let by = self.by.as_str();
        match self.client {
            Client::Shown { helo, name, ip } => {
                let ip = Literal::from(ip).to_string();
                let known = name.map_or_else(|| format!("({ip})"), |name| format!("({name} {ip})"));
                match helo.parse::<Host>() {
                    Ok(host) => out.clause(&["from", &host.to_string(), &known]),
                    Err(_) => out.clause(&["from", &ip, &known, &greeting(helo)]),
                }
            }
            Client::Socket { helo } => match helo.parse::<Host>() {
                Ok(host) => out.clause(&["from", &host.to_string()]),
                Err(_) => out.clause(&["from", by, &greeting(helo)]),
            },
            Client::Local { user } => {
                out.clause(&["from", by, &comment(&format!("local user {user}"), MAX_PEER_TEXT)]);
            }
            Client::Hidden => out.clause(&["from", by, "(client hidden)"]),
        }
    }
}

/// `Return-Path`, added at final delivery (RFC 5321 §4.4).
pub fn return_path(path: &ReversePath) -> NewField {
    one_word("Return-Path", &path.to_string())
}

/// `Delivered-To`, added for each address a message is delivered to, to find loops.
pub fn delivered_to(address: &Address) -> NewField {
    one_word("Delivered-To", &address.to_string())
}

/// An address may hold spaces in quotes, which are no place to fold.
fn one_word(name: &str, word: &str) -> NewField {
    let mut out = Folder::new(name);
    out.word(word);
    out.finish()
}

/// RFC 5322 §3.2.3.
fn atom(text: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
    let atom: String = text.chars().take(MAX_WORD).map(|c| if fits(c) { c } else { '-' }).collect();
    if atom.is_empty() { "-".into() } else { atom }
}

/// `tls-cipher` (RFC 8314 §4.3).
fn cipher(name: &str) -> String {
    let name = printable(name, MAX_WORD).replace("TLS13_", "TLS_");
    let name: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    if name.is_empty() { "unknown".into() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::Header;
    use proptest::prelude::*;

    fn now() -> Zoned {
        let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(1));
        jiff::Timestamp::from_second(1_830_330_000).unwrap().to_zoned(zone)
    }

    const ESMTPS: Protocol =
        Protocol { greeting: Greeting::Ehlo, tls: true, authenticated: false, smtputf8: false };

    fn check(client: Client<'_>, with: Option<Protocol>, only: Option<&str>, tls: bool, expected: &str) {
        let (by, only) = ("mx.example.net".parse().unwrap(), only.map(|a| a.parse::<Address>().unwrap()));
        let tls = tls.then_some(Tls { version: "TLSv1.3", cipher: "TLS13_AES_256_GCM_SHA384" });
        let received = Received {
            by: &by,
            client,
            with,
            id: "0A1B",
            only_recipient: only.as_ref(),
            tls,
            priority: None,
            now: &now(),
        };
        assert_eq!(received.field().as_str(), expected.replace('\n', "\r\n"));
    }

    #[test]
    fn received_reads_as_rfc_5321_says() {
        let ip = "192.0.2.1".parse().unwrap();
        let name = "mail.example.org".parse().unwrap();
        check(
            Client::Shown { helo: "mail.example.org", name: Some(&name), ip },
            Some(ESMTPS),
            Some("user@example.net"),
            true,
            "Received: from mail.example.org (mail.example.org [192.0.2.1])\n\tby mx.example.net (Waypost) with ESMTPS id 0A1B for <user@example.net>\n\ttls TLS_AES_256_GCM_SHA384 (TLSv1.3); Sat, 1 Jan 2028 10:00:00 +0100\n",
        );
        check(
            Client::Shown { helo: "[IPv6:2001:db8::1]", name: None, ip: "2001:db8::1".parse().unwrap() },
            Some(Protocol { tls: false, greeting: Greeting::Helo, ..ESMTPS }),
            None,
            false,
            "Received: from [IPv6:2001:db8::1] ([IPv6:2001:db8::1])\n\tby mx.example.net (Waypost) with SMTP id 0A1B; Sat, 1 Jan 2028 10:00:00 +0100\n",
        );
    }

    #[test]
    fn what_the_peer_says_cannot_do_harm() {
        let ip = "192.0.2.1".parse().unwrap();
        check(
            Client::Shown { helo: "x) by evil\r\nBcc: (y", name: None, ip },
            Some(ESMTPS),
            None,
            false,
            "Received: from [192.0.2.1] ([192.0.2.1]) (helo=x\\) by evil??Bcc: \\(y)\n\tby mx.example.net (Waypost) with ESMTPS id 0A1B;\n\tSat, 1 Jan 2028 10:00:00 +0100\n",
        );
    }

    #[test]
    fn a_hidden_client_leaves_no_address() {
        let protocol = Protocol { authenticated: true, ..ESMTPS };
        check(
            Client::Hidden,
            Some(protocol),
            None,
            false,
            "Received: from mx.example.net (client hidden) by mx.example.net (Waypost)\n\twith ESMTPSA id 0A1B; Sat, 1 Jan 2028 10:00:00 +0100\n",
        );
        check(
            Client::Local { user: "root" },
            None,
            None,
            false,
            "Received: from mx.example.net (local user root) by mx.example.net (Waypost)\n\tid 0A1B; Sat, 1 Jan 2028 10:00:00 +0100\n",
        );
    }

    #[test]
    fn a_utf8_recipient_is_named_only_in_a_utf8_session() {
        let by = "mx.example.net".parse().unwrap();
        let address = "用户@example.net".parse().unwrap();
        for (smtputf8, keyword) in [(true, "UTF8LMTPS"), (false, "LMTPS")] {
            let with = Some(Protocol { greeting: Greeting::Lhlo, smtputf8, ..ESMTPS });
            let client = Client::Socket { helo: "a.example" };
            let received = Received {
                by: &by,
                client,
                with,
                id: "1",
                only_recipient: Some(&address),
                tls: None,
                priority: Some(-3),
                now: &now(),
            };
            let text = received.field().to_string();
            assert!(text.contains("PRIORITY -3;"), "{text}");
            assert_eq!(text.contains("用户"), smtputf8, "{text}");
            assert!(text.contains(keyword), "{text}");
        }
    }

    #[test]
    fn addresses_are_written_whole() {
        assert_eq!(return_path(&ReversePath::Null).as_str(), "Return-Path: <>\r\n");
        let address: Address = "\"a b\"@example.org".parse().unwrap();
        assert_eq!(delivered_to(&address).as_str(), "Delivered-To: \"a b\"@example.org\r\n");
        let raw = format!("{}\r\n", delivered_to(&address));
        assert!(Header::parse(raw.as_bytes()).was_delivered_to(&address));
    }

    fn without_comments(value: &str) -> String {
        let (mut depth, mut out, mut chars) = (0, String::new(), value.chars());
        while let Some(c) = chars.next() {
            match c {
                '\\' if depth > 0 => drop(chars.next()),
                '(' => depth += 1,
                ')' => depth -= 1,
                c if depth == 0 => out.push(c),
                _ => {}
            }
        }
        out.split_whitespace().collect::<Vec<_>>().join(" ").replace(" ;", ";")
    }

    proptest! {
        #[test]
        fn any_greeting_gives_one_field_of_ascii(helo in "\\PC{0,40}|[\\x00-\\x7f]{0,300}", id in ".{0,80}", cipher in ".{0,80}") {
            let by = "mx.example.net".parse().unwrap();
            let client = Client::Shown { helo: &helo, name: None, ip: "192.0.2.1".parse().unwrap() };
            let tls = Some(Tls { version: &helo, cipher: &cipher });
            let received = Received { by: &by, client, with: Some(ESMTPS), id: &id, only_recipient: None, tls, priority: None, now: &now() };
            let text = received.field().to_string();
            prop_assert!(text.is_ascii());
            prop_assert!(text.split("\r\n").all(|line| line.len() <= 998 && !line.contains(['\r', '\n', '\0'])));
            let raw = format!("{text}\r\n");
            let header = Header::parse(raw.as_bytes());
            prop_assert_eq!((header.fields().count(), header.hops()), (1, 1));
            let words = without_comments(&header.get("Received").unwrap().value());
            prop_assert!(words.starts_with("from ") && words.contains(" by mx.example.net with ESMTPS id "), "{}", words);
            prop_assert!(words.ends_with("; Sat, 1 Jan 2028 10:00:00 +0100"), "{}", words);
        }
    }
}
