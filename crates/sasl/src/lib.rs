//! SASL mechanisms, server and client, sans-IO.
