//! What a client that opens a large folder waits for: `cargo bench -p imap`.

use bytes::BytesMut;
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use imap::client::Reader;
use imap::response::{Data, FetchData};
use imap::thread::{ThreadInput, references};
use imap::{Enabled, Encoder, Flag};

const MESSAGES: u32 = 100_000;
/// As a session sends it.
const PIECE: usize = 32 * 1024;

fn main() {
    divan::main();
}

/// `FETCH 1:* (UID FLAGS RFC822.SIZE)`.
fn listed(number: u32) -> Data {
    let items = vec![
        FetchData::Uid(number + 1_000),
        FetchData::Flags { flags: vec![Flag::Answered, Flag::Seen], recent: false },
        FetchData::Rfc822Size(4_000 + u64::from(number)),
    ];
    Data::Fetch { number, items }
}

#[divan::bench]
fn write_a_listing(bencher: Bencher<'_, '_>) {
    bencher.counter(ItemsCount::new(MESSAGES)).bench(|| {
        let mut out = BytesMut::with_capacity(2 * PIECE);
        for number in 1..=MESSAGES {
            Encoder::new(&mut out, Enabled::default()).data(&listed(number));
            if out.len() > PIECE {
                black_box(&out);
                out.clear();
            }
        }
    });
}

#[divan::bench]
fn read_a_listing(bencher: Bencher<'_, '_>) {
    let mut listing = BytesMut::new();
    (1..=MESSAGES).for_each(|number| Encoder::new(&mut listing, Enabled::default()).data(&listed(number)));
    bencher.counter(ItemsCount::new(MESSAGES)).bench(|| {
        let mut reader = Reader::new(0);
        for piece in listing.chunks(PIECE) {
            reader.push(piece);
            while let Ok(Some(read)) = reader.read() {
                black_box(read);
            }
        }
    });
}

/// Conversations of ten.
#[divan::bench]
fn thread_by_references(bencher: Bencher<'_, '_>) {
    let message = |index: u32| ThreadInput {
        number: index + 1,
        message_id: Some(format!("{index}@mail.example.org")),
        references: (index / 10 * 10..index).map(|before| format!("{before}@mail.example.org")).collect(),
        subject: format!("conversation {}", index / 10),
        is_reply: !index.is_multiple_of(10),
        date: jiff::Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_secs(index.into()),
    };
    let messages: Vec<ThreadInput> = (0..MESSAGES).map(message).collect();
    bencher.counter(ItemsCount::new(MESSAGES)).bench(|| references(black_box(&messages)));
}
