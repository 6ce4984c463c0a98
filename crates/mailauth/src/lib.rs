//! Mail authentication: DKIM signing and verification.
