//! SMTP and LMTP, server and client, sans-IO.
