//! POP3, server and client, sans-IO.
