//! How a message leaves: connections to hosts, their reuse, TLS policy, SMTP and LMTP out.
