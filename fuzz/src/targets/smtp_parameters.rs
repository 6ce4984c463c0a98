//! The parameters of MAIL and RCPT, and xtext: reading, writing and reading again changes nothing.

use smtp::parameter::{MailParameters, RcptParameters, decode_xtext, encode_xtext};

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(parameters) = MailParameters::parse(text) {
        let written = parameters.to_string();
        assert_eq!(MailParameters::parse(&written), Ok(parameters), "{text:?} was written as {written:?}");
    }
    if let Ok(parameters) = RcptParameters::parse(text) {
        let written = parameters.to_string();
        assert_eq!(RcptParameters::parse(&written), Ok(parameters), "{text:?} was written as {written:?}");
    }
    if let Some(value) = decode_xtext(text) {
        let written = encode_xtext(&value);
        assert_eq!(decode_xtext(&written), Some(value), "{text:?} was written as {written:?}");
    }
}
