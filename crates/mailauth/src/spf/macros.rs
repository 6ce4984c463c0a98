//! Macros: parts of a record that stand for parts of the query (RFC 7208 §7).

use super::query::Subject;
use std::borrow::Cow;
use std::fmt::Write as _;
use std::net::IpAddr;

/// The longest text that macros may grow to, in octets: far above what any use takes (a name has 253, an
/// explanation some lines of a reply), so that a record cannot make megabytes out of its kilobytes.
pub const MAX_EXPANSION: usize = 8 * 1024;

/// A `macro-string`, its syntax checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MacroString<'a> {
    parts: Vec<Part<'a>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part<'a> {
    Literal(&'a str),
    /// `%%`, `%_` or `%-`: what each stands for.
    Sign(&'static str),
    Macro(Macro<'a>),
}

/// `%{`letter, transformers, delimiters`}`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Macro<'a> {
    letter: Letter,
    /// A capital letter: what it expands to is URL escaped.
    escaped: bool,
    /// How many right-hand parts are used, at least 1; `None` is all.
    keep: Option<usize>,
    reversed: bool,
    delimiters: &'a str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Letter {
    Sender,
    LocalPart,
    SenderDomain,
    Domain,
    Ip,
    ValidatedName,
    Version,
    Helo,
    ReadableIp,
    Receiver,
    Time,
}

/// What is wrong with a macro-string.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MacroError {
    #[error("a % must be followed by {{, %, _ or -")]
    Percent,
    #[error("the macro %{{{0} has no closing }}")]
    Open(String),
    #[error("%{{{0}}} is no macro")]
    Unknown(String),
    #[error("the macro letters c, r and t are for explanations only: %{{{0}}}")]
    ExplanationOnly(String),
    #[error("the character {0:?} cannot be used here")]
    Character(char),
    #[error("it must end with a dot and a top-level name, as in \"example.org\", or with a macro")]
    NoTopLabel,
}

/// Where a macro-string stands decides what it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A `domain-spec`.
    DomainSpec,
    /// The value of a modifier that is not known.
    UnknownModifier,
    /// The text that `exp=` leads to.
    Explanation,
}

/// What the macro letters stand for at one point of the evaluation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Values<'a> {
    pub(super) subject: &'a Subject<'a>,
    /// `<domain>`: whose record is evaluated.
    pub(super) domain: &'a str,
    /// The validated name of the client; looked up only where [`MacroString::needs_name`].
    pub(super) name: &'a str,
}

impl<'a> MacroString<'a> {
    pub(super) fn parse(text: &'a str, place: Place) -> Result<Self, MacroError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (literal, after) = rest.split_at(rest.find('%').unwrap_or(rest.len()));
            let allowed = |c: &char| c.is_ascii_graphic() || (*c == ' ' && place == Place::Explanation);
            if let Some(bad) = literal.chars().find(|c| !allowed(c)) {
                return Err(MacroError::Character(bad));
            }
            if !literal.is_empty() {
                parts.push(Part::Literal(literal));
            }
            rest = if after.is_empty() { "" } else { parse_macro(after, place, &mut parts)? };
        }
        let whole = Self { parts };
        if place == Place::DomainSpec && !whole.ends_as_domain() {
            return Err(MacroError::NoTopLabel);
        }
        Ok(whole)
    }

    /// ```text
    /// domain-end = ( "." toplabel [ "." ] ) / macro-expand
    /// ```
    fn ends_as_domain(&self) -> bool {
        match self.parts.last() {
            Some(Part::Literal(text)) => {
                let text = text.strip_suffix('.').unwrap_or(text);
                text.rsplit_once('.').is_some_and(|(_, label)| is_top_label(label))
            }
            Some(Part::Sign(_) | Part::Macro(_)) => true,
            None => false,
        }
    }

    /// Whether the client's validated name must be known to expand it.
    pub(super) fn needs_name(&self) -> bool {
        self.macros().any(|it| it.letter == Letter::ValidatedName)
    }

    /// Whether the sender's local part is in it.
    pub(super) fn needs_local_part(&self) -> bool {
        self.macros().any(|it| matches!(it.letter, Letter::Sender | Letter::LocalPart))
    }

    fn macros(&self) -> impl Iterator<Item = &Macro<'a>> {
        self.parts.iter().filter_map(|part| if let Part::Macro(it) = part { Some(it) } else { None })
    }

    /// The text, unless it is longer than [`MAX_EXPANSION`].
    pub(super) fn expand(&self, values: &Values<'_>) -> Option<String> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Sign(sign) => text.push_str(sign),
                Part::Macro(it) => it.expand(values, &mut text),
            }
            if text.len() > MAX_EXPANSION {
                return None;
            }
        }
        Some(text)
    }
}

/// ```text
/// toplabel = ( *alphanum ALPHA *alphanum ) / ( 1*alphanum "-" *( alphanum / "-" ) alphanum )
/// ```
fn is_top_label(label: &str) -> bool {
    let inner = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let numeric = label.bytes().all(|b| b.is_ascii_digit());
    inner && !numeric && !label.starts_with('-') && !label.ends_with('-')
}

/// Reads the macro that `text` starts with, and gives what follows it.
fn parse_macro<'a>(text: &'a str, place: Place, parts: &mut Vec<Part<'a>>) -> Result<&'a str, MacroError> {
    for (sign, meaning) in [("%%", "%"), ("%_", " "), ("%-", "%20")] {
        if let Some(rest) = text.strip_prefix(sign) {
            parts.push(Part::Sign(meaning));
            return Ok(rest);
        }
    }
    let inner = text.strip_prefix("%{").ok_or(MacroError::Percent)?;
    let shown = |inner: &str| crate::tags::shortened(inner);
    let (inner, rest) = inner.split_once('}').ok_or_else(|| MacroError::Open(shown(inner)))?;
    let found = Macro::parse(inner).ok_or_else(|| MacroError::Unknown(shown(inner)))?;
    if found.letter.is_for_explanations() && place == Place::DomainSpec {
        return Err(MacroError::ExplanationOnly(shown(inner)));
    }
    parts.push(Part::Macro(found));
    Ok(rest)
}

impl<'a> Macro<'a> {
    /// ```text
    /// macro-letter transformers *delimiter    ; transformers = *DIGIT [ "r" ]
    /// ```
    fn parse(inner: &'a str) -> Option<Self> {
        let first = inner.chars().next()?;
        let letter = Letter::parse(first)?;
        let rest = inner.get(1..)?;
        let after_digits = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        let digits = rest.get(..rest.len() - after_digits.len())?;
        let keep = match digits {
            "" => None,
            // More than there can be parts is all of them.
            _ => Some(digits.parse().unwrap_or(usize::MAX)).filter(|keep| *keep > 0),
        };
        if keep.is_none() && !digits.is_empty() {
            return None;
        }
        let delimiters = after_digits.strip_prefix(['r', 'R']).unwrap_or(after_digits);
        let reversed = delimiters.len() < after_digits.len();
        let plain = delimiters.chars().all(|c| ".-+,/_=".contains(c));
        plain.then_some(Self { letter, escaped: first.is_ascii_uppercase(), keep, reversed, delimiters })
    }

    fn expand(&self, values: &Values<'_>, out: &mut String) {
        let value = self.letter.value(values);
        let text = self.transform(&value);
        if self.escaped { url_escape(&text, out) } else { out.push_str(&text) }
    }

    /// Splits, reverses, keeps the right-hand parts, and joins with dots (RFC 7208 §7.3).
    fn transform<'b>(&self, value: &'b str) -> Cow<'b, str> {
        if self.keep.is_none() && !self.reversed && self.delimiters.is_empty() {
            return Cow::Borrowed(value);
        }
        let delimiters = if self.delimiters.is_empty() { "." } else { self.delimiters };
        let mut parts: Vec<&str> = value.split(|c| delimiters.contains(c)).collect();
        if self.reversed {
            parts.reverse();
        }
        let first = parts.len().saturating_sub(self.keep.unwrap_or(usize::MAX));
        parts.drain(..first);
        Cow::Owned(parts.join("."))
    }
}

impl Letter {
    fn parse(letter: char) -> Option<Self> {
        Some(match letter.to_ascii_lowercase() {
            's' => Self::Sender,
            'l' => Self::LocalPart,
            'o' => Self::SenderDomain,
            'd' => Self::Domain,
            'i' => Self::Ip,
            'p' => Self::ValidatedName,
            'v' => Self::Version,
            'h' => Self::Helo,
            'c' => Self::ReadableIp,
            'r' => Self::Receiver,
            't' => Self::Time,
            _ => return None,
        })
    }

    fn is_for_explanations(self) -> bool {
        matches!(self, Self::ReadableIp | Self::Receiver | Self::Time)
    }

    fn value<'b>(self, values: &Values<'b>) -> Cow<'b, str> {
        let subject = values.subject;
        match self {
            Self::Sender => Cow::Owned(format!("{}@{}", subject.local, subject.domain)),
            Self::LocalPart => Cow::Borrowed(&*subject.local),
            Self::SenderDomain => Cow::Borrowed(subject.domain.as_str()),
            Self::Domain => Cow::Borrowed(values.domain),
            Self::Ip => Cow::Owned(dotted(subject.ip)),
            Self::ValidatedName => Cow::Borrowed(values.name),
            Self::Version => Cow::Borrowed(if subject.ip.is_ipv4() { "in-addr" } else { "ip6" }),
            Self::Helo => Cow::Borrowed(subject.query.helo),
            Self::ReadableIp => Cow::Owned(subject.ip.to_string()),
            Self::Receiver => Cow::Borrowed(subject.query.receiver),
            Self::Time => Cow::Owned(subject.query.now.to_string()),
        }
    }
}

/// An IPv6 address as the 32 nibbles of its name in the DNS, not yet reversed.
fn dotted(ip: IpAddr) -> String {
    let IpAddr::V6(v6) = ip else { return ip.to_string() };
    let nibbles = format!("{:032X}", v6.to_bits());
    nibbles.chars().flat_map(|nibble| [nibble, '.']).take(63).collect()
}

/// RFC 3986 §2.1, of all that is not "unreserved" in its §2.3.
fn url_escape(text: &str, out: &mut String) {
    for octet in text.bytes() {
        if octet.is_ascii_alphanumeric() || b"-._~".contains(&octet) {
            out.push(char::from(octet));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{octet:02X}");
        }
    }
}
