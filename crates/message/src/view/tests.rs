use super::*;
use proptest::prelude::*;

fn read(message: &str) -> (View, Vec<u8>) {
    let raw = message.replace('\n', "\r\n").into_bytes();
    (View::read(&raw), raw)
}

#[test]
fn the_header_is_decoded() {
    let (view, _) = read(
        "From: =?iso-8859-1?Q?J=F6rg?= <j@x.example>\nTo: Us: a@x.example, b@x.example;\nSubject: =?utf-8?B?SMOk?=\n =?utf-8?B?bg==?=\nDate: Sat, 1 Jan 2028 10:00:00 +0100\n\nhi\n",
    );
    assert_eq!(view.from[0].name.as_deref(), Some("J\u{f6}rg"));
    assert_eq!(view.to.len(), 2);
    assert_eq!(view.subject, "H\u{e4}n");
    assert_eq!(view.date.map(Timestamp::as_second), Some(1_830_330_000));
    assert_eq!(view.fields[2], ("Subject".into(), "H\u{e4}n".into()));
}

#[test]
fn text_is_found_wherever_it_is() {
    let check = |message: &str, text: &str, html: Option<&str>, attachments: &[(&str, &str)]| {
        let (view, _) = read(message);
        let found: Vec<_> =
            view.attachments.iter().map(|a| (a.name.as_str(), a.media_type.as_str())).collect();
        assert_eq!(view.text(), text, "{message}");
        assert_eq!(view.html(|id| Some(format!("/{id}"))).as_deref(), html, "{message}");
        assert_eq!(found, attachments, "{message}");
    };
    check("Subject: x\n\nplain\n", "plain\n", None, &[]);
    check(
        "Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\n=E9\n",
        "\u{e9}\n",
        None,
        &[],
    );
    check("Content-Type: text/html\n\n<p>a<b>b</b></p>", "ab\n", Some("<p>a<b>b</b></p>"), &[]);
    check(
        "Content-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: multipart/alternative; boundary=i\n\n--i\n\nplain\n--i\nContent-Type: multipart/related; boundary=r\n\n--r\nContent-Type: text/html\n\n<img src=\"cid:1@x\">\n--r\nContent-Type: image/png\nContent-ID: <1@x>\n\nPNG\n--r--\n--i--\n--o\nContent-Type: text/plain\nContent-Disposition: attachment; filename*=utf-8''%C3%BC.txt\n\nfile\n--o\n\nfooter\n--o--\n",
        "plain\nfooter",
        Some("<img src=\"/1@x\"><hr><pre>footer</pre>"),
        &[("attachment.png", "image/png"), ("\u{fc}.txt", "text/plain")],
    );
    check(
        "Content-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: message/rfc822\n\nSubject: in\n\nx\n--o--\n",
        "",
        None,
        &[("attachment.eml", "message/rfc822")],
    );
}

#[test]
fn large_html_is_shown_as_text() {
    let (view, _) = read(&format!("Content-Type: text/html\n\n{}a &lt;b&gt;", "<div>".repeat(300_000)));
    assert_eq!(view.html(|_| None).unwrap().trim_start_matches("<pre>").trim(), "a &lt;b&gt;</pre>");
}

#[test]
fn attachments_are_extracted_by_number() {
    let (view, raw) = read(
        "Content-Type: multipart/mixed; boundary=o\n\n--o\n\ntext\n--o\nContent-Type: application/pdf; name=\"a.pdf\"\nContent-Transfer-Encoding: base64\n\ncGRm\n--o\nContent-Type: message/rfc822\n\nSubject: in\n\nx\n--o--\n",
    );
    let contents: Vec<_> = view.attachments.iter().map(|a| content(&raw, a.part).unwrap()).collect();
    assert_eq!(contents, [b"pdf".to_vec(), b"Subject: in\r\n\r\nx".to_vec()]);
    assert_eq!(view.attachments[0].size, 3);
    assert_eq!(content(&raw, 9), None);
}

#[test]
fn names_are_safe_to_save_under() {
    let check = |name: &str, safe: &str| assert_eq!(file_name(name, "text/plain"), safe, "{name:?}");
    check("report.pdf", "report.pdf");
    check("../../etc/passwd", "passwd");
    check("C:\\Windows\\x.exe", "x.exe");
    check("..", "attachment.txt");
    check("", "attachment.txt");
    check(".bashrc", "bashrc");
    check("a\0b\r\nc.txt", "abc.txt");
    check("evil\u{202e}fdp.exe", "evilfdp.exe");
    check("CON.txt", "_CON.txt");
    check("lpt1", "_lpt1");
    check("com10.txt", "com10.txt");
    check("a:b?.txt", "a_b_.txt");
    check("-rf", "rf");
    check("-.!", "!");
    check(" -. -~", "attachment.txt");
    check(&format!("{}.pdf", "\u{fc}".repeat(200)), &format!("{}.pdf", "\u{fc}".repeat(73)));
}

proptest! {
    #[test]
    fn any_name_becomes_safe(name in "\\PC{0,200}|[\\x00-\\x7f]{0,40}") {
        let safe = file_name(&name, "x/y");
        prop_assert!(!safe.is_empty() && safe.len() <= 160 && !safe.starts_with('.'));
        prop_assert!(!safe.contains(['/', '\\', '\0', '\r', '\n']));
    }

    #[test]
    fn any_message_can_be_read(head in "((Content-Type|Content-Disposition|Date|To|Subject|Content-ID): (multipart/(mixed|alternative|related); boundary=b|message/rfc822|text/html|attachment; filename=x|[ -~]{0,30})\r\n){0,4}", body in "(--b(--)?\r\n|\r\n|<p|>|é|Content-Type: text/html\r\n){0,30}") {
        let raw = format!("{head}\r\n{body}");
        let view = View::read(raw.as_bytes());
        let _ = (view.text(), view.html(|_| None));
        for attachment in &view.attachments {
            prop_assert_eq!(content(raw.as_bytes(), attachment.part).map(|c| c.len()), Some(attachment.size));
        }
    }
}
