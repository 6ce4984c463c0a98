use super::*;
use proptest::prelude::*;
use unicode_normalization::UnicodeNormalization as _;

fn extract(message: &[u8]) -> Text {
    let mut extractor = Extractor::new();
    extractor.feed(message);
    extractor.finish().1
}

fn check(message: &str, body: &str) {
    let message = message.replace('\n', "\r\n");
    assert_eq!(extract(message.as_bytes()).body, body, "{message}");
}

#[test]
fn headers_are_decoded() {
    let text =
        extract(b"Subject: =?iso-8859-1?Q?Caf=E9?=\r\n =?utf-8?Q?_x?=\r\nX: a\r\n\tb\r\nno field\r\n\r\n");
    assert_eq!(text.header, "Subject: Caf\u{e9} x\nX: a\tb\n");
    let inner = extract(b"A: 1\nContent-Type: message/rfc822\n\nB: 2\n\nx\n");
    assert_eq!(inner.header, "A: 1\nContent-Type: message/rfc822\n");
    assert_eq!((inner.inner.as_str(), inner.body.as_str()), ("B: 2\n", "x\n"));
    let part = extract(b"A: 1\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-ID: <x@y>\nContent-Type: message/rfc822\n\nB: 2\nContent-Type: multipart/mixed; boundary=c\n\n--c\nContent-Type: image/png; name=\"=?utf-8?Q?=C3=A4?=\"\n\n--c--\n--b--\n");
    assert_eq!(
        part.mime,
        "Content-ID: <x@y>\nContent-Type: message/rfc822\nContent-Type: image/png; name=\"\u{e4}\"\n"
    );
    assert_eq!(part.inner, "B: 2\nContent-Type: multipart/mixed; boundary=c\n");
    let two = extract(b"Subject: =?utf-8?Q?a=0D=0ATo:_b?=\n\n");
    assert_eq!(two.header.lines().count(), 1, "{two:?}");
}

#[test]
fn text_is_decoded() {
    check("\nplain\n\u{e9}\n", "plain\n\u{e9}\n");
    check(
        "Content-Transfer-Encoding: quoted-printable\nContent-Type: text/plain; charset=iso-8859-1\n\nCaf=E9=\nx\n",
        "Caf\u{e9}x\n",
    );
    check(
        "Content-Transfer-Encoding: base64\nContent-Type: text/calendar; charset=koi8-r\n\n8NLJ18XU\n",
        "\u{41f}\u{440}\u{438}\u{432}\u{435}\u{442}\n",
    );
    check("Content-Type: text/plain; charset=utf-7\n\nHi +ZeVnLIqe-\n", "Hi \u{65e5}\u{672c}\u{8a9e}\n");
    check(
        "Content-Type: text/plain; charset=iso-2022-jp\n\n\u{1b}$BF|K\\8l\u{1b}(B\n",
        "\u{65e5}\u{672c}\u{8a9e}\n",
    );
    check("Content-Transfer-Encoding: x-unknown\n\nabc\n", "");
}

#[test]
fn html_becomes_text() {
    check(
        "Content-Type: text/html\n\n<style>p{}</style><p>a <b>b</b>old &amp; c</p><table><tr><td>1</td><td>2</td></tr></table><script>x</script>\n",
        "a bold & c\n1 2\n",
    );
}

#[test]
fn all_parts_are_read_and_attachments_named() {
    check(
        "Content-Type: multipart/mixed; boundary=b\n\npreamble\n--b\n\none\n--b\nContent-Type: image/png; name=\"=?utf-8?Q?=C3=A4?=.png\"\nContent-Transfer-Encoding: base64\n\nAAAA\n--b\nContent-Type: application/pdf\nContent-Disposition: attachment; filename*0*=utf-8''%C3%BC; filename*1=.pdf\n\n%PDF\n--b\nContent-Type: message/delivery-status\n\nAction: failed\n--b--\nepilogue\n",
        "one\n\u{e4}.png\n\u{fc}.pdf\nAction: failed\n",
    );
    check("Content-Type: multipart/mixed; boundary=b\n\nnothing but this\n", "nothing but this\n");
}

#[test]
fn it_is_bounded_and_says_so() {
    let long = extract(&[b"\r\n", &b"word \xff\r\n".repeat(MAX_BODY / 4)[..]].concat());
    assert_eq!(long.cut, Cut { header: false, content: true });
    assert!((MAX_BODY - 4..=MAX_BODY).contains(&long.body.len()));
    let header = extract(&b"A: some words\r\n".repeat(MAX_HEADER / 10));
    assert_eq!(header.cut, Cut { header: true, content: false });
    assert!((MAX_HEADER - 20..=MAX_HEADER).contains(&header.header.len()));
    assert_eq!(extract(b"A: b\r\n\r\nc").cut, Cut::default());
    // Neither tags nor images in them count.
    let image = format!("Content-Type: text/html\n\n<p>a<img src=\"data:{}\">b", "QUJD".repeat(MAX_BODY / 2));
    let image = extract(image.as_bytes());
    assert_eq!((image.body.as_str(), image.cut), ("a b\n", Cut::default()));
}

/// All that a message says, however long, put together.
#[derive(Default)]
struct All([String; 4]);

impl Words for All {
    fn field(&mut self, whose: Whose, name: &str, value: &str, ends: bool) {
        self.0[whose as usize] += &format!("{name}: ");
        self.rest(whose, value, ends);
    }

    fn rest(&mut self, whose: Whose, value: &str, ends: bool) {
        self.0[whose as usize] += value;
        self.0[whose as usize] += if ends { "\n" } else { "" };
    }

    fn text(&mut self, text: &str) {
        self.0[3] += text;
    }

    fn is_full(&self) -> bool {
        false
    }
}

fn all(message: &[u8], cut: usize) -> [String; 4] {
    let mut stream = Stream::new(All::default());
    message.chunks(cut).for_each(|piece| stream.feed(piece));
    stream.finish().1.0
}

#[test]
fn a_stream_tells_what_is_past_the_bounds() {
    let long = "word =?utf-8?Q?=C3=A4?=\r\n ".repeat(crate::structure::MAX_HEADER_KEPT / 20);
    let text = "a line\r\n".repeat(MAX_BODY / 4);
    let message = format!(
        "{}To: {long}end\r\nContent-Type: text/plain\r\nX: y\r\n\r\n{text}end",
        "Cc: a@example.org,\r\n b\r\n".repeat(20_000)
    );
    for cut in [1_000, usize::MAX] {
        let [header, _, _, body] = all(message.as_bytes(), cut);
        let lines: Vec<&str> = header.lines().collect();
        assert_eq!(lines.len(), 20_003);
        assert_eq!(
            (lines[19_999], lines[20_001], lines[20_002]),
            ("Cc: a@example.org, b", "Content-Type: text/plain", "X: y")
        );
        assert_eq!(lines[20_000].matches("word").count(), crate::structure::MAX_HEADER_KEPT / 20);
        assert!(lines[20_000].starts_with("To: word \u{e4} word") && lines[20_000].ends_with("\u{e4} end"));
        assert_eq!(body, text.replace('\r', "") + "end\n");
    }
}

#[test]
fn what_is_before_the_first_part_is_forgotten_if_it_is_short() {
    let message = |lines: usize| {
        let preamble = "preamble\n".repeat(lines);
        format!("Content-Type: multipart/mixed; boundary=b\n\n{preamble}\n--b\n\none\n--b--\n")
    };
    assert_eq!(extract(message(7_000).as_bytes()).body, "one\n");
    let long = extract(message(8_000).as_bytes()).body;
    assert!(long.starts_with("preamble\n") && long.ends_with("preamble\none\n"), "{}", long.len());
}

#[test]
fn html_is_read_as_it_is_meant() {
    let html = |html: &str, text: &str| {
        check(&format!("Content-Type: text/html; charset=utf-8\n\n{html}"), &format!("{text}\n"));
    };
    html("a < b &amp;&lt; c &unknown; &#x4e2d;&#228;&amp", "a < b &< c &unknown; \u{4e2d}\u{e4}&amp");
    html("<!-- > -- <p> -->a<!-->b<!doctype html>c<?x?>d", "abcd");
    html("<head><title>t</title><script>'<head>'<!--</script></head>a<template>b</template>c", "a c");
    html("<head><body>a", "a");
    html("one<div>two</div><b>th</b>ree<br/>four<BR>\n five</P>six", "one two three\nfour\nfive\nsix");
    html("<a title=\"x\">y</a\n>z<script>1<2</script><style>b{}</style>!", "yz !");
}

#[test]
fn previews_are_short() {
    let preview = |body: &str| preview(&Text { body: body.into(), ..Text::default() });
    assert_eq!(preview(" Hello,\n\n  you\u{200b}\t there \n"), "Hello, you there");
    assert_eq!(preview("> quoted\n>> more\nmine\n"), "mine");
    assert_eq!(preview("> quoted\n"), "> quoted");
    assert_eq!(preview(""), "");
    assert_eq!(preview(&"\u{e9}x ".repeat(500)).chars().count(), MAX_PREVIEW);
}

#[test]
fn case_and_composition_do_not_matter() {
    for (one, other) in [
        ("abc", "ABC"),
        ("\u{e4}", "A\u{308}"),
        ("\u{3b1}\u{3c9}", "\u{391}\u{3a9}"),
        ("\u{fb01}", "FI"),
        ("\u{ff71}", "\u{30a2}"),
    ] {
        assert_eq!(fold(one), fold(other));
    }
    assert_ne!(fold("a"), fold("\u{e4}"));
    assert_eq!(fold("\u{df}"), "\u{df}");
}

/// A part's content.
struct Read {
    charset: charset::Charset,
    html: Option<html::Html>,
    out: String,
}

impl Read {
    fn new(kind: &str, charset: &str) -> Self {
        let html = (kind == "html").then(html::Html::default);
        Self { charset: charset::Charset::new(Some(charset)), html, out: String::new() }
    }

    fn feed(&mut self, octets: &[u8], last: bool) {
        let mut text = String::new();
        self.charset.feed(octets, last, &mut text);
        let Some(html) = &mut self.html else { return self.out += &text };
        html.feed(&text, &mut self.out);
        if last {
            std::mem::take(html).finish(&mut self.out);
        }
    }
}

proptest! {
    #[test]
    fn it_does_not_matter_how_it_is_cut(message in "((Content-Type: (multipart/mixed; boundary=a|text/html; charset=x|text/plain; charset=utf-7)|Content-Transfer-Encoding: (base64|quoted-printable)|Subject: =?b?|<p>a=|=C3=|--a(--)?|é|)\r?\n){0,30}", cut in 1usize..40) {
        let mut extractor = Extractor::new();
        message.as_bytes().chunks(cut).for_each(|piece| extractor.feed(piece));
        let (parsed, text) = extractor.finish();
        prop_assert_eq!(text, extract(message.as_bytes()));
        let mut scanner = crate::structure::Scanner::new();
        scanner.feed(message.as_bytes());
        prop_assert_eq!(parsed, scanner.finish());
    }

    #[test]
    fn a_stream_does_not_depend_on_its_pieces(
        (kind, charset) in (prop::sample::select(vec!["html", "plain"]), prop::sample::select(vec!["utf-8", "utf-7", "iso-2022-jp", "big5", "windows-1252"])),
        body in "([ -~]|\\+ZeVnLIqe-|\u{1b}\\$BF\\|K\\\\8l\u{1b}\\(B|é|&(amp|#228|#x|lt);?|</?(br|p|b|head|script|body)( x=\"y\")?/?>|<!--|-->|\r?\n){0,40}",
        cut in 1usize..20,
    ) {
        let message = format!("Content-Type: text/{kind}; charset={charset}\n\n{body}");
        let expected = all(message.as_bytes(), usize::MAX);
        prop_assert_eq!(&all(message.as_bytes(), cut), &expected);
        // What is read at once is more than this.
        let (mut whole, mut pieces) = (Read::new(kind, charset), Read::new(kind, charset));
        whole.feed(body.as_bytes(), true);
        let mut rest = body.as_bytes();
        while !rest.is_empty() {
            let piece = &rest[..cut.min(rest.len())];
            rest = &rest[piece.len()..];
            pieces.feed(piece, rest.is_empty());
        }
        prop_assert_eq!(pieces.out, whole.out);
    }

    #[test]
    fn folding_in_pieces_is_folding_the_whole(pieces in prop::collection::vec("([a-z]|\u{308}|\u{327}|\u{345}|\u{ff9e}|é|ḝ|ﬁ|한|ß){0,6}", 0..8)) {
        let (mut folder, mut out) = (Folder::default(), String::new());
        pieces.iter().for_each(|piece| folder.feed(piece, &mut out));
        folder.finish(&mut out);
        prop_assert_eq!(out, fold(&pieces.concat()));
    }

    #[test]
    fn folding_by_runs_is_folding_the_whole(text in "([a-z]|\u{308}|\u{327}|\u{345}|é|ﬁ|한|ß){0,20}") {
        let one = |c: char| c.to_uppercase().collect::<String>().chars().count() == 1;
        let whole: String = text.nfkd().flat_map(|c| if one(c) { c.to_uppercase().collect() } else { vec![c] }).collect();
        prop_assert_eq!(fold(&text), whole);
    }

    #[test]
    fn folding_twice_changes_nothing(text in any::<String>()) {
        prop_assert_eq!(fold(&fold(&text)), fold(&text));
    }

    #[test]
    fn a_part_of_a_text_is_a_part_of_its_fold(before in "[a-zäΩ한ß]{0,9}", within in "[a-zäΩ한ß]{0,9}", after in "[a-zäΩ한ß]{0,9}") {
        let whole = [before, within.clone(), after].concat();
        prop_assert!(fold(&whole).contains(&fold(&within)));
    }
}
