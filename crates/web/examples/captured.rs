//! The pages over a store of made-up mail, to look at them: `cargo run -p web --example captured -- 8025`.
//! With a number as a second argument, a message arrives every so many seconds.

use bytes::Bytes;
use std::time::Duration;
use store::directory::{AccountRecord, DomainKind, DomainRecord};
use store::queue::{LocalCopy, NewMessage};
use store::trail::{Delivery, Entry, Event, Origin};
use store::{Body, Id, Options, Store};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const PIXELS: &str = "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAFElEQVR4nGNkYPj/n4GBgYGBgQEADiACAf9bbqEAAAAASUVORK5CYII=";

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let port: u16 = arguments.next().map_or(Ok(8025), |port| port.parse())?;
    let pause: Option<u64> = arguments.next().map(|seconds| seconds.parse()).transpose()?;
    let folder = tempfile::tempdir()?;
    let store = Store::open(folder.path(), &Options::default())?;
    let account = account(&store).await?;
    for number in 1..=60 {
        deliver(&store, account, "robot@ci.example", "dev@example.org", &plain(number)).await?;
    }
    deliver(&store, account, "shop@example.com", "customer@example.org", &newsletter()).await?;
    deliver(&store, account, "", "me@example.org", b"From: =?utf-8?B?5bGx55Sw5aSq6YOO?= <yamada@example.jp>\r\nTo: a@example.org, b@example.org, c@example.org, d@example.org\r\n\r\nNo subject here.\r\n").await?;
    let listener = net::Listener::bind(&format!("127.0.0.1:{port}").parse()?, None)?;
    println!("http://localhost:{port}/");
    if let Some(pause) = pause {
        let store = store.clone();
        tokio::spawn(async move {
            for number in 1000.. {
                tokio::time::sleep(Duration::from_secs(pause)).await;
                let sent =
                    deliver(&store, account, "robot@ci.example", "dev@example.org", &plain(number)).await;
                sent.unwrap_or_else(|error| eprintln!("{error}"));
            }
        });
    }
    let shutdown = net::Shutdown::new();
    web::serve(listener, web::App { store, account, shutdown, title: "Waypost dev".into() }).await;
    Ok(())
}

async fn account(store: &Store) -> Result<Id> {
    let name = "localhost".parse()?;
    let domain = DomainRecord { name, kind: DomainKind::Local, catch_all: None, language: None, quota: None };
    store.add_domain(domain, Vec::new()).await?;
    let account = AccountRecord::new("dev@localhost".parse()?);
    let id = account.id;
    store.add_account(account, None).await?;
    Ok(id)
}

async fn deliver(store: &Store, account: Id, from: &str, to: &str, message: &[u8]) -> Result<()> {
    let (id, size) = (Id::generate(), message.len() as u64);
    let origin = Origin {
        session: "example".into(),
        via: "smtp".into(),
        client: "127.0.0.1:50123".parse().ok(),
        helo: "app.example".into(),
        protocol: "ESMTP".into(),
        ..Origin::default()
    };
    let prefix = format!("Return-Path: <{from}>\r\nDelivered-To: {to}\r\n");
    let copy = LocalCopy {
        recipient: to.parse()?,
        account,
        mailbox: "INBOX".into(),
        prefix: Bytes::from(prefix),
        flags: 0,
    };
    let reverse_path =
        if from.is_empty() { address::ReversePath::Null } else { from.parse::<address::ReversePath>()? };
    let new = NewMessage {
        id,
        reverse_path,
        parameters: String::new(),
        body: Body::from_bytes(message.to_vec()),
        trace: Bytes::from_static(b"Received: from app.example ([127.0.0.1]) by localhost with ESMTP;\r\n\tSat, 1 Jan 2028 10:00:00 +0000\r\n"),
        origin: origin.clone(),
        local: vec![copy],
        remote: Vec::new(),
    };
    store.accept(new).await?;
    let delivery =
        Delivery { recipient: to.into(), account: "dev@localhost".into(), mailbox: "INBOX".into() };
    let accepted = Event::Accepted {
        origin,
        from: from.into(),
        recipients: vec![to.into()],
        delivered: vec![delivery],
        size,
        verdicts: Vec::new(),
    };
    store.tell(Entry::now(id, accepted));
    Ok(())
}

fn plain(number: u32) -> Vec<u8> {
    format!(
        "From: Build Robot <robot@ci.example>\r\nTo: dev@example.org\r\nDate: Sat, 1 Jan 2028 10:00:00 +0000\r\n\
         Subject: Build {number} of the main branch has passed all of its many tests\r\n\r\n\
         Hello,\r\n\r\nsee https://ci.example/build/{number}?verbose=1 for the log.\r\n\r\n-- \r\nthe robot\r\n"
    )
    .into_bytes()
}

fn newsletter() -> Vec<u8> {
    let html = "<style>body{background:red}</style><h1>Spring sale</h1><p onclick=\"alert(1)\">Dear customer, \
                <b>everything</b> is <a href=\"https://shop.example/sale?u=1\">cheaper now</a>.</p>\
                <img src=\"cid:logo@shop\" width=\"120\" height=\"120\" alt=\"Our logo\">\
                <img src=\"https://tracker.example/open.gif\" alt=\"\"><script>alert(2)</script>\
                <table><tr><th>Thing</th><th>Price</th></tr><tr><td>Lamp</td><td>19 €</td></tr></table>";
    format!(
        "From: \"The Shop, Inc.\" <shop@example.com>\r\nTo: =?utf-8?Q?J=C3=B6rg_M=C3=BCller?= <customer@example.org>\r\n\
         Cc: Accounts <accounts@example.com>\r\nDate: Sat, 1 Jan 2028 10:00:00 +0100\r\nSubject: =?utf-8?Q?Spring_sale_=E2=80=93_everything_=C2=BD?=\r\n\
         MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\nContent-Type: multipart/related; boundary=r\r\n\r\n\
         --r\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{html}\r\n\
         --r\r\nContent-Type: image/png; name=logo.png\r\nContent-ID: <logo@shop>\r\nContent-Transfer-Encoding: base64\r\n\r\n{PIXELS}\r\n--r--\r\n\
         --m\r\nContent-Type: application/pdf; name=\"../../Rechnung \\\"2028\\\".pdf\"\r\nContent-Disposition: attachment\r\n\
         Content-Transfer-Encoding: base64\r\n\r\nJVBERi0xLjQ=\r\n--m--\r\n"
    )
    .into_bytes()
}
