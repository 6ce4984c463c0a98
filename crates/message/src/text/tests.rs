use super::*;
use proptest::prelude::*;

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
    assert!(long.cut && long.body.len() <= MAX_BODY + 1 && long.body.len() > MAX_BODY / 2);
    let header = extract(&b"A: some words\r\n".repeat(MAX_HEADER / 10));
    assert!(header.cut && header.header.len() <= MAX_HEADER);
    assert!(!extract(b"A: b\r\n\r\nc").cut);
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
