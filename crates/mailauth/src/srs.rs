//! SRS, the Sender Rewriting Scheme: mail that is forwarded passes SPF, because its sender is an address of the forwarder.
//!
//! Who forwards `joe@example.org`'s mail to another server calls there, and may not use the name of `example.org`
//! (RFC 7208 §10.3, appendix D). So the reverse-path becomes an address of the forwarder that has the old one in it:
//!
//! ```text
//! SRS0=HHHHH=TT=example.org=joe@forwarder.example
//! SRS1=HHHHH=first.example==HHHHH=TT=example.org=joe@second.example
//! ```
//!
//! A notification to it is passed on to the sender. `HHHHH` is the beginning of a keyed hash of the rest: nobody can make
//! such addresses, and so send through the forwarder, but who has the key. `TT` is the day: an address is of no use later. A
//! second forwarder keeps the first one's name, not the whole way: bounces go from it to the first forwarder, and home.
//!
//! A local part has 64 octets (RFC 5321 §4.5.3.1.1), and senders of newsletters fill them alone. One that does not fit is left with
//! the forwarder, who remembers it under a token until the address is too old:
//!
//! ```text
//! SRS0=HHHHH=TT==KKKKKKKKKKKKKKKK@forwarder.example
//! ```
//!
//! There is no RFC; the scheme is that of <https://www.libsrs2.net/srs/srs.pdf>, and addresses of its other
//! implementations are forwarded as they are. Letters may change case on the way.
//!
//! ```
//! use address::{Address, Secret};
//! use mailauth::srs::{Original, Srs};
//!
//! let srs = Srs::new(&Secret::new([7; 32]));
//! let (joe, now) = ("joe@example.org".parse::<Address>()?, 1_528_637_909);
//! let rewritten = srs.forward(&joe, &"forwarder.example".parse()?, now)?;
//! assert!(rewritten.address.to_string().ends_with("=example.org=joe@forwarder.example"));
//! assert_eq!(rewritten.token, None, "nothing to be remembered");
//! assert_eq!(srs.reverse(&rewritten.address, now)?, Original::Sender(joe));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use address::{Address, Domain, LocalPart, Secret};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use data_encoding::BASE32_NOPAD;

/// Days after which an address is not taken any more: longer than any queue keeps a message, and then its notification.
pub const MAX_AGE: u64 = 21;

/// Characters of the hash, of 5 bits each: guesses are made one RCPT at a time, and one that hits sends a notification
/// to one address. Every character is one less for the sender in the 64 octets of a local part.
const HASH_LEN: usize = 5;
/// Characters of a token, of 5 bits each: two senders never get the same one by chance.
const TOKEN_LEN: usize = 16;
/// Seconds of the unit of time.
pub const DAY: u64 = 24 * 60 * 60;
/// Days after which `TT`, two characters of 5 bits, begins anew.
const CYCLE: u64 = 1 << 10;
/// What digits of `TT` look like.
const DIGITS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Makes and takes back rewritten addresses, with a key of its own.
#[derive(Debug)]
pub struct Srs {
    key: hmac::Key,
}

/// A sender as an address of the forwarder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewritten {
    pub address: Address,
    /// The sender did not fit into it: under this it is to be remembered for [`MAX_AGE`] days. The same for the same sender.
    pub token: Option<String>,
}

/// Who is behind a rewritten address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Original {
    Sender(Address),
    /// The one who is remembered under this.
    Token(String),
}

/// Why an address cannot be rewritten, or taken back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SrsError {
    #[error("the sender {0} has no domain to come back to")]
    NoDomain(Address),
    #[error("the sender {0} is too long to be rewritten")]
    TooLong(Address),
    #[error("{0} is not a rewritten sender")]
    NotRewritten(Address),
    #[error("{0} was not made here: its hash is wrong")]
    Hash(Address),
    #[error("{0} is older than {MAX_AGE} days")]
    Expired(Address),
}

/// Whether a local part looks rewritten, by whomever.
pub fn is_rewritten(local: &LocalPart) -> bool {
    Form::of(local.as_str()).is_some()
}

impl Srs {
    pub fn new(key: &Secret<[u8; 32]>) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, key.reveal()) }
    }

    /// The reverse-path for mail of `sender` that `by` forwards. `now` is in seconds since 1970.
    ///
    /// What does not fit into the 64 octets of a local part (RFC 5321 §4.5.3.1.1) gets a token.
    pub fn forward(&self, sender: &Address, by: &Domain, now: u64) -> Result<Rewritten, SrsError> {
        let domain = sender.domain().ok_or_else(|| SrsError::NoDomain(sender.clone()))?;
        let local = sender.local().as_str();
        let text = match Form::of(local) {
            Some(Form::First(rest)) => self.second(&domain.to_string(), rest),
            Some(Form::Second { first, rest }) => self.second(first, rest),
            None => {
                let rest = format!("{}={domain}={local}", stamp(now / DAY));
                format!("SRS0={}={rest}", self.hash("SRS0", &rest))
            }
        };
        let (local, token) = match LocalPart::from_value(&text) {
            Ok(local) => (local, None),
            Err(_) => {
                let token = self.token(sender);
                let rest = format!("{}=={token}", stamp(now / DAY));
                let text = format!("SRS0={}={rest}", self.hash("SRS0", &rest));
                let local = LocalPart::from_value(&text).map_err(|_| SrsError::TooLong(sender.clone()))?;
                (local, Some(token))
            }
        };
        Ok(Rewritten { address: Address::new(local, by.clone()), token })
    }

    fn second(&self, first: &str, rest: &str) -> String {
        let rest = format!("{first}={rest}");
        format!("SRS1={}={rest}", self.hash("SRS1", &rest))
    }

    /// Where mail to `address`, which [`forward`](Self::forward) made, goes.
    pub fn reverse(&self, address: &Address, now: u64) -> Result<Original, SrsError> {
        let not_rewritten = || SrsError::NotRewritten(address.clone());
        let text = address.local().as_str();
        let (tag, after) = text.split_at_checked(5).ok_or_else(not_rewritten)?;
        let (hash, rest) = after.split_once('=').ok_or_else(not_rewritten)?;
        let (domain, local) = match tag.to_ascii_uppercase().as_str() {
            "SRS0=" => {
                self.verify("SRS0", rest, hash, address)?;
                let (day, sender) = rest.split_once('=').ok_or_else(not_rewritten)?;
                check_age(day, now / DAY).map_err(|()| SrsError::Expired(address.clone()))?;
                match sender.split_once('=').ok_or_else(not_rewritten)? {
                    ("", token) => return Ok(Original::Token(token.to_ascii_uppercase())),
                    (domain, local) => (domain, local.to_owned()),
                }
            }
            "SRS1=" => {
                self.verify("SRS1", rest, hash, address)?;
                let (first, rest) = rest.split_once('=').ok_or_else(not_rewritten)?;
                (first, format!("SRS0{rest}"))
            }
            _ => return Err(not_rewritten()),
        };
        let domain = Domain::parse(domain).map_err(|_| not_rewritten())?;
        let local = LocalPart::from_value(&local).map_err(|_| not_rewritten())?;
        Ok(Original::Sender(Address::new(local, domain)))
    }

    fn verify(&self, form: &str, rest: &str, hash: &str, address: &Address) -> Result<(), SrsError> {
        let (expected, hash) = (self.hash(form, rest), hash.to_ascii_uppercase());
        verify_slices_are_equal(expected.as_bytes(), hash.as_bytes())
            .map_err(|_| SrsError::Hash(address.clone()))
    }

    /// Of the sender to the letter: who comes back is the same in every respect.
    fn token(&self, sender: &Address) -> String {
        let tag = hmac::sign(&self.key, format!("token={sender}").as_bytes());
        let mut token = BASE32_NOPAD.encode(tag.as_ref());
        token.truncate(TOKEN_LEN);
        token
    }

    /// Of the text in one case: servers on the way may change it.
    fn hash(&self, form: &str, rest: &str) -> String {
        let text = format!("{form}={}", rest.to_lowercase());
        let tag = hmac::sign(&self.key, text.as_bytes());
        let mut hash = BASE32_NOPAD.encode(tag.as_ref());
        hash.truncate(HASH_LEN);
        hash
    }
}

/// How an address was rewritten before, as far as the next forwarder must know. Other forwarders have hashes of other
/// lengths, and `+` or `-` for the first separator.
enum Form<'a> {
    /// `SRS0`; what follows, its separator included.
    First(&'a str),
    /// `SRS1`: the first forwarder, and what follows `SRS0` in its address.
    Second { first: &'a str, rest: &'a str },
}

impl<'a> Form<'a> {
    fn of(local: &'a str) -> Option<Self> {
        let (tag, rest) = local.split_at_checked(4)?;
        let after = rest.strip_prefix(['=', '+', '-'])?;
        if tag.eq_ignore_ascii_case("SRS0") {
            return Some(Self::First(rest));
        }
        if !tag.eq_ignore_ascii_case("SRS1") {
            return None;
        }
        let (first, rest) = after.split_once('=')?.1.split_once('=')?;
        rest.starts_with(['=', '+', '-']).then_some(Self::Second { first, rest })
    }
}

/// A day, as `TT`.
fn stamp(day: u64) -> String {
    let digit = |value: u64| DIGITS.get((value % 32) as usize).map_or('A', |digit| char::from(*digit));
    [digit(day / 32), digit(day)].iter().collect()
}

fn check_age(stamp: &str, today: u64) -> Result<(), ()> {
    let digit = |c: u8| DIGITS.iter().position(|digit| *digit == c.to_ascii_uppercase()).ok_or(());
    let [high, low] = stamp.as_bytes() else { return Err(()) };
    let day = (digit(*high)? * 32 + digit(*low)?) as u64;
    let age = (today % CYCLE + CYCLE - day) % CYCLE;
    if age > MAX_AGE { Err(()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_528_637_909;

    fn srs() -> Srs {
        Srs::new(&Secret::new([7; 32]))
    }

    fn address(text: &str) -> Address {
        text.parse().unwrap()
    }

    fn forward(sender: &str, by: &str) -> Address {
        srs().forward(&address(sender), &by.parse().unwrap(), NOW).unwrap().address
    }

    fn sender(text: &str) -> Original {
        Original::Sender(address(text))
    }

    #[test]
    fn a_rewritten_sender_comes_back() {
        for sender in [
            "joe@example.org",
            "Joe.D+x@Sub.example.org",
            "a=b=c@example.org",
            "\"a b\"@example.org",
            "jürgen@example.org",
        ] {
            let rewritten = forward(sender, "here.example");
            assert!(is_rewritten(rewritten.local()) && rewritten.host() == &"here.example".parse().unwrap());
            assert_eq!(srs().reverse(&rewritten, NOW), Ok(self::sender(sender)), "{rewritten}");
        }
        assert_eq!(
            forward("joe@example.org", "here.example").to_string(),
            "SRS0=PKACK=I4=example.org=joe@here.example"
        );
    }

    #[test]
    fn case_may_change_on_the_way() {
        let rewritten = forward("joe@example.org", "here.example").to_string();
        for text in [rewritten.to_lowercase(), rewritten.to_uppercase()] {
            let Ok(Original::Sender(back)) = srs().reverse(&address(&text), NOW) else { panic!("{text}") };
            assert_eq!(back.folded(), "joe@example.org", "{text}");
        }
    }

    #[test]
    fn a_second_forwarder_keeps_the_first() {
        let first = forward("joe@example.org", "first.example");
        let second = forward(&first.to_string(), "second.example");
        let third = forward(&second.to_string(), "third.example");
        for (rewritten, by) in [(&second, "second.example"), (&third, "third.example")] {
            let text = rewritten.to_string();
            assert!(
                text.starts_with("SRS1=") && text.contains("=first.example==") && text.ends_with(by),
                "{text}"
            );
            // The bounce goes from each straight to the first.
            assert_eq!(srs().reverse(rewritten, NOW), Ok(Original::Sender(first.clone())));
        }
        // Addresses of other implementations are kept to the letter.
        for foreign in ["SRS0+abcd=XY=e.org=joe@f.example", "srs0-abcd=XY=e.org=joe@f.example"] {
            let back = srs().reverse(&forward(foreign, "here.example"), NOW).unwrap();
            assert_eq!(back, sender(&foreign.replace("srs0", "SRS0")));
        }
    }

    #[test]
    fn forgeries_are_refused() {
        let good = forward("joe@example.org", "here.example").to_string();
        for (old, new) in [
            ("=joe@", "=ann@"),
            ("example.org", "example.net"),
            ("=I4=", "=I5="),
            ("PKACK", "PKACL"),
            ("PKACK", "PKAC"),
            ("PKACK", ""),
        ] {
            let forged = address(&good.replace(old, new));
            assert_eq!(srs().reverse(&forged, NOW), Err(SrsError::Hash(forged.clone())), "{forged}");
        }
        let other = Srs::new(&Secret::new([8; 32]));
        assert_eq!(other.reverse(&address(&good), NOW), Err(SrsError::Hash(address(&good))));
        for text in [
            "joe@here.example",
            "SRS0@here.example",
            "SRS0=@here.example",
            "SRS2=a=b@here.example",
            "ü@here.example",
        ] {
            assert!(srs().reverse(&address(text), NOW).is_err(), "{text}");
        }
    }

    #[test]
    fn an_address_ages() {
        let good = forward("joe@example.org", "here.example");
        assert!(srs().reverse(&good, NOW + MAX_AGE * DAY).is_ok());
        for late in [MAX_AGE + 1, 500, CYCLE - 1] {
            assert_eq!(
                srs().reverse(&good, NOW + late * DAY),
                Err(SrsError::Expired(good.clone())),
                "{late}"
            );
        }
    }

    #[test]
    fn what_does_not_fit_gets_a_token() {
        let by = "here.example".parse().unwrap();
        let newsletter = format!("bounces+1234567-{}@news.example.org", "x".repeat(40));
        let (newsletter, other) = (address(&newsletter), address(&newsletter.replace("12345", "54321")));
        let rewritten = srs().forward(&newsletter, &by, NOW).unwrap();
        let token = rewritten.token.clone().unwrap();
        assert!(rewritten.address.to_string().ends_with(&format!("=I4=={token}@here.example")));
        assert_eq!(srs().forward(&newsletter, &by, NOW + DAY).unwrap().token, Some(token.clone()));
        assert_ne!(srs().forward(&other, &by, NOW).unwrap().token, Some(token.clone()));
        // It comes back whatever its case has become, not after its time, and no other token is taken.
        let lower = address(&rewritten.address.to_string().to_lowercase());
        for address in [&rewritten.address, &lower] {
            assert_eq!(srs().reverse(address, NOW), Ok(Original::Token(token.clone())));
            assert!(matches!(srs().reverse(address, NOW + (MAX_AGE + 1) * DAY), Err(SrsError::Expired(_))));
        }
        let forged = address(&rewritten.address.to_string().replace(&token, "AAAAAAAAAAAAAAAA"));
        assert!(matches!(srs().reverse(&forged, NOW), Err(SrsError::Hash(_))));
        // Others pass it on as an address like any other, and so do we theirs, however long.
        let second = forward(&rewritten.address.to_string(), "second.example");
        assert_eq!(srs().reverse(&second, NOW), Ok(Original::Sender(rewritten.address)));
        let long = address(&format!("SRS0=abcd=XY=e.org={}@first.example", "x".repeat(45)));
        assert!(srs().forward(&long, &by, NOW).unwrap().token.is_some());
    }

    #[test]
    fn a_sender_at_an_address_literal_is_not_rewritten() {
        let literal = address("joe@[192.0.2.1]");
        let by = "here.example".parse().unwrap();
        assert_eq!(srs().forward(&literal, &by, NOW), Err(SrsError::NoDomain(literal)));
    }
}
