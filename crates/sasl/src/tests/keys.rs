//! Stored SCRAM keys.

use std::num::NonZeroU32;

use super::secret;
use crate::{Error, Hash, MAX_ITERATIONS, MIN_ITERATIONS, ScramKeys};

fn derive(password: &str, salt: &[u8], iterations: u32) -> Result<ScramKeys, Error> {
    ScramKeys::derive(Hash::Sha256, &secret(password), salt, NonZeroU32::new(iterations).unwrap())
}

#[test]
fn storage_round_trips() {
    for hash in [Hash::Sha1, Hash::Sha256] {
        let iterations = NonZeroU32::new(MIN_ITERATIONS).unwrap();
        let keys = ScramKeys::derive(hash, &secret("pencil"), &[1, 2, 3], iterations).unwrap();
        let stored = keys.to_storage();
        let again = ScramKeys::from_storage(stored.reveal()).unwrap();
        assert_eq!(again.to_storage().reveal(), stored.reveal());
        assert_eq!((again.hash(), again.iterations()), (hash, iterations));
    }
}

/// The keys of RFC 7677 §3, in the form that PostgreSQL has for them.
#[test]
fn storage_form() {
    let salt = data_encoding::BASE64.decode(b"W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
    let stored = derive("pencil", &salt, 4096).unwrap().to_storage();
    assert_eq!(
        stored.reveal(),
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
    );
}

#[test]
fn other_forms_are_refused() {
    let good = derive("pencil", b"salt", 4096).unwrap().to_storage().into_inner();
    for bad in [
        String::new(),
        good.replace("256$", "512$"),
        good.replace("256$", "1$"),
        good.replace("4096", "0"),
        good.replace("4096", &(MAX_ITERATIONS + 1).to_string()),
        good.replace("c2FsdA==", ""),
        good.replace("c2FsdA==", "c2FsdA"),
        good.replace(':', "$"),
        format!("{good}$"),
        format!("{good}AAAA"),
    ] {
        assert_eq!(ScramKeys::from_storage(&bad).map(|_| ()), Err(Error::Keys), "{bad}");
    }
}

#[test]
fn derivation_has_bounds() {
    assert_eq!(derive("x", b"", 4096).unwrap_err(), Error::Keys);
    assert_eq!(derive("x", &[0; 256], 4096).unwrap_err(), Error::Keys);
    assert_eq!(derive("x", b"salt", MAX_ITERATIONS + 1).unwrap_err(), Error::Iterations(5_000_001));
    assert_eq!(derive("", b"salt", 4096).unwrap_err(), Error::Password);
    assert_eq!(derive("\u{1f512}", b"salt", 4096).unwrap_err(), Error::Password);
}
