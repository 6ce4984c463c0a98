//! Extended response codes: `-ERR [IN-USE] …`.

use std::fmt;

/// What a response says to a program (RFC 2449 §8, RFC 3206 §4 and §5, RFC 6856 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResponseCode {
    /// The credentials are at fault, or their use here is against policy.
    Auth,
    /// The credentials are right, but another session holds the maildrop.
    InUse,
    /// The user logged in too recently.
    LoginDelay,
    /// A fault of the server that may pass.
    SysTemp,
    /// A fault of the server that needs a person.
    SysPerm,
    /// The message can be had only after the UTF8 command.
    Utf8,
}

impl ResponseCode {
    const ALL: [Self; 6] =
        [Self::Auth, Self::InUse, Self::LoginDelay, Self::SysTemp, Self::SysPerm, Self::Utf8];

    fn name(self) -> &'static str {
        match self {
            Self::Auth => "AUTH",
            Self::InUse => "IN-USE",
            Self::LoginDelay => "LOGIN-DELAY",
            Self::SysTemp => "SYS/TEMP",
            Self::SysPerm => "SYS/PERM",
            Self::Utf8 => "UTF8",
        }
    }

    /// Splits `[CODE] text`. A code that is not known, or known only in its first levels, is cut to the levels
    /// that are (RFC 2449 §8: unknown detail is ignored); without any it is dropped.
    pub(crate) fn split(text: &str) -> (Option<Self>, &str) {
        let Some((inner, rest)) = text.strip_prefix('[').and_then(|text| text.split_once(']')) else {
            return (None, text);
        };
        let known = |code: &Self| {
            let name = code.name();
            inner.get(..name.len()).is_some_and(|head| head.eq_ignore_ascii_case(name))
                && matches!(inner.as_bytes().get(name.len()), None | Some(b'/'))
        };
        (Self::ALL.into_iter().find(known), rest.trim_start_matches(' '))
    }
}

impl fmt::Display for ResponseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}]", self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_split_from_text() {
        let check = |text, code, rest| assert_eq!(ResponseCode::split(text), (code, rest), "{text}");
        check("[IN-USE] Do you have another", Some(ResponseCode::InUse), "Do you have another");
        check("[sys/temp/disk] full", Some(ResponseCode::SysTemp), "full");
        check("[AUTHX] no", None, "no");
        check("[XYZ] no", None, "no");
        check("[AUTH no end", None, "[AUTH no end");
        check("plain", None, "plain");
        check("", None, "");
    }
}
