//! The messages of SCRAM (RFC 5802 §7), parsed. An error says what is wrong with the message.
//!
//! The order of attributes is fixed; unknown ones at the end are ignored; `m`, anywhere, is a mandatory extension and
//! fails, since there is none (§5.1).

use data_encoding::BASE64;

use crate::nonce::is_nonce;

type Parsed<T> = Result<T, &'static str>;

/// `gs2-cbind-flag`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flag<'a> {
    /// `n`: the client cannot bind.
    Unsupported,
    /// `y`: the client could, and thinks that the server cannot.
    Unused,
    /// `p=name`: bound to data of this type.
    Bound(&'a str),
}

/// `client-first-message = gs2-header client-first-message-bare`.
#[derive(Debug)]
pub(crate) struct ClientFirst<'a> {
    pub(crate) flag: Flag<'a>,
    pub(crate) authzid: Option<String>,
    /// `gs2-header` as sent: the start of what `c=` must be.
    pub(crate) header: &'a str,
    pub(crate) bare: &'a str,
    pub(crate) username: String,
    pub(crate) nonce: &'a str,
}

impl<'a> ClientFirst<'a> {
    pub(crate) fn parse(message: &'a [u8]) -> Parsed<Self> {
        let text = text(message)?;
        let (flag, rest) = text.split_once(',').ok_or("no gs2 header")?;
        let (authzid, bare) = rest.split_once(',').ok_or("no gs2 header")?;
        let flag_value = parse_flag(flag)?;
        let authzid = match authzid.strip_prefix("a=") {
            Some(name) => Some(unescape_name(name)?),
            None if authzid.is_empty() => None,
            None => return Err("bad authorization identity"),
        };
        let mut attributes = Attributes::new(bare);
        let username = unescape_name(attributes.expect("n=", "no user name")?)?;
        let nonce = attributes.expect("r=", "no nonce")?;
        attributes.finish()?;
        if !is_nonce(nonce) {
            return Err("bad nonce");
        }
        let header = text.strip_suffix(bare).unwrap_or_default();
        Ok(Self { flag: flag_value, authzid, header, bare, username, nonce })
    }
}

/// `server-first-message`.
#[derive(Debug)]
pub(crate) struct ServerFirst<'a> {
    pub(crate) nonce: &'a str,
    pub(crate) salt: Vec<u8>,
    pub(crate) iterations: u64,
}

impl<'a> ServerFirst<'a> {
    pub(crate) fn parse(message: &'a [u8]) -> Parsed<Self> {
        let mut attributes = Attributes::new(text(message)?);
        let nonce = attributes.expect("r=", "no nonce")?;
        let salt = base64(attributes.expect("s=", "no salt")?)?;
        let iterations = posit_number(attributes.expect("i=", "no iteration count")?)?;
        attributes.finish()?;
        if !is_nonce(nonce) {
            return Err("bad nonce");
        }
        Ok(Self { nonce, salt, iterations })
    }
}

/// `client-final-message`.
#[derive(Debug)]
pub(crate) struct ClientFinal<'a> {
    /// `cbind-input`, decoded.
    pub(crate) channel_binding: Vec<u8>,
    pub(crate) nonce: &'a str,
    pub(crate) without_proof: &'a str,
    pub(crate) proof: Vec<u8>,
}

impl<'a> ClientFinal<'a> {
    pub(crate) fn parse(message: &'a [u8]) -> Parsed<Self> {
        let (without_proof, proof) = text(message)?.rsplit_once(",p=").ok_or("no proof")?;
        let mut attributes = Attributes::new(without_proof);
        let channel_binding = base64(attributes.expect("c=", "no channel binding")?)?;
        let nonce = attributes.expect("r=", "no nonce")?;
        attributes.finish()?;
        Ok(Self { channel_binding, nonce, without_proof, proof: base64(proof)? })
    }
}

/// `server-final-message`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ServerFinal<'a> {
    Verifier(Vec<u8>),
    Error(&'a str),
}

impl<'a> ServerFinal<'a> {
    pub(crate) fn parse(message: &'a [u8]) -> Parsed<Self> {
        let text = text(message)?;
        let mut attributes = Attributes::new(text);
        let parsed = if text.starts_with("e=") {
            Self::Error(attributes.expect("e=", "no error")?)
        } else {
            Self::Verifier(base64(attributes.expect("v=", "no verifier")?)?)
        };
        attributes.finish()?;
        Ok(parsed)
    }
}

/// `attr-val *("," attr-val)`, taken one by one.
struct Attributes<'a>(std::str::Split<'a, char>);

impl<'a> Attributes<'a> {
    fn new(text: &'a str) -> Self {
        Self(text.split(','))
    }

    /// The value of the next attribute, which has to be this one and not be empty.
    fn expect(&mut self, name: &str, missing: &'static str) -> Parsed<&'a str> {
        let attribute = self.0.next().ok_or(missing)?;
        if attribute.starts_with("m=") {
            return Err("mandatory extension not supported");
        }
        attribute.strip_prefix(name).filter(|value| !value.is_empty()).ok_or(missing)
    }

    /// The rest are extensions: well-formed, not mandatory, ignored.
    fn finish(self) -> Parsed<()> {
        for attribute in self.0 {
            match attribute.as_bytes() {
                [b'm', b'=', ..] => return Err("mandatory extension not supported"),
                [name, b'=', _, ..] if name.is_ascii_alphabetic() => {}
                _ => return Err("bad extension"),
            }
        }
        Ok(())
    }
}

/// UTF-8 without NUL.
fn text(message: &[u8]) -> Parsed<&str> {
    let text = std::str::from_utf8(message).map_err(|_| "not UTF-8")?;
    if text.contains('\0') { Err("NUL") } else { Ok(text) }
}

fn parse_flag(flag: &str) -> Parsed<Flag<'_>> {
    match flag {
        "n" => Ok(Flag::Unsupported),
        "y" => Ok(Flag::Unused),
        _ => flag
            .strip_prefix("p=")
            .filter(|name| !name.is_empty())
            .filter(|name| name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-')))
            .map(Flag::Bound)
            .ok_or("bad channel binding flag"),
    }
}

fn base64(text: &str) -> Parsed<Vec<u8>> {
    BASE64.decode(text.as_bytes()).map_err(|_| "bad base64")
}

/// `posit-number = %x31-39 *DIGIT`.
fn posit_number(text: &str) -> Parsed<u64> {
    let sound = !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| sound).ok_or("bad iteration count")
}

/// `saslname`, as it is sent.
pub(crate) fn escape_name(name: &str) -> String {
    name.replace('=', "=3D").replace(',', "=2C")
}

/// `saslname`, as it was meant: `=` stands only in `=2C` and `=3D` (§5.1).
fn unescape_name(name: &str) -> Parsed<String> {
    let mut parts = name.split('=');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (character, rest) = match (part.strip_prefix("2C"), part.strip_prefix("3D")) {
            (Some(rest), _) => (',', rest),
            (_, Some(rest)) => ('=', rest),
            _ => return Err("bad escape in a name"),
        };
        plain.push(character);
        plain.push_str(rest);
    }
    if plain.is_empty() { Err("empty name") } else { Ok(plain) }
}
