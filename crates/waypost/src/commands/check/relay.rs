//! `waypost check relay`: does a server pass on mail between strangers, by any of the known ways of asking?
//!
//! Each way is one MAIL and one RCPT, of a sender and for a recipient who are no business of the server. No message
//! is sent: RCPT's reply is the answer (RFC 5321 §3.6.2 refuses relaying there).

use crate::client::{Client, Error, Here, Place, Settings, Transcript};
use crate::config::Peer;
use crate::exit::{Exit, Failure};
use crate::output::{self, Tone};
use address::{Domain, Host, Literal};
use serde::Serialize;
use smtp::Reply;

/// Reserved for examples: nobody's mail, whatever becomes of it.
const SENDER: &str = "waypost-check@example.net";
/// See [`SENDER`]: the recipient, in its two halves.
const USER: &str = "waypost-check";
const FOREIGN: &str = "example.com";

/// A way of asking. In the paths `{own}` is the server's own domain, `{ip}` its address literal, `{sender}` a
/// foreign sender, `{user}` and `{foreign}` the halves of a foreign recipient.
struct Form {
    name: &'static str,
    from: &'static str,
    /// What follows `RCPT TO:`.
    to: &'static str,
}

const fn form(name: &'static str, from: &'static str, to: &'static str) -> Form {
    Form { name, from, to }
}

const FORMS: [Form; 37] = [
    form("plain", "{sender}", "<{user}@{foreign}>"),
    form("null sender", "", "<{user}@{foreign}>"),
    form("sender of the server's domain", "postmaster@{own}", "<{user}@{foreign}>"),
    form("sender at the server's address", "postmaster@{ip}", "<{user}@{foreign}>"),
    form("sender at localhost", "postmaster@localhost", "<{user}@{foreign}>"),
    form("sender without a domain", "postmaster", "<{user}@{foreign}>"),
    form("percent hack", "{sender}", "<{user}%{foreign}@{own}>"),
    form("percent hack, address literal", "{sender}", "<{user}%{foreign}@{ip}>"),
    form("percent hack, own sender", "postmaster@{own}", "<{user}%{foreign}@{own}>"),
    form("percent hack, twice", "{sender}", "<{user}%{foreign}%{own}@{own}>"),
    form("percent hack, quoted", "{sender}", "<\"{user}%{foreign}\"@{own}>"),
    form("percent hack without a domain", "{sender}", "<{user}%{foreign}>"),
    form("quoted local part with @", "{sender}", "<\"{user}@{foreign}\"@{own}>"),
    form("quoted local part with @, address literal", "{sender}", "<\"{user}@{foreign}\"@{ip}>"),
    form("quoted address without a domain", "{sender}", "<\"{user}@{foreign}\">"),
    form("two @", "{sender}", "<{user}@{foreign}@{own}>"),
    form("two @, address literal", "{sender}", "<{user}@{foreign}@{ip}>"),
    form("two @, own domain first", "{sender}", "<{user}@{own}@{foreign}>"),
    form("escaped @", "{sender}", "<{user}\\@{foreign}@{own}>"),
    form("source route", "{sender}", "<@{own}:{user}@{foreign}>"),
    form("source route, address literal", "{sender}", "<@{ip}:{user}@{foreign}>"),
    form("source route, two hops", "{sender}", "<@{own},@{foreign}:{user}@{foreign}>"),
    form("bang path", "{sender}", "<{foreign}!{user}>"),
    form("bang path at the server", "{sender}", "<{foreign}!{user}@{own}>"),
    form("bang path at its address", "{sender}", "<{foreign}!{user}@{ip}>"),
    form("bang path and percent hack", "{sender}", "<{foreign}!{user}%{foreign}@{own}>"),
    form("foreign address literal", "{sender}", "<{user}@[192.0.2.1]>"),
    form("trailing dot", "{sender}", "<{user}@{foreign}.>"),
    form("without angle brackets", "{sender}", "{user}@{foreign}"),
    form("two angle brackets", "{sender}", "<<{user}@{foreign}>>"),
    form("sender made up in the server's domain", "{user}@{own}", "<{user}@{foreign}>"),
    form("SRS address, made up", "{sender}", "<SRS0=AAAA=AA={foreign}={user}@{own}>"),
    form("SRS address, made up, as a bounce", "", "<SRS0=AAAA=AA={foreign}={user}@{own}>"),
    form("SRS address, another separator", "", "<SRS0+AAAA=AA={foreign}={user}@{own}>"),
    form("SRS address, forwarded twice", "", "<SRS1=AAAA={foreign}==BBBB=AA={foreign}={user}@{own}>"),
    form("SRS address at the server's address", "", "<SRS0=AAAA=AA={foreign}={user}@{ip}>"),
    form("wide letters in the domain", "{sender}", "<{user}@ｅｘａｍｐｌｅ.com>"),
];

/// The end of `--help`: an example, and every form.
pub(super) fn help() -> String {
    let mut text = String::from(
        "\
Exit status: 0 when none was taken, 1 when one was, 75 when the server says \"not now\".
What is taken need not arrive: a server may take everything for its own domains (as `waypost dev` does), and one
that trusts this machine relays for it by right. No message is sent.

Forms that are tried:
",
    );
    for (number, form) in FORMS.iter().enumerate() {
        text.push_str(&format!("  {:2}  {:43} RCPT TO:{}\n", number + 1, form.name, form.to));
    }
    text.push_str("\nExample:\n  waypost check relay mx.example.org:25");
    text
}

/// What came of one form.
#[derive(Debug, Serialize)]
struct Tried {
    form: &'static str,
    from: String,
    to: String,
    taken: bool,
    code: Option<u16>,
    /// The server's words, to RCPT or before.
    reply: String,
}

#[derive(Debug, Serialize)]
struct Report {
    server: String,
    /// Whether none was taken.
    ok: bool,
    forms: Vec<Tried>,
}

pub(super) fn run(
    server: &Peer,
    here: &Here,
    dns: Vec<std::net::SocketAddr>,
    json: bool,
) -> Result<Exit, Failure> {
    let settings = Settings { dns, ..Settings::new(Place::Tcp(server.clone()), here.helo(None)) };
    let forms = crate::client::block_on(try_all(&settings, server))?;
    let taken = forms.iter().filter(|tried| tried.taken).count();
    // A server that puts off a plain stranger has not said what it would do.
    let undecided = forms.first().is_none_or(|plain| plain.code.is_none_or(|code| code < 500));
    let report = Report { server: server.to_string(), ok: taken == 0, forms };
    if json {
        output::json(&report)?;
    } else {
        print(&report, taken, undecided)?;
    }
    Ok(match (taken, undecided) {
        (0, true) => Exit::TryAgain,
        (0, false) => Exit::Done,
        _ => Exit::No,
    })
}

fn print(report: &Report, taken: usize, undecided: bool) -> Result<(), Failure> {
    for tried in &report.forms {
        let (word, tone) = match (tried.taken, tried.code) {
            (true, _) => ("TAKEN  ", Tone::Bad),
            (false, Some(500..)) => ("refused", Tone::Good),
            (false, _) => ("not now", Tone::Warning),
        };
        let text = format!("{:43} {} -> {}: {}", tried.form, tried.from, tried.to, tried.reply);
        output::line(&format!("{} {}", output::tinted(word, tone), output::printable(&text)))?;
    }
    let verdict = match taken {
        0 if undecided => "took nothing, but puts strangers off: try again later".to_owned(),
        0 => "does not relay for this machine".to_owned(),
        count => format!("took {count} of {} forms: see `waypost check relay --help`", report.forms.len()),
    };
    output::line(&format!("{} {verdict}", report.server))
}

/// What stands for the server itself in the paths.
struct Own {
    domain: String,
    literal: String,
}

async fn try_all(settings: &Settings, server: &Peer) -> Result<Vec<Tried>, Failure> {
    let (mut client, own) = open(settings, server).await?;
    let mut tried = Vec::with_capacity(FORMS.len());
    for form in &FORMS {
        let (from, to) = (own.fill(form.from), own.fill(form.to));
        let mut answer = client.ask(&from, &to).await;
        // The server has had enough of us, or closed: a fresh session, once.
        if !matches!(&answer, Ok(reply) if reply.code() != 421) {
            client = open(settings, server).await?.0;
            answer = client.ask(&from, &to).await;
        }
        let (taken, code, reply) = match answer {
            Ok(reply) => (reply.is_positive(), Some(reply.code()), reply.to_string()),
            Err(error) => (false, None, error.to_string()),
        };
        tried.push(Tried { form: form.name, from: format!("<{from}>"), to, taken, code, reply });
    }
    client.0.quit().await;
    Ok(tried)
}

struct Asking(Client);

async fn open(settings: &Settings, server: &Peer) -> Result<(Asking, Own), Failure> {
    let client = settings.open(&Transcript::silent()).await?;
    let literal =
        client.peer().ip().map_or_else(|| "[127.0.0.1]".to_owned(), |ip| Literal::from(ip).to_string());
    // By the name it was called with, else by the one it gives itself (RFC 5321 §4.1.1.1).
    let named = match &server.host {
        Host::Domain(domain) => Some(domain.clone()),
        Host::Literal(_) => {
            let hello = client.hello().and_then(|hello| hello.lines().first());
            let first = hello.and_then(|line| line.split(' ').next());
            first.and_then(|name| Domain::parse(name).ok())
        }
    };
    let domain = named.map_or_else(|| literal.clone(), |domain| domain.to_string());
    Ok((Asking(client), Own { domain, literal }))
}

impl Own {
    fn fill(&self, path: &str) -> String {
        path.replace("{sender}", SENDER)
            .replace("{user}", USER)
            .replace("{foreign}", FOREIGN)
            .replace("{own}", &self.domain)
            .replace("{ip}", &self.literal)
    }
}

impl Asking {
    /// One transaction, up to RCPT: the reply that decided it.
    async fn ask(&mut self, from: &str, to: &str) -> Result<Reply, Error> {
        let reply = self.say(&format!("MAIL FROM:<{from}>")).await?;
        if !reply.is_positive() {
            return Ok(reply);
        }
        let reply = self.say(&format!("RCPT TO:{to}")).await?;
        if reply.code() != 421 {
            self.say("RSET").await?;
        }
        Ok(reply)
    }

    async fn say(&mut self, line: &str) -> Result<Reply, Error> {
        self.0.raw_line(line)?;
        Ok(self.0.next_reply().await?)
    }
}
