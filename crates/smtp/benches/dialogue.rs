//! What every octet and every command of a connection goes through: `cargo bench -p smtp`.

use bytes::BytesMut;
use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use smtp::command::{Command, Mode};
use smtp::parameter::{MailParameters, RcptParameters};
use smtp::server::{
    BareNewline, BodyDecoder, Config, Decision, Event, Framing, MAX_INPUT, Protocol, Session,
};
use std::time::Instant;

/// Octets of a message: larger than every cache but the last.
const SIZE: usize = 4 << 20;
/// Octets that come in one read.
const READ: usize = 32 << 10;
const _: () = assert!(READ <= MAX_INPUT);

fn main() {
    divan::main();
}

/// Lines as mail has them; attachments are 76 characters of base64, text rather less, format=flowed up to 998.
fn message(line: usize) -> Vec<u8> {
    let line = [vec![b'a'; line], b"\r\n".to_vec()].concat();
    line.iter().copied().cycle().take(SIZE / line.len() * line.len()).collect()
}

/// Every fourth line begins with a dot, which is doubled on the wire.
fn dotted() -> Vec<u8> {
    message(60).chunks(4 * 62).flat_map(|lines| [b"..".as_slice(), lines]).flatten().copied().collect()
}

fn decode(bencher: Bencher<'_, '_>, framing: Framing, message: &[u8]) {
    bencher
        .counter(BytesCount::new(message.len()))
        .with_inputs(|| BytesMut::from(message))
        .bench_local_values(|mut input| {
            let mut decoder = BodyDecoder::new(framing, BareNewline::Reject);
            while !input.is_empty() {
                let mut read = input.split_to(READ.min(input.len()));
                black_box(decoder.decode(&mut read));
            }
            decoder.facts()
        });
}

#[divan::bench(args = [40, 76, 998])]
fn data_lines_of(bencher: Bencher<'_, '_>, line: usize) {
    decode(bencher, Framing::Dot, &message(line));
}

#[divan::bench]
fn data_with_dots(bencher: Bencher<'_, '_>) {
    decode(bencher, Framing::Dot, &dotted());
}

#[divan::bench(args = [40, 76, 998])]
fn bdat_lines_of(bencher: Bencher<'_, '_>, line: usize) {
    decode(bencher, Framing::Counted, &message(line));
}

/// Asks nobody: every question is answered with yes. Returns how many octets of messages came.
fn serve(session: &mut Session, now: Instant, input: &[u8]) -> usize {
    let mut octets = 0;
    for read in input.chunks(READ) {
        session.handle_input(now, read);
        loop {
            while let Some(event) = session.poll_event() {
                match event {
                    Event::Body(piece) => octets += piece.len(),
                    Event::Closed(_) | Event::Aborted(_) | Event::AuthEnded => {}
                    _ => session.answer(Decision::Accept),
                }
            }
            if session.poll_transmit().is_none() {
                break;
            }
        }
    }
    octets
}

fn session(now: Instant) -> Session {
    let mut config = Config::new("mx.example".parse().unwrap_or_else(|_| unreachable!()), Protocol::Smtp);
    config.limits.message_size = SIZE as u64 * 2;
    let mut session = Session::new(config, now);
    serve(&mut session, now, b"EHLO client.example\r\n");
    session
}

/// A whole session's work for each octet: input buffer, decoding, events.
fn converse(bencher: Bencher<'_, '_>, begin: &str, body: &[u8], end: &str) {
    let now = Instant::now();
    let input = [
        b"MAIL FROM:<a@client.example>\r\nRCPT TO:<b@mx.example>\r\n",
        begin.as_bytes(),
        body,
        end.as_bytes(),
    ]
    .concat();
    let check = serve(&mut session(now), now, &input);
    assert_eq!(check, body.len(), "the message does not arrive");
    bencher
        .counter(BytesCount::new(body.len()))
        .with_inputs(|| session(now))
        .bench_local_values(|mut session| serve(&mut session, now, &input));
}

#[divan::bench]
fn session_data(bencher: Bencher<'_, '_>) {
    converse(bencher, "DATA\r\n", &message(76), ".\r\n");
}

#[divan::bench]
fn session_bdat(bencher: Bencher<'_, '_>) {
    let body = message(76);
    converse(bencher, &format!("BDAT {} LAST\r\n", body.len()), &body, "");
}

/// The shortest message there is, with everything around it.
#[divan::bench]
fn session_small_message(bencher: Bencher<'_, '_>) {
    let now = Instant::now();
    let input = b"MAIL FROM:<a@client.example> SIZE=20\r\nRCPT TO:<b@mx.example>\r\nDATA\r\nSubject: x\r\n\r\nhello\r\n.\r\n";
    bencher
        .counter(ItemsCount::new(1_usize))
        .with_inputs(|| session(now))
        .bench_local_values(|mut session| serve(&mut session, now, input));
}

/// Called by its verb.
struct Line(&'static str);

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.split([' ', ':']).next().unwrap_or_default())
    }
}

const COMMANDS: &[Line] = &[
    Line("EHLO mail.client.example"),
    Line("MAIL FROM:<someone.with.a.name@client.example> SIZE=12345 BODY=8BITMIME RET=HDRS ENVID=QQ314159"),
    Line("RCPT TO:<somebody.else@mx.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;somebody.else@mx.example"),
    Line("BDAT 86400 LAST"),
    Line("DATA"),
    Line("QUIT"),
];

#[divan::bench(args = COMMANDS)]
fn command(bencher: Bencher<'_, '_>, line: &Line) {
    bencher
        .counter(ItemsCount::new(1_usize))
        .bench(|| Command::parse(black_box(line.0.as_bytes()), Mode::Ascii));
}

#[divan::bench]
fn mail_parameters() -> bool {
    MailParameters::parse(black_box("SIZE=12345 BODY=8BITMIME RET=HDRS ENVID=QQ314159")).is_ok()
}

#[divan::bench]
fn rcpt_parameters() -> bool {
    RcptParameters::parse(black_box("NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;a@mx.example")).is_ok()
}
