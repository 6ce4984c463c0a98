//! The Author Domain (RFC 9989 §5.3.1).

use super::evaluate::Word;
use super::record::Policy;
use address::{Domain, ForwardPath, Host};
use message::{Header, parse_list};

/// Most addresses of a From field that are read: a longer list is refused, as readers show its first lines only.
pub const MAX_AUTHORS: usize = 64;

/// Why a message has no single Author Domain. Such a message is outside of DMARC, and so is the shortest way around it
/// (RFC 9989 §11.5): a receiver refuses one with several.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthorError {
    #[error("the message has no From field; RFC 5322 asks for one")]
    Missing,
    #[error("the message has {0} From fields, and readers would show different ones; send it with one")]
    SeveralFields(usize),
    #[error("the From field names no address that can be read, as in Name <user@example.org>")]
    Unreadable,
    #[error("the From field names authors of several domains ({0} and {1}); send it from one")]
    SeveralDomains(Domain, Domain),
}

impl AuthorError {
    /// The result of such a message.
    pub fn word(&self) -> Word {
        match self {
            Self::Missing => Word::None,
            Self::SeveralFields(_) | Self::Unreadable | Self::SeveralDomains(..) => Word::PermError,
        }
    }

    /// What is done with it: readers show one of several authors, and nobody knows which (RFC 9989 §11.5).
    pub fn disposition(&self) -> Policy {
        match self {
            Self::SeveralFields(_) | Self::SeveralDomains(..) => Policy::Reject,
            Self::Unreadable => Policy::Quarantine,
            Self::Missing => Policy::None,
        }
    }
}

/// The one domain that From names. Several authors of one domain are one Author Domain.
pub fn author_domain(header: &[u8]) -> Result<Domain, AuthorError> {
    let header = Header::parse(header);
    let mut fields = header.all("From");
    let field = fields.next().ok_or(AuthorError::Missing)?;
    let more = fields.count();
    if more > 0 {
        return Err(AuthorError::SeveralFields(more + 1));
    }
    let authors = parse_list(&field.value()).map_err(|_| AuthorError::Unreadable)?;
    if authors.is_empty() || authors.len() > MAX_AUTHORS {
        return Err(AuthorError::Unreadable);
    }
    let mut found: Option<Domain> = None;
    for author in authors {
        let Ok(ForwardPath::Address(address)) = author.path else { return Err(AuthorError::Unreadable) };
        let Host::Domain(domain) = address.host() else { return Err(AuthorError::Unreadable) };
        match &found {
            Some(first) if first != domain => {
                return Err(AuthorError::SeveralDomains(first.clone(), domain.clone()));
            }
            _ => found = Some(domain.clone()),
        }
    }
    found.ok_or(AuthorError::Unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(header: &str, expected: Result<&str, AuthorError>) {
        let found = author_domain(header.as_bytes());
        assert_eq!(found.as_ref().map(Domain::as_str), expected.as_ref().copied(), "{header:?}");
    }

    /// RFC 9989 §5.3.1.
    #[test]
    fn one_domain_is_the_author_domain() {
        check("From: joe@Example.ORG\r\n\r\n", Ok("example.org"));
        check("From: Joe <joe@news.example.org>\r\nTo: a@b.example\r\n\r\n", Ok("news.example.org"));
        check("From: a@example.org, B <b@example.org>\r\n\r\n", Ok("example.org"));
        check("From: joe@m\u{fc}nchen.example\r\n\r\n", Ok("xn--mnchen-3ya.example"));
        check("From: \"x@evil.example\" <joe@example.org>\r\n\r\n", Ok("example.org"));
    }

    /// RFC 9989 §11.5.
    #[test]
    fn none_or_several_are_refused() {
        check("To: joe@example.org\r\n\r\n", Err(AuthorError::Missing));
        check("From: a@example.org\r\nfrom: b@example.org\r\n\r\n", Err(AuthorError::SeveralFields(2)));
        let (one, two) = ("example.org".parse().unwrap(), "example.net".parse().unwrap());
        check("From: a@example.org, b@example.net\r\n\r\n", Err(AuthorError::SeveralDomains(one, two)));
        for unreadable in ["joe", "", "undisclosed:;", "joe@[192.0.2.1]", "Joe <joe@>"] {
            check(&format!("From: {unreadable}\r\n\r\n"), Err(AuthorError::Unreadable));
        }
    }
}
