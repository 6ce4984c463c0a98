//! Files of other programs, from which mail is brought: an mbox; or, behind a line `Maildir`, what stands in and on a Maildir's files.

use imap::name::decode_utf7;
use mailfile::maildir::{self, Entry, Keywords};
use mailfile::mbox::{Event, Reader, Writer};
use mailfile::{Crlf, Flags, Lf};
use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader};
use std::os::unix::ffi::OsStrExt as _;

pub fn run(data: &[u8]) {
    match data.strip_prefix(b"Maildir\n") {
        Some(rest) => maildir(rest),
        None => mbox(data),
    }
}

/// `dovecot-keywords`, lists of subscriptions, `dovecot-uidlist` and names of messages, a line each, with a NUL between these.
fn maildir(data: &[u8]) {
    let mut files = data.splitn(4, |&octet| octet == 0);
    let [keywords, subscribed, uids, names] = [(); 4].map(|()| files.next().unwrap_or_default());

    let keywords = Keywords::parse(keywords);
    let again = Keywords::parse(keywords.to_string().as_bytes());
    for letter in 0..=u8::MAX {
        assert_eq!(keywords.of(letter), again.of(letter));
        assert!(keywords.of(letter).is_none_or(|word| letter.is_ascii_lowercase() && !word.is_empty()));
    }
    for list in [maildir::dovecot_subscriptions, maildir::courier_subscriptions] {
        for level in list(subscribed).iter().flatten() {
            assert!(!level.is_empty());
            let _ = decode_utf7(level);
        }
    }
    let is_unique = |name: &[u8]| !name.contains(&b':') && !name.contains(&b',');
    assert!(maildir::uids(uids).keys().all(|name| is_unique(name)));
    for name in names.split(|&octet| octet == b'\n') {
        let [seen, unseen] = [false, true].map(|new| Entry::new(OsStr::from_bytes(name).to_owned(), new));
        assert!(name.starts_with(seen.unique()) && is_unique(seen.unique()));
        assert_eq!(unseen.flags(&keywords), Flags::default(), "nobody has seen what is new");
        let mut words = seen.flags(&keywords).keywords;
        let count = words.len();
        words.iter_mut().for_each(|word| word.make_ascii_lowercase());
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), count, "a keyword is there twice");
    }
}

fn mbox(data: &[u8]) {
    let whole = events(data);
    // Where the file is cut into reads makes no difference.
    let pieces = events(BufReader::with_capacity(3, data));
    let (Ok(whole), Ok(pieces)) = (&whole, &pieces) else {
        assert!(whole.is_err() && pieces.is_err());
        return;
    };
    assert_eq!(whole, pieces);
    let read = messages(whole);

    // A CR of its own may come to stand before a LF when CRLF becomes LF, and then ends a line with it.
    if data.iter().zip(data.iter().skip(1).chain([&0])).any(|(&octet, &next)| octet == b'\r' && next != b'\n')
    {
        return;
    }
    // What is written of it is read as the same messages.
    let mut writer = Writer::new(Vec::new());
    let written = read.iter().try_for_each(|message| {
        writer.begin(&message.sender, message.date.unwrap_or_default(), &message.flags)?;
        message.text.chunks(5).try_for_each(|piece| writer.write(piece))?;
        writer.end()
    });
    assert!(written.is_ok());
    let Ok(again) = events(&writer.into_inner()[..]) else { panic!("what was written is no mbox") };
    let again = messages(&again);
    assert_eq!(read.len(), again.len());
    for (message, again) in read.iter().zip(&again) {
        assert_eq!(message.marks(), again.marks());
        assert_eq!(message.lines(), again.lines());
    }
}

fn events(input: impl BufRead) -> io::Result<Vec<Event>> {
    let (mut reader, mut all) = (Reader::new(input), Vec::new());
    while let Some(event) = reader.next()? {
        all.push(event);
    }
    Ok(all)
}

/// As it would be exported.
struct Message {
    sender: String,
    date: Option<i64>,
    flags: Flags,
    text: Vec<u8>,
}

fn messages(events: &[Event]) -> Vec<Message> {
    let (mut all, mut open) = (Vec::new(), None);
    for event in events {
        match event {
            Event::Begin(head) => {
                assert!(open.is_none(), "a message began in another");
                open = Some((head, Vec::new()));
            }
            Event::Data(piece) => {
                let Some((head, text)) = &mut open else { panic!("octets of no message") };
                assert!(!text.is_empty() || head.header.is_empty() || *piece == head.header);
                text.extend_from_slice(piece);
            }
            Event::End => {
                let Some((head, text)) = open.take() else { panic!("the end of no message") };
                all.push(Message {
                    sender: head.sender.clone(),
                    date: head.date,
                    flags: head.flags.clone(),
                    text: to_the_network_and_back(&text),
                });
            }
        }
    }
    assert!(open.is_none(), "the last message has no end");
    all
}

fn to_the_network_and_back(text: &[u8]) -> Vec<u8> {
    let (mut crlf, mut network) = (Crlf::default(), Vec::new());
    crlf.push(text, &mut network);
    let (mut lf, mut file) = (Lf::default(), Vec::new());
    lf.push(&network, &mut file);
    lf.finish(&mut file);
    file
}

impl Message {
    fn marks(&self) -> [bool; 5] {
        let Flags { seen, answered, flagged, deleted, draft, .. } = self.flags;
        [seen, answered, flagged, deleted, draft]
    }

    /// Without empty ones at the end, as a message that has no text gets one, and without the quotes of `From `: in a header they
    /// are written, and not taken away again.
    fn lines(&self) -> Vec<&[u8]> {
        let end = self.text.iter().rposition(|&octet| octet != b'\n').map_or(0, |last| last + 1);
        let lines = self.text[..end].split(|&octet| octet == b'\n');
        lines
            .map(|line| {
                let quotes = line.iter().take_while(|&&octet| octet == b'>').count();
                if line[quotes..].starts_with(b"From ") { &line[quotes..] } else { line }
            })
            .collect()
    }
}
