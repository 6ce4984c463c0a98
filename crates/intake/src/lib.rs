//! SMTP and LMTP in: listeners' rules, permits, the verdict, hand-over.
