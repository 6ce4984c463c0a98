//! The server's half of the dialogue.
