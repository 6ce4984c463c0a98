//! A file a target, each with `run`: it must not panic, whatever the octets. What must hold besides is asserted there.
//!
//! Where the input is a dialogue its first octet chooses settings and its second how the rest is cut into reads,
//! so that seeds stay legible: in `00EHLO …` both are the digit.

pub mod address_path;
pub mod arc;
pub mod body_decoder;
pub mod dkim;
pub mod dmarc;
pub mod dsn;
pub mod http_answer;
pub mod imap_command;
pub mod imap_response;
pub mod imap_server;
pub mod mailfile;
pub mod message;
pub mod mime_edit;
pub mod pcap;
pub mod pop3_client;
pub mod pop3_server;
pub mod proxy;
pub mod report_json;
pub mod report_xml;
pub mod sasl;
pub mod smtp_client;
pub mod smtp_command;
pub mod smtp_parameters;
pub mod smtp_reply;
pub mod smtp_server;
pub mod spf;
pub mod srs;
pub mod structure;
pub mod sts;
pub mod txt;

/// Its name, which is that of its folder in `corpus/`, and its function.
pub type Target = (&'static str, fn(&[u8]));

/// All of them, by name.
pub const TARGETS: [Target; 30] = [
    ("address_path", address_path::run),
    ("arc", arc::run),
    ("body_decoder", body_decoder::run),
    ("dkim", dkim::run),
    ("dmarc", dmarc::run),
    ("dsn", dsn::run),
    ("http_answer", http_answer::run),
    ("imap_command", imap_command::run),
    ("imap_response", imap_response::run),
    ("imap_server", imap_server::run),
    ("mailfile", mailfile::run),
    ("message", message::run),
    ("mime_edit", mime_edit::run),
    ("pcap", pcap::run),
    ("pop3_client", pop3_client::run),
    ("pop3_server", pop3_server::run),
    ("proxy", proxy::run),
    ("report_json", report_json::run),
    ("report_xml", report_xml::run),
    ("sasl", sasl::run),
    ("smtp_client", smtp_client::run),
    ("smtp_command", smtp_command::run),
    ("smtp_parameters", smtp_parameters::run),
    ("smtp_reply", smtp_reply::run),
    ("smtp_server", smtp_server::run),
    ("spf", spf::run),
    ("srs", srs::run),
    ("structure", structure::run),
    ("sts", sts::run),
    ("txt", txt::run),
];

/// The settings, and the rest cut into reads of 1 to 256 octets.
fn dialogue(data: &[u8]) -> Option<(Settings, impl Iterator<Item = &[u8]>)> {
    let [settings, cut, rest @ ..] = data else { return None };
    Some((Settings(*settings), rest.chunks(usize::from(*cut) + 1)))
}

/// Eight choices.
#[derive(Clone, Copy)]
struct Settings(u8);

impl Settings {
    fn bit(self, number: u8) -> bool {
        self.0 >> number & 1 == 1
    }
}

/// A CR without LF, or a LF without CR.
fn has_bare_newline(octets: &[u8]) -> bool {
    let mut before = 0;
    for &octet in octets {
        if (before == b'\r') != (octet == b'\n') {
            return true;
        }
        before = octet;
    }
    before == b'\r'
}
