//! The parameters of MAIL and RCPT, and `xtext` (RFC 5321 §4.1.2, RFC 3461 §4).
