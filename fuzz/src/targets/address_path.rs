//! Addresses, paths and hosts: what is read is written so that it reads the same.

use address::{Address, Domain, ForwardPath, Host, LocalPart, ReversePath};
use std::fmt::{Debug, Display};
use std::str::FromStr;

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    same::<Domain>(text, |text| text);
    same::<Host>(text, |text| text);
    same::<Address>(text, |text| text);
    same::<ReversePath>(text, inner);
    same::<ForwardPath>(text, inner);
    if let Ok(local) = text.parse::<LocalPart>() {
        assert!(!local.to_string().contains(['\r', '\n', '\0']), "{local:?}");
    }
    if let Ok(address) = text.parse::<Address>() {
        let (folded, refolded) = (address.folded(), address.to_string().parse().map(|a: Address| a.folded()));
        assert_eq!(refolded.as_ref(), Ok(&folded), "folding of {text:?}");
    }
}

/// `read` takes off what `Display` adds.
fn same<T>(text: &str, read: fn(&str) -> &str)
where
    T: FromStr<Err: Debug + PartialEq> + Display + Debug + PartialEq,
{
    if let Ok(value) = text.parse::<T>() {
        let written = value.to_string();
        assert!(!written.contains(['\r', '\n', '\0']), "{written:?}");
        assert_eq!(read(&written).parse::<T>(), Ok(value), "{text:?} was written as {written:?}");
    }
}

fn inner(path: &str) -> &str {
    path.strip_prefix('<').and_then(|path| path.strip_suffix('>')).unwrap_or(path)
}
