//! The domains that links in a message lead to, for lists of them.
//!
//! Only the text of parts is looked at, decoded from its transfer encoding; attributes of HTML are text like any other,
//! so that a link counts whether it is shown or not. Names that lists cannot have (addresses, names of one label) are
//! left out.

use crate::codec::Encoding;
use crate::header::Header;
use crate::structure::{Part, Sink, Walker};
use crate::transfer::Decoder;
use address::Domain;
use memchr::memmem;
use std::net::Ipv4Addr;

/// Most text that is looked at, in octets: links are near the top, or the message is not about them.
pub const MAX_TEXT: usize = 256 * 1024;
/// Most domains that are found.
pub const MAX_LINKS: usize = 64;
/// Longest authority of a link that is read: a user, a domain and a port.
const MAX_AUTHORITY: usize = 512;

/// Finds the domains in a message that comes in pieces of any size.
///
/// ```
/// let mut links = message::links::Links::new();
/// links.feed(b"Content-Type: text/html\r\n\r\n<a href=\"https://user@www.Example.org:8443/x\">click</a>\r\n");
/// assert_eq!(links.finish(), ["www.example.org".parse().unwrap()]);
/// ```
#[derive(Debug, Default)]
pub struct Links(Walker<Reader>);

impl Links {
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next octets, the header first.
    pub fn feed(&mut self, octets: &[u8]) {
        self.0.feed(octets);
    }

    /// Each domain once, in the order of the text; at most [`MAX_LINKS`].
    pub fn finish(self) -> Vec<Domain> {
        self.0.finish().1.found
    }
}

#[derive(Debug, Default)]
struct Reader {
    found: Vec<Domain>,
    /// Octets looked at.
    read: usize,
    /// Of the part that is being read, if it is text.
    decoder: Option<Decoder>,
    content: Vec<u8>,
}

impl Sink for Reader {
    fn begin(&mut self, part: &Part, _header: &Header<'_>) {
        let text = part.media_type == "text" && self.read < MAX_TEXT && self.found.len() < MAX_LINKS;
        self.decoder = text.then(|| Decoder::of(Encoding::named(&part.encoding))).flatten();
    }

    fn octets(&mut self, octets: &[u8]) {
        let Some(decoder) = &mut self.decoder else { return };
        if self.content.len() < MAX_TEXT {
            decoder.feed(octets, &mut self.content);
        }
    }

    fn end(&mut self) {
        let Some(decoder) = self.decoder.take() else { return };
        decoder.finish(&mut self.content);
        self.content.truncate(MAX_TEXT.saturating_sub(self.read));
        self.read += self.content.len();
        let content = std::mem::take(&mut self.content);
        for domain in domains(&content) {
            if self.found.len() >= MAX_LINKS {
                break;
            }
            if !self.found.contains(&domain) {
                self.found.push(domain);
            }
        }
    }

    fn discard(&mut self) {
        self.decoder = None;
        self.content.clear();
    }
}

/// What follows `://`, and words that begin with `www.`: mail programs make links of both.
fn domains(text: &[u8]) -> impl Iterator<Item = Domain> {
    let with_scheme = memmem::find_iter(text, b"://").map(|at| at + 3);
    let without = memmem::find_iter(text, b"www.").filter(|at| {
        let before = at.checked_sub(1).and_then(|before| text.get(before));
        before.is_none_or(|byte| !byte.is_ascii_alphanumeric() && !b"/.@-_".contains(byte))
    });
    let mut places: Vec<usize> = with_scheme.chain(without).collect();
    places.sort_unstable();
    places.into_iter().filter_map(|at| domain(&text[at..]))
}

fn domain(text: &[u8]) -> Option<Domain> {
    let text = &text[..text.len().min(MAX_AUTHORITY)];
    let ends =
        |byte: &u8| !byte.is_ascii_graphic() && byte.is_ascii() || br#"/?#"'<>()[]{},;\|"#.contains(byte);
    let authority = &text[..text.iter().position(ends).unwrap_or(text.len())];
    let host = authority.rsplit(|byte| *byte == b'@').next()?;
    let host = host.split(|byte| *byte == b':').next()?;
    let host = std::str::from_utf8(host).ok()?.trim_end_matches(['.', '!', '*', '_', '=']);
    let domain = Domain::parse(host).ok()?;
    let is_name = domain.labels().count() > 1 && domain.as_str().parse::<Ipv4Addr>().is_err();
    is_name.then_some(domain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(message: &[u8], piece: usize) -> Vec<String> {
        let mut links = Links::new();
        message.chunks(piece).for_each(|piece| links.feed(piece));
        links.finish().iter().map(ToString::to_string).collect()
    }

    fn check(message: &str, expected: &[&str]) {
        for piece in [1, 7, message.len()] {
            assert_eq!(found(message.as_bytes(), piece), expected, "{message:?}");
        }
    }

    #[test]
    fn links_are_found_in_text_and_html() {
        check("Subject: x\r\n\r\nSee http://example.org/a and https://EXAMPLE.org?b.\r\n", &["example.org"]);
        check(
            "\r\n(www.example.org) xwww.example.net http://www.example.com.\r\n",
            &["www.example.org", "www.example.com"],
        );
        check(
            "\r\nhttps://good.example@bad.example:80/ http://192.0.2.1/ http://localhost/ http://[::1]/\r\n",
            &["bad.example"],
        );
        check("\r\nhttps://b\u{fc}cher.example/\r\n", &["xn--bcher-kva.example"]);
        let html = "Content-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<a href=3D\"http:=\r\n//quoted.example/\">x</a>\r\n";
        check(html, &["quoted.example"]);
        let base64 = "Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\naHR0cDovL3NlY3JldC5leGFtcGxlLw==\r\n";
        check(base64, &["secret.example"]);
    }

    #[test]
    fn only_text_is_looked_at() {
        let message = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nhttp://one.example/\r\n--b\r\n\
                       Content-Type: image/png\r\n\r\nhttp://two.example/\r\n--b\r\nContent-Type: text/html\r\n\r\n\
                       http://three.example/\r\n--b--\r\n";
        check(message, &["one.example", "three.example"]);
    }

    #[test]
    fn there_are_bounds() {
        let mut message = "\r\n".to_owned();
        (0..2 * MAX_LINKS).for_each(|n| message.push_str(&format!("http://n{n}.example/\r\n")));
        assert_eq!(found(message.as_bytes(), 1000).len(), MAX_LINKS);
        let far = format!("\r\n{}http://far.example/\r\n", "x\r\n".repeat(MAX_TEXT / 3 + 1));
        check(&far, &[]);
    }

    proptest! {
        /// Any octets are a message, and how it is cut into pieces makes no difference.
        #[test]
        fn any_octets(message in prop::collection::vec(prop::sample::select(&b"http://w.a@:\r\n"[..]), 0..200), piece in 1usize..20) {
            prop_assert_eq!(found(&message, piece), found(&message, message.len().max(1)));
        }
    }
}
