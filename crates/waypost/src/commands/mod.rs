//! The commands, a file each: its words (`Args`) and what it does (`run`).

pub mod account;
mod administer;
pub mod alias;
pub mod backup;
pub mod bench;
pub mod check;
pub mod completions;
pub mod decode;
pub mod dev;
pub mod domain;
mod domain_reports;
pub mod export;
pub mod import;
pub mod mail;
pub mod message_file;
pub mod queue;
pub mod quickstart;
pub mod restore;
pub mod send;
pub mod sendmail;
pub mod serve;
pub mod sign;
pub mod trail;
