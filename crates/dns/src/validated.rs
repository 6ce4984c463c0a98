//! Answers that DNSSEC was asked about, and what mail needs to know of them (RFC 7672 §2.1.1).

use crate::{Answer, DnsError, MAX_ADDRESSES};
use std::fmt;
use std::net::IpAddr;

/// Records, and whether DNSSEC vouches for them.
///
/// An answer that contradicts its signatures is no answer at all, but [`DnsError::Bogus`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validated<T> {
    pub records: Vec<T>,
    /// For the records, and for every alias on the way to them.
    pub secure: bool,
    /// Where the name that was asked about is only an alias.
    pub alias: Option<Alias>,
}

/// Where aliases (CNAME) led.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// The name that has the records, without its final dot.
    pub target: String,
    /// DNSSEC vouches for the first alias, whatever it does for the rest (RFC 7672 §2.2.2, "insecure CNAME").
    pub first_secure: bool,
}

impl<T> Validated<T> {
    /// What nobody vouches for.
    pub fn insecure(records: Vec<T>) -> Self {
        Self { records, secure: false, alias: None }
    }
}

/// A TLSA record (RFC 6698 §2.1) as published: values that nobody knows are the reader's matter.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Tlsa {
    pub usage: u8,
    pub selector: u8,
    pub matching: u8,
    /// A hash, a key or a certificate.
    pub data: Vec<u8>,
}

/// As a zone file has it: `3 1 1 8cb0…`.
impl fmt::Display for Tlsa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} ", self.usage, self.selector, self.matching)?;
        self.data.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Tlsa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tlsa({self})")
    }
}

/// Joins the addresses of both families. What one of them says of the name is said of the name, so that all of it must be secure;
/// a family that fails leaves the other's answer, as in [`crate::Lookup::addresses`].
pub(crate) async fn both_families<'a>(
    v6: Answer<'a, Validated<IpAddr>>,
    v4: Answer<'a, Validated<IpAddr>>,
) -> Result<Validated<IpAddr>, DnsError> {
    match tokio::join!(v6, v4) {
        (Ok(mut v6), Ok(mut v4)) => {
            v6.records.truncate(MAX_ADDRESSES / 2);
            v4.records.truncate(MAX_ADDRESSES / 2);
            v6.records.append(&mut v4.records);
            Ok(Validated {
                secure: v6.secure && v4.secure,
                alias: v6.alias.filter(|alias| v4.alias.as_ref() == Some(alias)),
                records: v6.records,
            })
        }
        (Ok(one), Err(_)) | (Err(_), Ok(one)) => Ok(one),
        (Err(v6), Err(v4)) => Err(crate::lookup::worse(v6, v4)),
    }
}
