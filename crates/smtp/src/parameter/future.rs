//! When and how urgently a message is to go: DELIVERBY, FUTURERELEASE, MT-PRIORITY.

use super::{ParameterError, number};
use jiff::Timestamp;
use std::fmt;
use std::str::FromStr;

/// Most seconds that BY and HOLDFOR can say, nine digits (RFC 2852 §4, RFC 4865 §3).
pub const MAX_SECONDS: i32 = 999_999_999;

/// `BY=`: within how many seconds the message must arrive (RFC 2852 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliverBy {
    seconds: i32,
    mode: ByMode,
    trace: bool,
}

/// What happens when the time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByMode {
    /// The sender is told, delivery goes on.
    Notify,
    /// The message goes back.
    Return,
}

impl DeliverBy {
    /// # Errors
    /// More than [`MAX_SECONDS`] either way, or a return at once or in the past.
    pub fn new(seconds: i32, mode: ByMode, trace: bool) -> Result<Self, ParameterError> {
        let in_range = seconds.unsigned_abs() <= MAX_SECONDS.unsigned_abs();
        if in_range && (mode == ByMode::Notify || seconds > 0) {
            return Ok(Self { seconds, mode, trace });
        }
        Err(ParameterError::value("BY", "seconds;N or seconds;R, R with more than 0 seconds, then perhaps T"))
    }

    /// From now; zero or negative when the time is already over.
    pub fn seconds(self) -> i32 {
        self.seconds
    }

    pub fn mode(self) -> ByMode {
        self.mode
    }

    /// What is left after so many seconds; `None` when the message must go back now.
    pub fn after(self, seconds: u64) -> Option<Self> {
        let left = i64::from(self.seconds).saturating_sub(i64::try_from(seconds).unwrap_or(i64::MAX));
        let left = i32::try_from(left).unwrap_or(-MAX_SECONDS).max(-MAX_SECONDS);
        Self::new(left, self.mode, self.trace).ok()
    }

    /// Whether relays are to report that they passed the message on.
    pub fn trace(self) -> bool {
        self.trace
    }
}

impl FromStr for DeliverBy {
    type Err = ParameterError;

    fn from_str(text: &str) -> Result<Self, ParameterError> {
        let read = || {
            let (time, mode) = text.split_once(';')?;
            let (sign, digits) = match time.strip_prefix('-') {
                Some(digits) => (-1, digits),
                None => (1, time.strip_prefix('+').unwrap_or(time)),
            };
            let seconds = i32::try_from(number(digits, 9)?).ok()?;
            let (mode, trace) = match mode.to_ascii_uppercase().as_str() {
                "N" => (ByMode::Notify, false),
                "NT" => (ByMode::Notify, true),
                "R" => (ByMode::Return, false),
                "RT" => (ByMode::Return, true),
                _ => return None,
            };
            Some((sign * seconds, mode, trace))
        };
        let (seconds, mode, trace) =
            read().ok_or_else(|| ParameterError::value("BY", "like 3600;R or -60;NT"))?;
        Self::new(seconds, mode, trace)
    }
}

impl fmt::Display for DeliverBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = match self.mode {
            ByMode::Notify => "N",
            ByMode::Return => "R",
        };
        write!(f, "{};{mode}{}", self.seconds, if self.trace { "T" } else { "" })
    }
}

/// Until when a submitted message is kept back (RFC 4865 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// `HOLDFOR=`: seconds, 1 to [`MAX_SECONDS`].
    For(u32),
    /// `HOLDUNTIL=`.
    Until(Timestamp),
}

impl Hold {
    pub(super) fn parse_for(text: &str) -> Result<Self, ParameterError> {
        let refused = ParameterError::value("HOLDFOR", "1 to 999999999 seconds");
        let seconds = number(text, 9).and_then(|n| u32::try_from(n).ok()).filter(|_| !text.starts_with('0'));
        seconds.map(Self::For).ok_or(refused)
    }

    pub(super) fn parse_until(text: &str) -> Result<Self, ParameterError> {
        // RFC 4865 §3: RFC 3339 in UTC; the library would read much more than that.
        let shape = text.len() >= 20
            && text.ends_with(['Z', 'z'])
            && text.bytes().enumerate().all(|(i, b)| match i {
                4 | 7 => b == b'-',
                10 => b.eq_ignore_ascii_case(&b'T'),
                13 | 16 => b == b':',
                19 => b == b'.' || i + 1 == text.len(),
                _ => b.is_ascii_digit() || i + 1 == text.len(),
            });
        let refused = ParameterError::value("HOLDUNTIL", "a time in UTC like 2030-01-31T08:00:00Z");
        shape.then(|| text.parse().ok()).flatten().map(Self::Until).ok_or(refused)
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::For(seconds) => write!(f, "HOLDFOR={seconds}"),
            Self::Until(time) => write!(f, "HOLDUNTIL={time}"),
        }
    }
}

/// `MT-PRIORITY=`: −9 to 9, 0 is usual, more is sooner (RFC 6710 §7).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Priority(i8);

impl Priority {
    /// `None` outside −9 to 9.
    pub fn new(value: i8) -> Option<Self> {
        (-9..=9).contains(&value).then_some(Self(value))
    }

    pub fn value(self) -> i8 {
        self.0
    }
}

impl FromStr for Priority {
    type Err = ParameterError;

    fn from_str(text: &str) -> Result<Self, ParameterError> {
        let refused = ParameterError::value("MT-PRIORITY", "-9 to 9");
        match text.as_bytes() {
            b"0" => Ok(Self(0)),
            [b'1'..=b'9'] | [b'-', b'1'..=b'9'] => text.parse().map(Self).map_err(|_| refused),
            _ => Err(refused),
        }
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
