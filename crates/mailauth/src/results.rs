//! Authentication-Results: what was found of a message's origin, said in a header field to whoever reads it
//! further on (RFC 8601), and in ARC sets (RFC 8617 §4.1.1).
//!
//! [`AuthResults`] is the field's contents: made and written by us, or read from a peer's. A peer's words are only
//! worth something when the peer is trusted: fields that claim to be ours are removed on arrival (RFC 8601 §5).

mod method;
mod parse;
mod write;

#[cfg(test)]
mod tests;

pub use method::{SpfIdentity, arc, auth, dkim, dmarc, iprev, spf};
pub use parse::{MAX_COMMENT_DEPTH, MAX_PROPERTIES, MAX_RESULTS, ParseError};
pub use write::MAX_VALUE;

pub(crate) use parse::instance;

use crate::arc::ChainStatus;
use crate::header::Header;

/// The property of a DMARC result that names what vouched for the author. It is our own (RFC 8601 §2.3: `policy`), and
/// whoever does not know it passes it over.
const ALIGNED: (&str, &str) = ("policy", "aligned");

/// The contents of an Authentication-Results field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthResults {
    /// Who says it (RFC 8601 §2.5): for us, the name of the server.
    pub authserv_id: String,
    /// None at all is written as `none` (RFC 8601 §2.2).
    pub results: Vec<MethodResult>,
}

/// What one method found, `method=result`, why, and what it looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MethodResult {
    /// `spf`, `dkim`, …, in lower case.
    pub method: String,
    /// `pass`, `fail`, …, in lower case.
    pub result: String,
    /// Why, for people.
    pub reason: Option<String>,
    pub properties: Vec<Property>,
}

/// `ptype.property=value`, as `smtp.mailfrom=joe@example.org`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Property {
    /// `smtp`, `header`, `body` or `policy` (RFC 8601 §2.3), in lower case.
    pub ptype: String,
    /// In lower case.
    pub name: String,
    /// Without the quotes that it may need in a field.
    pub value: String,
}

impl AuthResults {
    /// Results of this server; none so far.
    pub fn new(authserv_id: impl Into<String>) -> Self {
        Self { authserv_id: authserv_id.into(), results: Vec::new() }
    }

    pub fn push(&mut self, result: MethodResult) {
        self.results.push(result);
    }

    /// All that the fields of one server say in a header, gathered into one, as an ARC set must have it (RFC 8617
    /// §4.1.1); no results if it has no field. Fields that cannot be read are passed over.
    ///
    /// It is for the server's own fields, and only worth something where those of others that claim to be its own were
    /// removed on arrival (RFC 8601 §5).
    pub fn of_server(header: &[u8], authserv_id: &str) -> Self {
        let header = Header::parse(header);
        let mut gathered = Self::new(authserv_id);
        for place in header.places(b"authentication-results") {
            let value = header.fields().get(*place).and_then(|field| std::str::from_utf8(field.value()).ok());
            let read = value.and_then(|value| Self::parse(value).ok());
            if let Some(read) = read.filter(|read| read.authserv_id.eq_ignore_ascii_case(authserv_id)) {
                gathered.results.extend(read.results);
            }
        }
        gathered.results.truncate(MAX_RESULTS);
        gathered
    }

    /// Removes the fields of a message that are of another version than ours, 1: who reads on could take them for something that
    /// nobody here has looked at (RFC 8601 §5).
    pub fn remove_other_versions(edit: &mut message::Edit<'_>) {
        edit.remove_if(|field| {
            field.is("Authentication-Results") && parse::is_of_other_version(&field.value())
        });
    }

    /// Removes the fields of a message that claim to be of this server (RFC 8601 §5): nobody before us may speak in our name.
    /// One whose server cannot be read goes too, as others may read it otherwise.
    pub fn remove_claims(edit: &mut message::Edit<'_>, authserv_id: &str) {
        edit.remove_if(|field| {
            let claims = |id: String| id.eq_ignore_ascii_case(authserv_id);
            field.is("Authentication-Results") && parse::authserv_id(&field.value()).is_none_or(claims)
        });
    }

    /// What these results say of the ARC chain, if they say it.
    pub fn chain_status(&self) -> Option<ChainStatus> {
        self.of("arc").find_map(|result| ChainStatus::parse(&result.result))
    }

    /// The results of one method, in their order.
    pub fn of<'a>(&'a self, method: &'a str) -> impl Iterator<Item = &'a MethodResult> {
        self.results.iter().filter(move |result| result.method == method)
    }
}

impl MethodResult {
    pub fn new(method: &str, result: &str) -> Self {
        Self {
            method: method.to_ascii_lowercase(),
            result: result.to_ascii_lowercase(),
            reason: None,
            properties: Vec::new(),
        }
    }

    #[must_use]
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    #[must_use]
    pub fn with(mut self, ptype: &str, name: &str, value: impl Into<String>) -> Self {
        let (ptype, name) = (ptype.to_ascii_lowercase(), name.to_ascii_lowercase());
        self.properties.push(Property { ptype, name, value: value.into() });
        self
    }

    /// Of a DMARC result: notes that this mechanism (`spf` or `dkim`) vouched for the author, in `policy.aligned`. Who
    /// forwards the message needs to know: only a signature vouches from elsewhere too.
    #[must_use]
    pub fn aligned_by(self, mechanism: &str) -> Self {
        self.with(ALIGNED.0, ALIGNED.1, mechanism)
    }

    /// What [`aligned_by`](Self::aligned_by) noted.
    pub fn is_aligned_by(&self, mechanism: &str) -> bool {
        self.properties.iter().any(|p| (&*p.ptype, &*p.name) == ALIGNED && p.value == mechanism)
    }

    /// The value of the first such property.
    pub fn property(&self, ptype: &str, name: &str) -> Option<&str> {
        self.properties.iter().find(|p| p.ptype == ptype && p.name == name).map(|p| p.value.as_str())
    }
}
