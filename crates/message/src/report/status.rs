//! Enhanced status codes (RFC 3463).

use crate::Error;
use std::fmt;
use std::str::FromStr;

/// `5.1.1`: class, subject, detail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Status {
    class: u8,
    subject: u16,
    detail: u16,
}

impl Status {
    /// A class of 2, 4 or 5; subject and detail of at most three digits.
    ///
    /// # Errors
    /// Anything else.
    pub fn new(class: u8, subject: u16, detail: u16) -> Result<Self, Error> {
        if matches!(class, 2 | 4 | 5) && subject <= 999 && detail <= 999 {
            return Ok(Self { class, subject, detail });
        }
        Err(Error::Status(format!("{class}.{subject}.{detail}")))
    }

    pub fn class(self) -> u8 {
        self.class
    }

    pub fn subject(self) -> u16 {
        self.subject
    }

    pub fn detail(self) -> u16 {
        self.detail
    }
}

impl FromStr for Status {
    type Err = Error;

    /// No signs, no leading zeros (RFC 3464 §2.3.4).
    fn from_str(text: &str) -> Result<Self, Error> {
        let refused = || Error::Status(text.chars().take(20).collect());
        let number = |digits: &str| match digits {
            "0" => Ok(0),
            _ if digits.starts_with('0')
                || digits.len() > 3
                || !digits.bytes().all(|b| b.is_ascii_digit()) =>
            {
                Err(refused())
            }
            _ => digits.parse::<u16>().map_err(|_| refused()),
        };
        match text.split('.').collect::<Vec<_>>().as_slice() {
            [class, subject, detail] => {
                let class = u8::try_from(number(class)?).map_err(|_| refused())?;
                Self::new(class, number(subject)?, number(detail)?).map_err(|_| refused())
            }
            _ => Err(refused()),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_as_rfc_3464_says() {
        for text in ["2.0.0", "4.4.7", "5.1.10", "5.7.999"] {
            assert_eq!(text.parse::<Status>().unwrap().to_string(), text);
        }
        for text in
            ["", "5", "5.1", "5.1.1.1", "3.1.1", "05.1.1", "5.01.1", "5.1.1000", "+5.1.1", "5..1", "5.1.x"]
        {
            assert!(text.parse::<Status>().is_err(), "{text}");
        }
    }
}
