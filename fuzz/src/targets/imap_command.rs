//! What an IMAP client sends, framed and parsed. How it is cut into reads makes no difference.

use super::{Settings, dialogue};
use imap::framing::{Frame, Framer, Limits};
use imap::parse::{Context, parse};

pub fn run(data: &[u8]) {
    let Some((settings, pieces)) = dialogue(data) else { return };
    let whole = understood(settings, std::iter::once(&data[2..]));
    assert_eq!(understood(settings, pieces), whole, "framed otherwise when it came in pieces");
}

/// Each frame as text; a message is one, however many pieces it came in.
fn understood<'a>(settings: Settings, pieces: impl Iterator<Item = &'a [u8]>) -> Vec<String> {
    let context = Context { utf8: settings.bit(0), ..Context::default() };
    let limits = match settings.bit(1) {
        true => Limits {
            line: 200,
            literals: 2,
            literal_octets: 50,
            skipped: 1_000,
            literal_plus: settings.bit(2),
        },
        false => Limits { literal_plus: settings.bit(2), ..Limits::AFTER_LOGIN },
    };
    let mut framer = Framer::new(limits);
    framer.set_context(context);
    let mut out = Vec::new();
    let mut message = Vec::new();
    for piece in pieces {
        framer.push(piece);
        while let Some(frame) = framer.poll() {
            match frame {
                Frame::Message(_) if settings.bit(3) => framer.refuse_message(),
                Frame::Message(_) => framer.take_message(),
                Frame::MessageData(octets) => {
                    assert!(!octets.is_empty());
                    message.extend_from_slice(&octets);
                    continue;
                }
                Frame::MessageEnd => out.push(format!("{:?}", std::mem::take(&mut message))),
                Frame::Line(line) => match parse(&line, &context) {
                    Ok((tag, command)) => out.push(format!("{} {command:?}", tag.as_str())),
                    Err(refused) => {
                        let text = refused.status().text;
                        assert!(!text.contains(char::is_control), "{text:?}");
                        out.push(text);
                    }
                },
                frame => out.push(format!("{frame:?}")),
            }
        }
    }
    out
}
