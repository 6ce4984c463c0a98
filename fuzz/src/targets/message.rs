//! A message as it comes: read, shown, edited, made 7-bit.

use message::{
    Body, CrlfLines, Edit, Header, Needs, View, content, decode_words, downgrade, header_recipients,
};
use message::{MAX_LINE, parse_list};

pub fn run(data: &[u8]) {
    header(data);
    view(data);
    if let Some(downgraded) = downgrade(data) {
        let needs = Needs::of(&downgraded.message);
        assert_eq!(needs, Needs { body: Body::SevenBit, smtputf8: false }, "downgraded, and not 7-bit");
        let longest = downgraded.message.split(|octet| *octet == b'\n').map(<[u8]>::len).max();
        assert!(longest.is_none_or(|longest| longest <= MAX_LINE + 1), "a line of {longest:?}");
    }
    let mut lines = Vec::new();
    let mut crlf = CrlfLines::default();
    crlf.push(data, &mut lines);
    crlf.finish(&mut lines);
}

fn header(data: &[u8]) {
    let header = Header::parse(data);
    assert!(header.body_offset() <= data.len());
    assert!(header.len() <= data.len());
    for field in header.fields() {
        assert_eq!(data.get(field.range()), Some(field.as_bytes()));
        let value = field.value();
        let _ = (decode_words(&value), parse_list(&value));
    }
    let _ = (header.hops(), header_recipients(&header));

    let mut edit = Edit::new(data);
    edit.remove("Bcc");
    let edited = edit.finish();
    let out = edited.to_vec(data);
    assert_eq!(out.len(), edited.len(data.len()));
    assert!(!Header::parse(&out).contains("Bcc"), "Bcc was left in");
}

fn view(data: &[u8]) {
    let view = View::read(data);
    let _ = view.text();
    let html = view.html(|_| None).unwrap_or_default();
    assert!(!html.to_ascii_lowercase().contains("<script"), "{html}");
    for part in 0..view.attachments.len() + 2 {
        let _ = content(data, part);
    }
}
