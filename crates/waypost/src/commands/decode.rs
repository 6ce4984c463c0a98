//! `waypost decode`: the SMTP dialogues in a packet capture.
//!
//! `capture` reads; here are its words, the files, and how it is printed.

mod document;
mod save;
mod text;

use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::output;
use capture::{Decoder, Event, KeyLog, Secrets, Settings, Summary};
use document::Document;
use ipnet::IpNet;
use save::Folder;
use std::fs::File;
use std::io::Read;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Times are counted from the first packet of each dialogue. What AUTH carries is hidden, content of messages is only \
counted. TLS is opened with the secrets that a program logs where SSLKEYLOGFILE says so (curl, openssl s_client \
-keylogfile, Python, Thunderbird): versions 1.2 and 1.3, AES-GCM and ChaCha20-Poly1305.

Examples:
  waypost decode trouble.pcap
  waypost decode trouble.pcapng --keylog keys.txt --save messages
  waypost decode trouble.pcap --port 25 --address 192.0.2.0/24 --json
  waypost decode -          what tcpdump writes: tcpdump -i any -w - port 25 | waypost decode -";

/// Octets of the file that are read at once.
const PIECE: usize = 64 * 1024;
/// Longest key log that is read: some hundred thousand sessions.
const MAX_KEY_LOG: u64 = 128 * 1024 * 1024;

/// Show the SMTP dialogues in a packet capture
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// A pcap or pcapng file; - is standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Open TLS with the secrets in this file (SSLKEYLOGFILE)
    #[arg(long, value_name = "FILE")]
    pub keylog: Option<PathBuf>,
    /// Save the messages in this folder, as DIALOGUE-MESSAGE.eml
    #[arg(long, value_name = "DIR")]
    pub save: Option<PathBuf>,
    /// Only what has this port at one end, and take it for SMTP [default: whatever looks like SMTP]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Vec<u16>,
    /// Only what has this address or network at one end
    #[arg(long, value_name = "ADDRESS[/BITS]", value_parser = network)]
    pub address: Vec<IpNet>,
    /// Show what AUTH carries: names and passwords
    #[arg(long)]
    pub show_secrets: bool,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

fn network(text: &str) -> Result<IpNet, String> {
    let whole = |_| text.parse::<IpAddr>().map(IpNet::from);
    text.parse().or_else(whole).map_err(|_| format!("{text:?} is no address and no network"))
}

pub fn run(_: &Global, args: &Args) -> Result<Exit, Failure> {
    let mut input = open(&args.file)?;
    let mut printer = Printer {
        folder: args.save.as_deref().map(Folder::open).transpose()?,
        array: if args.json { Some(output::JsonArray::open()?) } else { None },
        any: false,
    };
    let mut decoder = Decoder::new(settings(args)?);
    let damage = read_all(&mut *input, &mut decoder, &mut printer, &args.file)?;
    // What came before the damage is worth its telling.
    decoder.finish();
    printer.take(&mut decoder)?;
    if let Some(array) = printer.array {
        array.close()?;
    }
    warn(decoder.summary());
    damage.map_or(Ok(Exit::Done), Err)
}

fn settings(args: &Args) -> Result<Settings, Failure> {
    let mut keys = KeyLog::default();
    if let Some(path) = &args.keylog {
        let mut text = Vec::new();
        let file = File::open(path).map_err(|error| cannot_read(path, &error))?;
        file.take(MAX_KEY_LOG).read_to_end(&mut text).map_err(|error| cannot_read(path, &error))?;
        if keys.add(&text) == 0 {
            output::warn(&format!("{} has no secrets of TLS sessions", path.display()));
        }
    }
    let secrets = if args.show_secrets { Secrets::Show } else { Secrets::Hide };
    Ok(Settings { ports: args.port.clone(), networks: args.address.clone(), secrets, keys })
}

fn open(path: &Path) -> Result<Box<dyn Read>, Failure> {
    if path == Path::new("-") {
        return Ok(Box::new(std::io::stdin()));
    }
    let file = File::open(path).map_err(|error| cannot_read(path, &error))?;
    Ok(Box::new(file))
}

/// Reads to the end, or to where the file is damaged: what is wrong with it. An error is that of the printer.
fn read_all(
    input: &mut dyn Read,
    decoder: &mut Decoder,
    printer: &mut Printer,
    path: &Path,
) -> Result<Option<Failure>, Failure> {
    let mut piece = vec![0; PIECE];
    loop {
        let length = match input.read(&mut piece) {
            Ok(0) => return Ok(None),
            Ok(length) => length,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Ok(Some(cannot_read(path, &error))),
        };
        let pushed = decoder.push(piece.get(..length).unwrap_or_default());
        printer.take(decoder)?;
        if let Err(error) = pushed {
            return Ok(Some(Failure::no(format!("{}: {error}", path.display()))));
        }
    }
}

fn cannot_read(path: &Path, error: &std::io::Error) -> Failure {
    Failure::no(format!("cannot read {}: {error}", path.display()))
}

/// Where events go.
struct Printer {
    folder: Option<Folder>,
    /// With `--json`.
    array: Option<output::JsonArray>,
    any: bool,
}

impl Printer {
    fn take(&mut self, decoder: &mut Decoder) -> Result<(), Failure> {
        while let Some(event) = decoder.poll_event() {
            match (event, &mut self.folder) {
                (Event::MessageOctets { dialogue, message, octets }, Some(folder)) => {
                    folder.write(dialogue, message, &octets)?;
                }
                (Event::MessageEnd { dialogue, message }, Some(folder)) => {
                    folder.write(dialogue, message, &[])?
                }
                (Event::Dialogue(dialogue), folder) => {
                    let files =
                        folder.as_mut().map(|folder| folder.files(dialogue.number)).unwrap_or_default();
                    match &mut self.array {
                        Some(array) => array.add(&Document::new(&dialogue, &files))?,
                        None => text::print(&dialogue, &files, !self.any)?,
                    }
                    self.any = true;
                }
                (Event::MessageOctets { .. } | Event::MessageEnd { .. }, None) => {}
            }
        }
        Ok(())
    }
}

/// What could not be read, in words.
fn warn(summary: &Summary) {
    for (link, packets) in &summary.unknown_links {
        output::warn(&format!(
            "{packets} packets of a link type that is not known here ({link:?}); Ethernet, loopback, raw IP and \
             Linux cooked captures are"
        ));
    }
    let facts = [
        (summary.too_short, "packets cut off within their headers: capture whole packets (tcpdump -s 0)"),
        (summary.incomplete_datagrams, "IP datagrams of which fragments are missing"),
        (summary.evicted, "connections given up after a long silence or for lack of room"),
        (summary.unfinished as u64, "octets at the end of the file are of a packet that is not whole"),
    ];
    for (count, what) in facts.into_iter().filter(|(count, _)| *count > 0) {
        output::warn(&format!("{count} {what}"));
    }
    if summary.dialogues == 0 {
        output::warn(&format!(
            "no SMTP dialogue among {} packets and {} TCP connections; --port takes a port for SMTP",
            summary.packets, summary.connections
        ));
    }
}
