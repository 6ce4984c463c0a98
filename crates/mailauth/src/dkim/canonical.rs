//! Canonicalization (RFC 6376 §3.4): what of a message is hashed, so that harmless changes on the way do
//! not break a signature.
//!
//! The body goes through as a stream: [`Spaces`] (relaxed only) reduces white space, [`Lines`] holds back
//! the empty lines that may turn out to be the last, and [`Hash`] counts, cuts at `l=` and hashes. None of
//! them keeps more than a few octets.

use crate::header::{Field, Header};
use aws_lc_rs::digest::{Context, Digest, SHA256, digest};
use std::fmt;

/// How much change a signature survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// Next to none.
    Simple,
    /// White space and, in the header, folding and the case of names.
    Relaxed,
}

impl Form {
    /// As `c=` has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::Relaxed => "relaxed",
        }
    }
}

/// The forms of header and body, the `c=` tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Canonicalization {
    pub header: Form,
    pub body: Form,
}

impl Canonicalization {
    pub const SIMPLE: Self = Self { header: Form::Simple, body: Form::Simple };
    pub const RELAXED: Self = Self { header: Form::Relaxed, body: Form::Relaxed };
}

impl fmt::Display for Canonicalization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.header.as_str(), self.body.as_str())
    }
}

/// Room for what most signatures cover of a header, in octets.
const TYPICAL_HEADER: usize = 2048;

/// Hash step 2 of RFC 6376 §3.7: the fields that `names` choose, then the signature's own field, which comes
/// with the value of `b=` taken out. `own` is its place in the header if it is there already: it never signs itself.
pub(crate) fn hash_header<'n>(
    header: &Header<'_>,
    names: impl Iterator<Item = &'n str> + Clone,
    own: Option<usize>,
    own_field: &Field<'_>,
    form: Form,
) -> Digest {
    let mut octets = Vec::with_capacity(TYPICAL_HEADER);
    for (at, name) in names.clone().enumerate() {
        // The n-th mention of a name is the n-th field of that name from the bottom (§5.4.2), or nothing.
        let earlier = names.clone().take(at).filter(|other| other.eq_ignore_ascii_case(name)).count();
        let mut places = header.places(name.as_bytes()).iter().rev().filter(|place| Some(**place) != own);
        if let Some(field) = places.nth(earlier).and_then(|place| header.fields().get(*place)) {
            write_field(&mut octets, field, form);
            octets.extend_from_slice(b"\r\n");
        }
    }
    write_field(&mut octets, own_field, form);
    digest(&SHA256, &octets)
}

/// Appends the canonical form of a header field, without a CRLF after it (RFC 6376 §3.4.1, §3.4.2).
pub(crate) fn write_field(out: &mut Vec<u8>, field: &Field<'_>, form: Form) {
    match form {
        Form::Simple => out.extend_from_slice(field.raw),
        Form::Relaxed => {
            out.extend(field.name().iter().map(u8::to_ascii_lowercase));
            out.push(b':');
            write_relaxed_value(out, field.value());
        }
    }
}

/// Unfolds, makes each run of white space one SP, and drops it at both ends.
fn write_relaxed_value(out: &mut Vec<u8>, value: &[u8]) {
    let start = out.len();
    let mut gap = false;
    let mut rest = value;
    while let Some(&first) = rest.first() {
        let word = match first {
            b' ' | b'\t' => {
                gap = true;
                rest = &rest[1..];
                continue;
            }
            // Inside a field CRLF is always the start of a fold, so WSP follows.
            b'\r' if rest.get(1) == Some(&b'\n') => {
                rest = &rest[2..];
                continue;
            }
            _ => 1 + rest[1..].iter().take_while(|b| !matches!(b, b' ' | b'\t' | b'\r')).count(),
        };
        if gap && out.len() > start {
            out.push(b' ');
        }
        gap = false;
        out.extend_from_slice(&rest[..word]);
        rest = &rest[word..];
    }
}

/// The hash of a body in one canonical form.
#[derive(Debug, Clone, Copy)]
pub struct BodyHash {
    pub(crate) form: Form,
    pub(crate) digest: Digest,
    pub(crate) length: u64,
}

impl BodyHash {
    /// The form that was hashed.
    pub fn form(&self) -> Form {
        self.form
    }

    /// SHA-256, 32 octets: the `bh=` tag before base64.
    pub fn octets(&self) -> &[u8] {
        self.digest.as_ref()
    }

    /// The octets of the canonical body.
    pub fn length(&self) -> u64 {
        self.length
    }
}

/// Hashes a body that comes in pieces. Memory is constant; a body of nothing but line ends costs no more
/// than another.
#[derive(Debug)]
pub struct BodyHasher {
    form: Form,
    spaces: Spaces,
    lines: Lines,
    hash: Hash,
}

impl BodyHasher {
    /// Hashes the whole body.
    pub fn new(form: Form) -> Self {
        Self::with_limit(form, u64::MAX)
    }

    /// Hashes at most `limit` octets of the canonical body (the `l=` tag).
    pub(crate) fn with_limit(form: Form, limit: u64) -> Self {
        Self { form, spaces: Spaces::default(), lines: Lines::default(), hash: Hash::new(limit) }
    }

    /// Takes the next octets of the body; where the pieces are cut makes no difference.
    pub fn update(&mut self, octets: &[u8]) {
        match self.form {
            Form::Simple => self.lines.update(octets, &mut self.hash),
            Form::Relaxed => self.spaces.update(octets, &mut self.lines, &mut self.hash),
        }
    }

    pub fn finish(mut self) -> BodyHash {
        if self.form == Form::Relaxed {
            self.spaces.finish(&mut self.lines, &mut self.hash);
        }
        self.lines.finish(self.form, &mut self.hash);
        self.hash.finish(self.form)
    }
}

/// Step (a) of RFC 6376 §3.4.4: no white space before CRLF, and one SP for each run elsewhere.
#[derive(Debug, Default)]
struct Spaces {
    /// White space was seen and nothing after it yet.
    gap: bool,
    /// A CR was seen after that white space.
    cr: bool,
}

impl Spaces {
    fn update(&mut self, mut octets: &[u8], lines: &mut Lines, hash: &mut Hash) {
        loop {
            if self.gap {
                octets = self.after_gap(octets, lines, hash);
            }
            let Some(&first) = octets.first() else { return };
            if self.gap {
                continue;
            }
            let plain = verbatim(octets);
            if plain == 0 && matches!(first, b' ' | b'\t') {
                self.gap = true;
                octets = &octets[1..];
                continue;
            }
            // What the last octet of a piece means depends on the next piece only if it is white space.
            let ends_the_piece = plain + 1 == octets.len() && !matches!(octets[plain], b' ' | b'\t');
            let (done, rest) = octets.split_at(if ends_the_piece { plain + 1 } else { plain });
            lines.update(done, hash);
            octets = rest;
        }
    }

    /// Decides what becomes of the white space before `octets`, and returns what is left of them.
    fn after_gap<'a>(&mut self, octets: &'a [u8], lines: &mut Lines, hash: &mut Hash) -> &'a [u8] {
        if !self.cr {
            let spaces = octets.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
            let rest = &octets[spaces..];
            match rest.first() {
                Some(b'\r') => self.cr = true,
                Some(_) => {
                    self.gap = false;
                    lines.update(b" ", hash);
                }
                None => {}
            }
            return if self.cr { &rest[1..] } else { rest };
        }
        match octets.first() {
            Some(b'\n') => {
                *self = Self::default();
                lines.update(b"\r\n", hash);
                &octets[1..]
            }
            Some(_) => {
                *self = Self::default();
                lines.update(b" \r", hash);
                octets
            }
            None => octets,
        }
    }

    /// At the end of the body white space is at the end of a line.
    fn finish(&mut self, lines: &mut Lines, hash: &mut Hash) {
        if self.cr {
            lines.update(b" \r", hash);
        }
    }
}

/// How many octets the reduction of white space leaves as they are: up to the first HTAB, or SP before
/// another WSP or a CR. The last octet is never counted, since the one after it is not known.
fn verbatim(octets: &[u8]) -> usize {
    /// So many are looked at together, without a branch between, which compilers make vector instructions of.
    const BLOCK: usize = 64;
    let stops =
        |b: u8, next: u8| (b == b'\t') | ((b == b' ') & ((next == b' ') | (next == b'\t') | (next == b'\r')));
    let mut at = 0;
    while let (Some(block), Some(next)) =
        (octets[at..].first_chunk::<BLOCK>(), octets.get(at + 1..).and_then(|o| o.first_chunk::<BLOCK>()))
    {
        if block.iter().zip(next).fold(false, |any, (b, n)| any | stops(*b, *n)) {
            break;
        }
        at += BLOCK;
    }
    let tail = octets[at..].windows(2).position(|pair| stops(pair[0], pair[1]));
    tail.map_or_else(|| octets.len().saturating_sub(1), |stop| at + stop)
}

/// RFC 6376 §3.4.3 and step (b) of §3.4.4: empty lines at the end do not count.
#[derive(Debug, Default)]
struct Lines {
    /// CRLFs that are hashed only if something else follows.
    held: u64,
    /// A CR came last: half a CRLF, or a bare CR.
    cr: bool,
}

impl Lines {
    fn update(&mut self, mut octets: &[u8], hash: &mut Hash) {
        if self.cr {
            match octets.first() {
                None => return,
                Some(b'\n') => {
                    self.held += 1;
                    octets = &octets[1..];
                }
                Some(_) => {
                    self.release(hash);
                    hash.update(b"\r");
                }
            }
            self.cr = false;
        }
        let mut text = octets;
        if let Some(before) = text.strip_suffix(b"\r") {
            self.cr = true;
            text = before;
        }
        let mut ends = 0;
        while let Some(before) = text.strip_suffix(b"\r\n") {
            ends += 1;
            text = before;
        }
        if !text.is_empty() {
            self.release(hash);
            hash.update(text);
        }
        self.held += ends;
    }

    fn release(&mut self, hash: &mut Hash) {
        const MANY: u64 = 256;
        const ENDS: [[u8; 2]; MANY as usize] = [*b"\r\n"; MANY as usize];
        while self.held > 0 {
            let count = self.held.min(MANY);
            hash.update(ENDS[..count as usize].as_flattened());
            self.held -= count;
        }
    }

    fn finish(&mut self, form: Form, hash: &mut Hash) {
        if self.cr {
            self.release(hash);
            hash.update(b"\r");
        }
        // An empty body is CRLF in simple form (§3.4.3) and nothing in relaxed (§3.4.4).
        if form == Form::Simple || hash.length > 0 {
            hash.update(b"\r\n");
        }
    }
}

/// SHA-256 over the first `limit` octets.
struct Hash {
    context: Context,
    limit: u64,
    length: u64,
}

impl Hash {
    fn new(limit: u64) -> Self {
        Self { context: Context::new(&SHA256), limit, length: 0 }
    }

    fn update(&mut self, octets: &[u8]) {
        let room = self.limit.saturating_sub(self.length);
        let taken = usize::try_from(room).map_or(octets.len(), |room| room.min(octets.len()));
        self.context.update(&octets[..taken]);
        self.length += octets.len() as u64;
    }

    fn finish(self, form: Form) -> BodyHash {
        BodyHash { form, digest: self.context.finish(), length: self.length }
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hash")
            .field("limit", &self.limit)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::BASE64;
    use proptest::prelude::*;

    fn check_field(field: &str, simple: &str, relaxed: &str) {
        let field = Field::parse(field.as_bytes()).unwrap();
        for (form, expected) in [(Form::Simple, simple), (Form::Relaxed, relaxed)] {
            let mut out = Vec::new();
            write_field(&mut out, &field, form);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    /// RFC 6376 §3.4.5, and folds that are odd.
    #[test]
    fn header_fields() {
        check_field("A: X", "A: X", "a:X");
        check_field("B : Y\t\r\n\tZ  ", "B : Y\t\r\n\tZ  ", "b:Y Z");
        check_field("SUBJect: AbC", "SUBJect: AbC", "subject:AbC");
        check_field("A:", "A:", "a:");
        check_field("A: \t ", "A: \t ", "a:");
        check_field("A:\r\n \r\n\tb\r\n \r\n ", "A:\r\n \r\n\tb\r\n \r\n ", "a:b");
        check_field("A: b\r\n  \r\n c", "A: b\r\n  \r\n c", "a:b c");
        check_field("A: b\rc\nd \r e", "A: b\rc\nd \r e", "a:b\rc\nd \r e");
        check_field("A: é  ü", "A: é  ü", "a:é ü");
    }

    fn hash(form: Form, pieces: &[&[u8]]) -> BodyHash {
        let mut hasher = BodyHasher::new(form);
        pieces.iter().for_each(|piece| hasher.update(piece));
        hasher.finish()
    }

    fn check_body(body: &str, simple: &str, relaxed: &str) {
        for (form, expected) in [(Form::Simple, simple), (Form::Relaxed, relaxed)] {
            let hash = hash(form, &[body.as_bytes()]);
            assert_eq!(hash.length(), expected.len() as u64, "{form:?} {body:?}");
            assert_eq!(hash.octets(), digest(&SHA256, expected.as_bytes()).as_ref(), "{form:?} {body:?}");
        }
    }

    /// RFC 6376 §3.4.3 to §3.4.5.
    #[test]
    fn bodies() {
        check_body(" C \r\nD \t E\r\n\r\n\r\n", " C \r\nD \t E\r\n", " C\r\nD E\r\n");
        check_body("", "\r\n", "");
        check_body("\r\n\r\n", "\r\n", "");
        check_body(" \t\r\n", " \t\r\n", "");
        check_body("a", "a\r\n", "a\r\n");
        check_body("a \t", "a \t\r\n", "a\r\n");
        check_body("\r\n\r\na\r\n", "\r\n\r\na\r\n", "\r\n\r\na\r\n");
        check_body("a\r\n \r\n\r\n", "a\r\n \r\n", "a\r\n");
        check_body("a\r\n \r\nb", "a\r\n \r\nb\r\n", "a\r\n\r\nb\r\n");
        // A bare CR or LF is no line end.
        check_body("a \nb \rc\r", "a \nb \rc\r\r\n", "a \nb \rc\r\r\n");
        check_body("a\n\n", "a\n\n\r\n", "a\n\n\r\n");
        check_body("a\r\r\n", "a\r\r\n", "a\r\r\n");
        check_body("a \r \r\n", "a \r \r\n", "a \r\r\n");
    }

    #[test]
    fn the_hashes_of_empty_bodies() {
        let base64 = |form| BASE64.encode(hash(form, &[]).octets());
        assert_eq!(base64(Form::Simple), "frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=");
        assert_eq!(base64(Form::Relaxed), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    }

    #[test]
    fn the_limit_cuts_the_canonical_body() {
        for (limit, hashed) in [(0, ""), (2, "a "), (4, "a b\r"), (5, "a b\r\n"), (9, "a b\r\n")] {
            let mut hasher = BodyHasher::with_limit(Form::Relaxed, limit);
            [&b"a"[..], b" \t", b" b\r", b"\n\r\n"].iter().for_each(|piece| hasher.update(piece));
            let hash = hasher.finish();
            assert_eq!(hash.octets(), digest(&SHA256, hashed.as_bytes()).as_ref(), "{limit}");
            assert_eq!(hash.length(), 5);
        }
    }

    /// The rules of RFC 6376 word for word, with the whole body at hand.
    fn by_the_book(body: &str, form: Form) -> String {
        let mut text = body.to_owned();
        if form == Form::Relaxed {
            let reduce = |line: &str| {
                let words: Vec<&str> = line.split([' ', '\t']).collect();
                let kept = words.iter().enumerate().filter(|(at, word)| *at == 0 || !word.is_empty());
                kept.map(|(_, word)| *word).collect::<Vec<_>>().join(" ")
            };
            text = text.split("\r\n").map(reduce).collect::<Vec<_>>().join("\r\n");
        }
        while let Some(shorter) = text.strip_suffix("\r\n") {
            text = shorter.to_owned();
        }
        if form == Form::Simple || !text.is_empty() { text + "\r\n" } else { text }
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(
            words in prop::collection::vec(prop::sample::select(vec![
                " ", "  ", "\t", "\r", "\n", "\r\n", "\r\n", "\r\n\r\n", "a", ".", "word", " word word",
                "a line that is longer than the block of sixty-four octets that are looked at together",
            ]), 0..40),
            cuts in prop::collection::vec(0..200_usize, 0..12),
        ) {
            let body = words.concat();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(body.len())).collect();
            cuts.extend([0, body.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|c| &body.as_bytes()[c[0]..c[1]]).collect();
            for form in [Form::Simple, Form::Relaxed] {
                let expected = by_the_book(&body, form);
                let hash = hash(form, &pieces);
                prop_assert_eq!(hash.length(), expected.len() as u64);
                let digest = digest(&SHA256, expected.as_bytes());
                prop_assert_eq!(hash.octets(), digest.as_ref());
            }
        }
    }
}
