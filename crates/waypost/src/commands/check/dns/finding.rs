//! What is told of a subject.

use super::Asked;
use dns::DnsError;
use serde::Serialize;

/// What is to be said in a file on the web rather than in the DNS: the type of such a [`Publish`].
pub(super) const FILE: &str = "file";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    Pass,
    /// It works, and could be better.
    Warn,
    Fail,
}

/// What is looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject {
    pub(super) name: &'static str,
    /// Why it matters, also where all is well.
    pub(super) why: &'static str,
}

#[derive(Debug, Serialize)]
pub(super) struct Finding {
    /// The subject.
    pub(super) check: &'static str,
    pub(super) status: Status,
    /// What there is, or what is wrong with it.
    pub(super) found: String,
    /// Why it matters: of what was found where that is not good, else of the subject.
    pub(super) why: &'static str,
    /// What can be done that is more than a record to publish.
    pub(super) hints: Vec<String>,
    /// What to publish instead, or to put in a file.
    pub(super) publish: Vec<Publish>,
    /// Nothing is known, as the DNS did not answer.
    #[serde(skip)]
    pub(super) is_temporary: bool,
}

/// A record to publish.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Publish {
    /// The whole name, without a dot at its end; of a [`FILE`] its URL.
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    /// As a zone file has it.
    pub(super) value: String,
}

impl Publish {
    /// As a line of a zone file.
    pub(super) fn line(&self) -> String {
        match self.kind.as_str() {
            FILE => format!("{} {}", self.name, self.value),
            kind => format!("{}. {kind} {}", self.name, self.value),
        }
    }
}

impl Finding {
    pub(super) fn pass(subject: Subject, found: impl Into<String>) -> Self {
        Self {
            check: subject.name,
            status: Status::Pass,
            found: found.into(),
            why: subject.why,
            hints: Vec::new(),
            publish: Vec::new(),
            is_temporary: false,
        }
    }

    pub(super) fn warn(subject: Subject, found: impl Into<String>, why: &'static str) -> Self {
        Self { status: Status::Warn, why, ..Self::pass(subject, found) }
    }

    pub(super) fn fail(subject: Subject, found: impl Into<String>, why: &'static str) -> Self {
        Self { status: Status::Fail, why, ..Self::pass(subject, found) }
    }

    /// The DNS did not answer, or not as it was signed.
    pub(super) fn unknown(subject: Subject, error: &DnsError) -> Self {
        let why = "nothing is known of it; others who ask have the same trouble, and put mail off";
        Self {
            is_temporary: !matches!(error, DnsError::Bogus { .. }),
            ..Self::fail(subject, error.to_string(), why)
        }
    }

    pub(super) fn hint(mut self, words: impl Into<String>) -> Self {
        self.hints.push(words.into());
        self
    }

    pub(super) fn publish(mut self, name: impl ToString, kind: &str, value: impl Into<String>) -> Self {
        self.publish.push(Publish { name: name.to_string(), kind: kind.to_owned(), value: value.into() });
        self
    }

    /// What this installation would publish under a name, if anything; else the record that is given.
    pub(super) fn publish_own(
        self,
        asked: &Asked<'_>,
        name: &str,
        kind: &str,
        value: impl Into<String>,
    ) -> Self {
        match own(asked, name, kind) {
            Some(record) => self.publish(name, kind, record.value.clone()),
            None => self.publish(name, kind, value),
        }
    }
}

/// What this installation would publish under a name.
pub(super) fn own<'a>(asked: &Asked<'a>, name: &str, kind: &str) -> Option<&'a admin::domain::Record> {
    asked.own.iter().find(|record| record.name.eq_ignore_ascii_case(name) && kind_name(record.kind) == kind)
}

pub(super) fn kind_name(kind: admin::domain::RecordKind) -> &'static str {
    use admin::domain::RecordKind;
    match kind {
        RecordKind::Mx => "MX",
        RecordKind::Txt => "TXT",
        RecordKind::Srv => "SRV",
    }
}

/// The records, none where there are none; an error only where that is not known.
pub(super) fn or_none<T>(answer: Result<Vec<T>, DnsError>) -> Result<Vec<T>, DnsError> {
    match answer {
        Err(error) if !error.is_temporary() => Ok(Vec::new()),
        other => other,
    }
}
