//! From a [`Command`] to a line.

use super::{Auth, Command, Mail, Rcpt};
use data_encoding::BASE64;
use std::fmt;

impl Command {
    /// The line to send, with its CRLF. That of AUTH holds a secret: it is not for logs.
    pub fn encode(&self) -> Vec<u8> {
        let mut line = match self {
            Self::Hello(hello) => format!("{} {}", hello.verb.as_str(), hello.name),
            Self::Mail(mail) => mail.to_string(),
            Self::Rcpt(rcpt) => rcpt.to_string(),
            Self::Data => "DATA".to_owned(),
            Self::Bdat(bdat) => format!("BDAT {}{}", bdat.size, if bdat.last { " LAST" } else { "" }),
            Self::Rset => "RSET".to_owned(),
            Self::Noop => "NOOP".to_owned(),
            Self::Quit => "QUIT".to_owned(),
            Self::Vrfy { what, utf8 } => format!("VRFY {}{}", clean(what), smtputf8(*utf8)),
            Self::Expn { what, utf8 } => format!("EXPN {}{}", clean(what), smtputf8(*utf8)),
            Self::Help(None) => "HELP".to_owned(),
            Self::Help(Some(topic)) => format!("HELP {}", clean(topic)),
            Self::StartTls => "STARTTLS".to_owned(),
            Self::Auth(auth) => auth.line(),
            Self::Etrn(what) => format!("ETRN {}", clean(what)),
            Self::Xclient(attributes) => listed("XCLIENT", attributes),
            Self::Xforward(attributes) => listed("XFORWARD", attributes),
        };
        line.push_str("\r\n");
        line.into_bytes()
    }
}

impl Auth {
    fn line(&self) -> String {
        match &self.initial {
            None => format!("AUTH {}", clean(&self.mechanism)),
            Some(initial) if initial.reveal().is_empty() => format!("AUTH {} =", clean(&self.mechanism)),
            Some(initial) => format!("AUTH {} {}", clean(&self.mechanism), BASE64.encode(initial.reveal())),
        }
    }
}

impl fmt::Display for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MAIL FROM:{}{}", self.from, self.parameters)
    }
}

impl fmt::Display for Rcpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RCPT TO:{}{}", self.to, self.parameters)
    }
}

fn listed(verb: &str, attributes: &[super::Attribute]) -> String {
    attributes.iter().fold(verb.to_owned(), |line, attribute| format!("{line} {attribute}"))
}

fn smtputf8(utf8: bool) -> &'static str {
    if utf8 { " SMTPUTF8" } else { "" }
}

/// Free text never begins another line.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
