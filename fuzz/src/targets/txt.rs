//! TXT records: those that ask for TLS reports, as domains publish them, and any text, as we print it for a zone file.

use address::{Address, Domain};
use mailauth::dmarc::MAX_URIS;
use mailauth::report::tls::{Destination, HttpsUri, destinations};
use mailauth::{Dns, Found, LookupError, MAX_TXT_STRING, Mx, txt_strings, zone_text};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub fn run(data: &[u8]) {
    let Ok(domain) = "example.org".parse::<Domain>() else { unreachable!("the constant is a domain") };
    // Each line is a record.
    let lines = Lines(data.split(|octet| *octet == b'\n').map(<[u8]>::to_vec).collect());
    let places = super::spf::ready(destinations(&lines, &domain)).unwrap_or_default();
    assert!(places.len() <= MAX_URIS);
    for place in places {
        match place {
            Destination::Mail(address) => {
                assert_eq!(address.to_string().parse::<Address>().as_ref(), Ok(&address))
            }
            Destination::Https(uri) => {
                let target = uri.target();
                assert!(
                    target.starts_with('/') && target.bytes().all(|octet| octet.is_ascii_graphic()),
                    "{uri}"
                );
                assert_eq!(HttpsUri::parse(&uri.to_string()).as_ref(), Some(&uri));
            }
        }
    }
    if let Ok(text) = std::str::from_utf8(data) {
        let strings = txt_strings(text);
        assert!(strings.iter().all(|string| string.len() <= MAX_TXT_STRING));
        assert_eq!(strings.concat(), text);
        assert_eq!(of_zone(&zone_text(text)).as_deref(), Some(text));
    }
}

/// What a name server reads of quoted strings in a zone file (RFC 1035 §5.1): their texts, one after the other.
fn of_zone(written: &str) -> Option<String> {
    let (mut text, mut chars) = (String::new(), written.chars());
    loop {
        if chars.next()? != '"' {
            return None;
        }
        loop {
            match chars.next()? {
                '"' => break,
                '\\' => text.push(chars.next()?),
                c => text.push(c),
            }
        }
        match chars.next() {
            None => return Some(text),
            Some(' ') => {}
            Some(_) => return None,
        }
    }
}

/// A DNS that has TXT records and nothing else.
struct Lines(Vec<Vec<u8>>);

impl Dns for Lines {
    async fn txt(&self, _: &str) -> Found<Vec<u8>> {
        Ok(self.0.clone())
    }

    async fn a(&self, _: &str) -> Found<Ipv4Addr> {
        Err(LookupError::NoRecord)
    }

    async fn aaaa(&self, _: &str) -> Found<Ipv6Addr> {
        Err(LookupError::NoRecord)
    }

    async fn mx(&self, _: &str) -> Found<Mx> {
        Err(LookupError::NoRecord)
    }

    async fn ptr(&self, _: IpAddr) -> Found<String> {
        Err(LookupError::NoRecord)
    }
}
