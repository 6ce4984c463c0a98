//! One type a command, read from a line and written as one (RFC 5321 §4.1.1).
