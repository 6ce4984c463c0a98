//! The part for people: what happened, to whom, what the other server said, whether it is tried again, what to do.

use super::texts::{Language, Texts};
use super::{Action, Diagnostic, RecipientReport, Report, Return, Status};
use crate::header::Header;
use crate::words::decode_words;
use jiff::Zoned;

/// Columns of a line. Words longer than that stand alone.
const WIDTH: usize = 72;
/// Most recipients that are explained one by one; all of them are in the second part.
const MAX_EXPLAINED: usize = 50;
/// Most lines, and octets of a line, that are quoted from a server.
const MAX_QUOTED_LINES: usize = 20;
const MAX_QUOTED_LINE: usize = 500;

impl Report<'_> {
    /// In the sender's language, with English below.
    pub(super) fn explain(&self) -> String {
        let mut out = String::new();
        self.explain_in(self.language, &mut out);
        if self.language != Language::English {
            out.push_str("\n------------------------------ English ------------------------------\n\n");
            self.explain_in(Language::English, &mut out);
        }
        out
    }

    fn explain_in(&self, language: Language, out: &mut String) {
        let texts = language.texts();
        let gravest = self.gravest();
        paragraph(out, "", &texts.fill("greeting", &[("host", self.reporting_mta.as_str())]));
        paragraph(out, "", texts.get(&format!("intro.{gravest}")));
        self.describe_original(texts, out);
        for recipient in self.recipients.iter().take(MAX_EXPLAINED) {
            recipient.explain(texts, self.arrival, out);
        }
        if self.recipients.len() > MAX_EXPLAINED {
            let more = (self.recipients.len() - MAX_EXPLAINED).to_string();
            paragraph(out, "", &texts.fill("more", &[("number", &more)]));
        }
        let below = match (gravest, self.original.ret) {
            ("failed", Return::Full) if self.original.message.len() <= super::MAX_RETURNED => "below.full",
            _ => "below.headers",
        };
        paragraph(out, "", texts.get(below));
        paragraph(
            out,
            "",
            &texts.fill("postmaster", &[("host", self.reporting_mta.as_str()), ("id", self.queue_id)]),
        );
        // One empty line after each paragraph is one too many after the last.
        out.pop();
    }

    fn describe_original(&self, texts: &Texts, out: &mut String) {
        let header = Header::parse(self.original.message);
        let subject = header.get("Subject").map(|field| decode_words(&field.value())).unwrap_or_default();
        let subject: String = subject.trim().chars().take(200).collect();
        if !subject.is_empty() {
            out.push_str(&format!("    {} {subject}\n", texts.get("label.subject")));
        }
        if let Some(arrival) = self.arrival {
            out.push_str(&format!("    {} {}\n", texts.get("label.arrival"), moment(arrival)));
        }
        if !subject.is_empty() || self.arrival.is_some() {
            out.push('\n');
        }
    }
}

impl RecipientReport<'_> {
    fn explain(&self, texts: &Texts, arrival: Option<&Zoned>, out: &mut String) {
        out.push_str(&format!("* {}\n\n", self.recipient));
        let remote = self.remote.map(|remote| clean(remote, 255)).unwrap_or_default();
        let result = match self.action {
            Action::Delivered => "delivered",
            Action::Relayed { notifies: true } => "passed-on",
            Action::Relayed { notifies: false } => "relayed",
            Action::Expanded => "expanded",
            Action::Failed | Action::Delayed { .. } => {
                return self.explain_trouble(texts, arrival, &remote, out);
            }
        };
        let named = if remote.is_empty() { result.to_owned() } else { format!("{result}.to") };
        let name = if texts.has(&named) { &named } else { result };
        paragraph(out, "  ", &texts.fill(name, &[("host", &remote)]));
    }

    fn explain_trouble(&self, texts: &Texts, arrival: Option<&Zoned>, remote: &str, out: &mut String) {
        let code = explained(texts, self.status, matches!(self.diagnostic, Some(Diagnostic::Local(_))));
        paragraph(out, "  ", texts.get(&format!("why.{code}")));
        if let Some(diagnostic) = self.diagnostic {
            let (said, text) = match diagnostic {
                Diagnostic::Smtp(text) if remote.is_empty() => ("said.somebody", text),
                Diagnostic::Smtp(text) => ("said", text),
                Diagnostic::Local(text) => ("said.here", text),
            };
            paragraph(out, "  ", &texts.fill(said, &[("host", remote)]));
            for line in text.lines().take(MAX_QUOTED_LINES) {
                out.push_str(&format!("      {}\n", clean(line.trim(), MAX_QUOTED_LINE)));
            }
            out.push('\n');
        }
        match (self.action, arrival) {
            (Action::Delayed { until: Some(until) }, _) => {
                paragraph(out, "  ", &texts.fill("retry.until", &[("until", &moment(until))]));
            }
            (Action::Delayed { until: None }, _) => paragraph(out, "  ", texts.get("retry")),
            (_, Some(arrival)) if self.status.class() == 4 => {
                paragraph(out, "  ", &texts.fill("retry.over", &[("arrival", &moment(arrival))]));
            }
            _ => paragraph(out, "  ", texts.get("retry.none")),
        }
        // While it is still tried there is nothing to do.
        if matches!(self.action, Action::Failed) {
            paragraph(out, "  ", texts.get(&format!("do.{code}")));
        }
    }
}

/// The most precise code that the texts explain: subject and detail (found `here`, by anybody), subject, anything.
fn explained(texts: &Texts, status: Status, here: bool) -> String {
    let (subject, detail) = (status.subject(), status.detail());
    let ours = here.then(|| format!("here.x.{subject}.{detail}"));
    let candidates = [format!("x.{subject}.{detail}"), format!("x.{subject}")];
    ours.into_iter()
        .chain(candidates)
        .find(|code| texts.has(&format!("why.{code}")))
        .unwrap_or_else(|| "x".into())
}

/// `2028-01-01 10:00 +0100`, which is read alike everywhere.
fn moment(when: &Zoned) -> String {
    when.strftime("%Y-%m-%d %H:%M %z").to_string()
}

/// A server's words: no control characters, bounded. Signs that turn the direction of writing go too.
fn clean(text: &str, max: usize) -> String {
    let turns =
        |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().take(max).map(|c| if c.is_control() || turns(c) { '?' } else { c }).collect()
}

/// Wraps `text` at [`WIDTH`], with an empty line after it.
fn paragraph(out: &mut String, indent: &str, text: &str) {
    let mut column = 0;
    for word in text.split_whitespace() {
        let width = word.chars().count();
        if column > 0 && column + 1 + width > WIDTH {
            out.push('\n');
            column = 0;
        }
        out.push_str(if column == 0 { indent } else { " " });
        out.push_str(word);
        column += width + if column == 0 { indent.len() } else { 1 };
    }
    out.push_str("\n\n");
}
