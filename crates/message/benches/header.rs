//! What is read of every message's header: `cargo bench -p message`.

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use message::{Header, decode_words, parse_list};

fn main() {
    divan::main();
}

/// As a list's mail comes after a few hops: 40 fields, among them signatures that are folded.
fn header() -> Vec<u8> {
    let mut text = String::new();
    for hop in 0..6 {
        text += &format!(
            "Received: from mx{hop}.example.org (mx{hop}.example.org [192.0.2.{hop}])\r\n\tby mail.example.net with ESMTPS id 14qxjj5vr000{hop}\r\n\tfor <somebody@example.net>; Sat, 21 Nov 2026 16:08:0{hop} +0000\r\n"
        );
    }
    for selector in ["one", "two", "three"] {
        let signature = format!("\t{}\r\n", "QUJD".repeat(17)).repeat(5);
        text += &format!(
            "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org;\r\n\ts={selector}; h=From:To:Subject:Date; bh=frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=;\r\n\tb=\r\n{signature}"
        );
    }
    for number in 0..25 {
        text += &format!("X-List-Thing-{number}: a value of the usual length, more or less\r\n");
    }
    text += "From: =?utf-8?q?J=C3=B6rg?= <joerg@example.org>\r\nTo: somebody@example.net\r\nSubject: the usual\r\n\
             Message-ID: <1@example.org>\r\nDate: Sat, 21 Nov 2026 16:08:04 +0000\r\n\r\nHello.\r\n";
    text.into_bytes()
}

#[divan::bench]
fn find_the_end(bencher: Bencher<'_, '_>) {
    let header = header();
    bencher.counter(BytesCount::new(header.len())).bench(|| Header::parse(black_box(&header)).len());
}

#[divan::bench]
fn walk_the_fields(bencher: Bencher<'_, '_>) {
    let header = header();
    bencher
        .counter(BytesCount::new(header.len()))
        .bench(|| Header::parse(black_box(&header)).fields().filter(|field| field.name().is_some()).count());
}

/// As each delivery does: who it was delivered to before, how far it has come, and what it is about.
#[divan::bench]
fn look_for_fields(bencher: Bencher<'_, '_>) {
    let header = header();
    bencher.counter(BytesCount::new(header.len())).bench(|| {
        let header = Header::parse(black_box(&header));
        (header.hops(), header.contains("Message-ID"), header.get("Subject").map(|field| field.value()))
    });
}

#[divan::bench]
fn list_of_addresses(bencher: Bencher<'_, '_>) {
    let list =
        (0..50).map(|n| format!("\"Somebody {n}\" <somebody{n}@example.org>")).collect::<Vec<_>>().join(", ");
    bencher
        .counter(BytesCount::new(list.len()))
        .bench(|| parse_list(black_box(&list)).map(|list| list.len()));
}

#[divan::bench]
fn encoded_words(bencher: Bencher<'_, '_>) {
    let words = "=?utf-8?b?R3LDvMOfZSBhdXMgS8O2bG4=?= =?iso-8859-1?q?und_Z=FCrich?= ".repeat(10);
    bencher.counter(BytesCount::new(words.len())).bench(|| decode_words(black_box(&words)).len());
}
