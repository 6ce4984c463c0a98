//! The POP3 server over the store.
