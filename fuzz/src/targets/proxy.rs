//! The PROXY protocol's header: where it is cut makes no difference, and it takes no octet of what follows.

use net::proxy::{MAX_V1, MAX_V2, Parsed, parse};

pub fn run(data: &[u8]) {
    let whole = parse(data);
    match whole {
        Ok(Parsed::Complete { length, .. }) => {
            assert!(length <= data.len() && length <= MAX_V1.max(MAX_V2));
            assert_eq!(parse(&data[..length]), whole, "what follows changed it");
            for cut in 0..length {
                assert_eq!(parse(&data[..cut]), Ok(Parsed::Incomplete), "after {cut} of {length} octets");
            }
        }
        Ok(Parsed::Incomplete) => assert!(data.len() < MAX_V2, "nobody waits so long"),
        // What is wrong once stays wrong.
        Err(_) => assert!(parse(&[data, b"\r\n"].concat()).is_err()),
    }
}
