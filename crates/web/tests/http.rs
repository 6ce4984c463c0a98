//! The pages and the JSON over real connections on loopback.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may as well stop here")]

use bytes::Bytes;
use serde_json::Value;
use store::directory::{AccountRecord, DomainKind, DomainRecord};
use store::queue::{LocalCopy, NewMessage};
use store::trail::{Entry, Event, Origin};
use store::{Body, Id, Options, Store};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

const HTML: &str = "From: =?utf-8?Q?J=C3=B6rg?= <j@example.net>\r\nTo: you@example.org\r\nSubject: <b>Hi</b>\r\n\
    MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n\
    --m\r\nContent-Type: text/html\r\n\r\n<p onclick=x()>Hello</p><script>alert(1)</script>\
    <img src=\"http://tracker.example/\"><img src=\"cid:1@x\">\r\n\
    --m\r\nContent-Type: image/png\r\nContent-ID: <1@x>\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw==\r\n\
    --m\r\nContent-Type: text/html; name=\"../..\\\\x\\\"\u{fc}.html\"\r\nContent-Disposition: attachment\r\n\r\n\
    <script>alert(2)</script>\r\n--m--\r\n";

/// A server over a store with one account.
struct Served {
    store: Store,
    account: Id,
    port: u16,
    shutdown: net::Shutdown,
    serving: JoinHandle<()>,
    _folder: TempDir,
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    fn has(&self, header: &str) -> bool {
        self.head.lines().any(|line| line.to_lowercase() == header.to_lowercase())
    }
}

impl Served {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), &Options::default()).unwrap();
        let name = "localhost".parse().unwrap();
        let domain =
            DomainRecord { name, kind: DomainKind::Local, catch_all: None, language: None, quota: None };
        store.add_domain(domain, Vec::new()).await.unwrap();
        let account = AccountRecord::new("dev@localhost".parse().unwrap());
        let id = account.id;
        store.add_account(account, None).await.unwrap();
        let listener = net::Listener::bind(&"127.0.0.1:0".parse().unwrap(), None).unwrap();
        let net::Endpoint::Tcp(local) = listener.local().clone() else { panic!("not TCP") };
        let shutdown = net::Shutdown::new();
        let app = web::App {
            store: store.clone(),
            account: id,
            shutdown: shutdown.clone(),
            title: "Waypost dev".into(),
        };
        let serving = tokio::spawn(web::serve(listener, app));
        Self { store, account: id, port: local.port(), shutdown, serving, _folder: folder }
    }

    async fn deliver(&self, message: &str) -> Id {
        let id = Id::generate();
        let copy = LocalCopy {
            recipient: "you@example.org".parse().unwrap(),
            account: self.account,
            mailbox: "INBOX".into(),
            prefix: Bytes::from_static(b"Return-Path: <me@example.net>\r\n"),
            flags: 0,
        };
        let new = NewMessage {
            id,
            reverse_path: "me@example.net".parse().unwrap(),
            parameters: String::new(),
            body: Body::from_bytes(message.to_owned()),
            trace: Bytes::from_static(b"Received: from x by y\r\n"),
            origin: Origin::default(),
            local: vec![copy],
            remote: Vec::new(),
        };
        self.store.accept(new).await.unwrap();
        id
    }

    async fn plain(&self, subject: &str) -> Id {
        self.deliver(&format!("From: a@example.net\r\nSubject: {subject}\r\n\r\n{subject}!\r\n")).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[]).await
    }

    async fn ask(&self, method: &str, path: &str, fields: &[&str]) -> Answer {
        let host = format!("Host: localhost:{}", self.port);
        let mut request = vec![format!("{method} {path} HTTP/1.1")];
        if !fields.iter().any(|field| field.starts_with("Host:")) {
            request.push(host);
        }
        request.extend(fields.iter().map(|field| (*field).to_owned()));
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let request = request.join("\r\n") + "\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_owned(), body: body.to_owned() }
    }
}

#[tokio::test]
async fn the_newest_messages_come_first_and_can_be_found() {
    let served = Served::start().await;
    assert!(served.get("/").await.body.contains("No messages yet"));
    for number in 0..60 {
        served.plain(&format!("number {number:02}")).await;
    }
    let first = served.get("/").await;
    let place = |text: &str| first.body.find(text);
    assert!(place("number 59") < place("number 10") && place("number 59").is_some());
    assert_eq!((place("number 09"), first.body.contains("/?before=11")), (None, true));
    let second = served.get("/?before=11").await;
    assert!(second.body.contains("number 09") && second.body.contains("number 00"));
    assert!(!second.body.contains("number 10") && !second.body.contains("?before="));

    assert!(served.get("/?search=number+3x").await.body.contains("Nothing found"));
    let found = served.get("/?search=NUMBER+07").await.body;
    assert!(found.contains("number 07") && !found.contains("number 06"));

    let list = served.get("/api/messages?limit=2&before=30").await.json();
    let subjects: Vec<_> =
        list.as_array().unwrap().iter().map(|row| row["subject"].as_str().unwrap()).collect();
    assert_eq!(subjects, ["number 28", "number 27"]);
    assert_eq!(served.get("/api/messages?search=none").await.json(), serde_json::json!([]));
}

#[tokio::test]
async fn a_message_is_shown_in_all_its_parts() {
    let served = Served::start().await;
    let id = served.deliver(HTML).await;
    served.store.tell(Entry::now(id, Event::Note { text: "a note <i>".into() }));
    let list = served.get("/").await.body;
    assert!(list.contains("Jörg") && list.contains("class=\"unread\"") && !list.contains("<b>Hi"));
    let page = served.get("/messages/1").await.body;
    assert!(page.contains("<iframe") && page.contains("&#60;b&#62;Hi") && !page.contains("<b>Hi"));
    assert!(!served.get("/").await.body.contains("class=\"unread\""));
    for (tab, shown) in [
        ("text", "Hello"),
        ("headers", "Return-Path"),
        ("source", "boundary=m"),
        ("attachments", "/messages/1/attachments/2"),
        ("trail", "a note &#60;i&#62;"),
    ] {
        let page = served.get(&format!("/messages/1?tab={tab}")).await;
        assert!(page.status == 200 && page.body.contains(shown), "{tab}: {}", page.body);
    }
    let source = served.get("/messages/1/source").await;
    let whole = format!("Return-Path: <me@example.net>\r\nReceived: from x by y\r\n{HTML}");
    assert!(source.has("content-type: text/plain; charset=utf-8") && source.body == whole);
    assert!(source.has(&format!("content-length: {}", whole.len())));
    assert_eq!(served.get("/messages/2").await.status, 404);
    assert_eq!(served.get("/messages/x").await.status, 404);
}

#[tokio::test]
async fn programs_get_json_and_name_messages_by_the_id_of_the_reply() {
    let served = Served::start().await;
    let id = served.deliver(HTML).await;
    let message = served.get(&format!("/api/messages/{id}")).await.json();
    assert_eq!((&message["uid"], &message["id"]), (&1.into(), &id.to_string().into()));
    assert_eq!(message["from"], serde_json::json!([{ "name": "Jörg", "address": "j@example.net" }]));
    assert_eq!(message["subject"], "<b>Hi</b>");
    assert_eq!(message["text"].as_str().map(str::trim), Some("Hello"));
    assert_eq!(
        message["headers"][0],
        serde_json::json!({ "name": "Return-Path", "value": "<me@example.net>" })
    );
    assert_eq!(message["attachments"][1]["media_type"], "text/html");
    assert_eq!(message["unread"], true);
    assert!(message["trail"].is_array());
    assert_eq!(
        served.get("/api/messages/1/source").await.body.lines().next(),
        Some("Return-Path: <me@example.net>")
    );

    assert_eq!(served.ask("DELETE", &format!("/api/messages/{id}"), &[]).await.status, 204);
    let gone = served.get("/api/messages/1").await;
    assert!(gone.status == 404 && gone.json()["error"].is_string());
    served.plain("one").await;
    served.plain("two").await;
    assert_eq!(served.ask("DELETE", "/api/messages", &[]).await.json(), serde_json::json!({ "removed": 2 }));
    assert_eq!(served.get("/api/messages").await.json(), serde_json::json!([]));
}

#[tokio::test]
async fn html_is_harmless_and_in_a_frame_that_may_nothing() {
    let served = Served::start().await;
    served.deliver(HTML).await;
    let frame = served.get("/messages/1/html").await;
    assert!(frame.body.contains("<p>Hello</p>") && frame.body.contains("data:image/png;base64,iVBORw=="));
    for harm in ["<script", "onclick", "tracker"] {
        assert!(!frame.body.contains(harm), "{harm}");
    }
    assert!(frame.head.contains("content-security-policy: sandbox allow-popups"), "{}", frame.head);
    assert!(frame.head.contains("default-src 'none'") && frame.has("x-frame-options: SAMEORIGIN"));
    let page = served.get("/messages/1").await;
    assert!(page.body.contains("sandbox=\"allow-popups allow-popups-to-escape-sandbox\""));
    for path in ["/", "/messages/1", "/api/messages", "/nothing", "/healthz", "/assets/list.js"] {
        let answer = served.get(path).await;
        assert!(answer.head.contains("content-security-policy: default-src 'none'"), "{path}");
        assert!(
            answer.has("x-frame-options: DENY") && answer.has("x-content-type-options: nosniff"),
            "{path}"
        );
        assert!(answer.has("referrer-policy: same-origin"), "{path}");
    }
}

#[tokio::test]
async fn attachments_are_only_ever_saved_and_under_safe_names() {
    let served = Served::start().await;
    served.deliver(HTML).await;
    let file = served.get("/messages/1/attachments/2").await;
    assert_eq!((file.status, file.body.trim()), (200, "<script>alert(2)</script>"));
    assert!(file.head.contains("content-disposition: attachment; filename=\""), "{}", file.head);
    assert!(
        !file.head.contains("..") && !file.head.contains('\\') && file.head.contains("%C3%BC.html"),
        "{}",
        file.head
    );
    assert!(file.has("x-content-type-options: nosniff"));
    assert!(file.head.contains("content-security-policy: sandbox; default-src 'none'"));
    assert_eq!(served.get("/messages/1/attachments/9").await.status, 404);
}

#[tokio::test]
async fn other_names_and_other_sites_are_refused() {
    let served = Served::start().await;
    served.plain("kept").await;
    let check = async |method: &str, path: &str, fields: &[&str], status: u16| {
        assert_eq!(served.ask(method, path, fields).await.status, status, "{method} {path} {fields:?}");
    };
    check("GET", "/", &["Host: rebound.example:8025"], 421).await;
    check("GET", "/api/messages", &["Host: 192.0.2.1"], 421).await;
    check("GET", "/healthz", &["Host: 192.0.2.1"], 200).await;
    check("GET", "/", &["Host: [::1]:8025"], 200).await;
    for (method, path) in
        [("POST", "/messages/1/delete"), ("POST", "/delete-all"), ("DELETE", "/api/messages")]
    {
        check(method, path, &["Origin: http://evil.example"], 403).await;
        check(method, path, &["Origin: http://localhost:1"], 403).await;
        check(method, path, &["Sec-Fetch-Site: cross-site"], 403).await;
    }
    check("GET", "/delete-all", &[], 405).await;
    assert_eq!(served.store.inbox(served.account).unwrap().messages, 1);
    let own = format!("Origin: http://localhost:{}", served.port);
    check("POST", "/messages/1/delete", &[&own, "Sec-Fetch-Site: same-origin"], 303).await;
    assert_eq!(served.store.inbox(served.account).unwrap().messages, 0);
}

#[tokio::test]
async fn a_delivery_is_announced_and_a_stop_ends_the_announcements() {
    let served = Served::start().await;
    let mut stream = TcpStream::connect(("127.0.0.1", served.port)).await.unwrap();
    stream.write_all(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut lines = BufReader::new(stream).lines();
    // The answer's head says that listening has begun.
    while !lines.next_line().await.unwrap().unwrap().is_empty() {}
    served.plain("hear, hear").await;
    let mut next = async |start: &str| loop {
        let line = lines.next_line().await.unwrap().unwrap();
        if let Some(rest) = line.strip_prefix(start) {
            return rest.trim().to_owned();
        }
    };
    assert_eq!(next("event:").await, "message");
    let row: Value = serde_json::from_str(&next("data:").await).unwrap();
    assert_eq!((&row["uid"], &row["subject"]), (&1.into(), &"hear, hear".into()));
    served.ask("DELETE", "/api/messages/1", &[]).await;
    assert_eq!(next("event:").await, "removed");
    served.shutdown.trigger();
    served.serving.await.unwrap();
}
