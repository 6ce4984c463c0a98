//! How a message leaves.

mod errand;

pub use errand::{
    Boxed, Carried, Carrier, Credentials, Destination, DestinationKey, Errand, ErrandRecipient, NamedHost,
    NextHop, Outcome, Outgoing, Place, Route, Terms, TlsLevel, Unreachable,
};
