//! The part for programs: message/delivery-status (RFC 3464 §2) or message/global-delivery-status (RFC 6533 §4.1).

use super::{Action, Diagnostic, RecipientReport, Report};
use crate::date::rfc5322_date;
use crate::field::{Folder, printable};
use address::Address;

/// Longest value of a peer or a sender, in octets: a long reply keeps its beginning.
const MAX_VALUE: usize = 2000;
/// Longest ORCPT (RFC 3461 §5.4).
const MAX_ADDRESS: usize = 500;
/// Longest value that is not folded, so that its line has at most 998 octets (RFC 5322 §2.1.1).
const MAX_EXACT: usize = 960;

impl Report<'_> {
    /// All groups of fields. ASCII unless an address is not.
    pub(super) fn fields(&self) -> String {
        let mut out = String::new();
        if let Some(id) = self.envelope_id {
            exact(&mut out, "Original-Envelope-Id", &printable(id, MAX_VALUE));
        }
        field(&mut out, "Reporting-MTA", &format!("dns; {}", self.reporting_mta));
        if let Some(arrival) = self.arrival {
            field(&mut out, "Arrival-Date", &rfc5322_date(arrival));
        }
        if let Some(time) = self.deliver_by {
            field(&mut out, "Deliver-By-Date", &rfc5322_date(time));
        }
        if let Some(release) = self.release {
            field(&mut out, "Future-Release-Request", release);
        }
        if !self.queue_id.is_empty() {
            field(&mut out, "X-Waypost-Queue-Id", &printable(self.queue_id, MAX_VALUE));
        }
        let global = self.recipients.iter().any(|r| r.recipient.needs_smtputf8());
        for recipient in self.recipients {
            out.push_str("\r\n");
            recipient.fields(global, &mut out);
        }
        out
    }
}

impl RecipientReport<'_> {
    fn fields(&self, global: bool, out: &mut String) {
        if let Some(original) = self.original_recipient {
            exact(out, "Original-Recipient", &original_recipient(original, global));
        }
        exact(out, "Final-Recipient", &typed(self.recipient));
        let action = match self.action {
            Action::Failed => "failed",
            Action::Delayed { .. } => "delayed",
            Action::Delivered => "delivered",
            Action::Relayed { .. } => "relayed",
            Action::Expanded => "expanded",
        };
        field(out, "Action", action);
        field(out, "Status", &self.status.to_string());
        if let Some(remote) = self.remote {
            field(out, "Remote-MTA", &format!("dns; {}", printable(remote, MAX_VALUE)));
        }
        match self.diagnostic {
            Some(Diagnostic::Smtp(text)) => {
                field(out, "Diagnostic-Code", &format!("smtp; {}", one_line(text)))
            }
            Some(Diagnostic::Local(text)) => {
                field(out, "Diagnostic-Code", &format!("x-waypost; {}", one_line(text)))
            }
            None => {}
        }
        if let Some(when) = self.last_attempt {
            field(out, "Last-Attempt-Date", &rfc5322_date(when));
        }
        if let Action::Delayed { until: Some(until) } = self.action {
            field(out, "Will-Retry-Until", &rfc5322_date(until));
        }
    }
}

/// The address with its type (RFC 6533 §3).
fn typed(address: &Address) -> String {
    let kind = if address.needs_smtputf8() { "utf-8" } else { "rfc822" };
    format!("{kind}; {address}")
}

/// ORCPT is the sender's text: `type;address`.
fn original_recipient(text: &str, global: bool) -> String {
    let (kind, address) = text.split_once(';').unwrap_or(("unknown", text));
    let kind: String =
        kind.trim().chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(64).collect();
    let address = address.trim();
    let clean: String =
        address.chars().map(|c| if c.is_control() { '?' } else { c }).take(MAX_ADDRESS).collect();
    if global || (clean.is_ascii() && !kind.eq_ignore_ascii_case("utf-8")) {
        return format!("{kind}; {clean}");
    }
    // The 7-bit form (RFC 6533 §3, utf-8-addr-xtext).
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '\\' | '+' | '=');
    let unitext = |c: char| if plain(c) { c.to_string() } else { format!("\\x{{{:X}}}", u32::from(c)) };
    format!("{kind}; {}", clean.chars().map(unitext).collect::<String>())
}

/// A reply's lines as one; always ASCII (RFC 6533 §4.1 allows no more in Diagnostic-Code).
fn one_line(text: &str) -> String {
    let joined: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    printable(&joined.join(" "), MAX_VALUE)
}

/// A field whose every space counts (RFC 3464 §2.2.1, §2.3.2). Envelope ids and addresses are short enough for one line.
fn exact(out: &mut String, name: &str, value: &str) {
    let value: String = value.chars().take(MAX_EXACT).collect();
    out.push_str(&format!("{name}: {value}\r\n"));
}

fn field(out: &mut String, name: &str, value: &str) {
    let mut folder = Folder::new(name);
    value.split(' ').filter(|word| !word.is_empty()).for_each(|word| folder.word(word));
    out.push_str(folder.finish().as_str());
}
