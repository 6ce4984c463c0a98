//! Reports posted to a web server of the test's own.

use super::{NEXT_NOON, NOW, World, session};
use crate::Settings;
use address::Secret;
use dns::Fixed;
use jiff::Timestamp;
use mailauth::report::tls::{Report, ResultType};
use mailauth::report::unpack;
use net::tls::{KeyPair, TlsServer, TlsServerSettings};
use net::{Endpoint, Listener, Shutdown};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const QUARTER: i64 = 15 * 60;

/// Takes requests, and answers each with the next status; the last one stays.
struct Web {
    port: u16,
    asked: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Web {
    async fn start(statuses: &'static [&'static str]) -> Self {
        // For a name that nobody asks for, by an authority that nobody trusts.
        let made = rcgen::generate_simple_self_signed(vec!["else.example".to_owned()]).unwrap();
        let pair = KeyPair::Pem {
            certificate: made.cert.pem().into_bytes(),
            key: Secret::new(made.signing_key.serialize_pem().into_bytes()),
        };
        let tls =
            TlsServer::new(TlsServerSettings { certificates: vec![pair], ..Default::default() }).unwrap();
        let listener = Listener::bind(&"127.0.0.1:0".parse().unwrap(), None).unwrap();
        let Endpoint::Tcp(address) = listener.local() else { panic!() };
        let (port, asked) = (address.port(), Arc::default());
        let kept: Arc<Mutex<Vec<Vec<u8>>>> = Arc::clone(&asked);
        tokio::spawn(async move {
            for number in 0.. {
                let mut stream = listener.accept().await.unwrap().start_tls(&tls).await.unwrap();
                let mut request = Vec::new();
                while !is_whole(&request) && stream.read_buf(&mut request).await.unwrap() > 0 {}
                kept.lock().unwrap().push(request);
                let status = statuses.get(number).or_else(|| statuses.last()).unwrap();
                let answer =
                    format!("HTTP/1.1 {status}\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n");
                // Who asks may leave when it knows the status.
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
            }
        });
        Self { port, asked }
    }

    /// Requests so far.
    fn count(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    /// The only request: its head, and the report in it.
    fn only(&self) -> (String, Report) {
        let asked = self.asked.lock().unwrap();
        assert_eq!(asked.len(), 1);
        let end = head_end(&asked[0]).unwrap();
        let content = unpack(&asked[0][end..]).unwrap();
        (String::from_utf8(asked[0][..end].to_vec()).unwrap(), Report::parse(&content).unwrap())
    }
}

fn head_end(request: &[u8]) -> Option<usize> {
    Some(request.windows(4).position(|four| four == b"\r\n\r\n")? + 4)
}

fn is_whole(request: &[u8]) -> bool {
    let Some(end) = head_end(request) else { return false };
    let head = std::str::from_utf8(&request[..end]).unwrap();
    let length = head.split("\r\n").find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
    request.len() == end + length.parse::<usize>().unwrap()
}

/// A world whose sender.example wants its TLS reports at these places (`PORT` is the web server's), with one session to report.
async fn world(rua: &str, web: &Web) -> World {
    let record = format!("v=TLSRPTv1; rua={}", rua.replace("PORT", &web.port.to_string()));
    let dns = Fixed::new().with_txt("_smtp._tls.sender.example", &record).with_a("web.example", "127.0.0.1");
    let world = World::new(dns).await;
    world.reports.set_settings(Settings { post_anywhere: true, ..Settings::default() });
    world.reports.count_session(session(Some(ResultType::CertificateExpired)), NOW);
    world.reports.flush().await;
    world
}

impl World {
    /// What is due so many seconds after noon of the next day is sent and posted.
    async fn at_noon_and(&self, later: i64) {
        let now = Timestamp::from_second(NEXT_NOON + later).unwrap();
        self.reports.send_due(now, &Shutdown::new()).await;
        self.reports.post_due(now).await;
    }
}

/// RFC 8460 §5.4; §3: a certificate that is not valid does not matter.
#[tokio::test]
async fn a_report_is_posted() {
    let web = Web::start(&["201 Created"]).await;
    let world = world("https://web.example:PORT/v1/tlsrpt?for=sender", &web).await;
    world.at_noon_and(0).await;
    let (head, report) = web.only();
    let begin = format!("POST /v1/tlsrpt?for=sender HTTP/1.1\r\nHost: web.example:{}\r\n", web.port);
    assert!(
        head.starts_with(&begin) && head.contains("\r\nContent-Type: application/tlsrpt+gzip\r\n"),
        "{head}"
    );
    let (policy, domain) = (&report.policies[0], report.policies[0].domain().to_string());
    assert_eq!((policy.successful, policy.failed, domain.as_str()), (0, 1, "sender.example"));
    // It is done.
    world.at_noon_and(24 * 3600).await;
    assert_eq!(web.count(), 1);
}

/// RFC 8460 §3: more than one place.
#[tokio::test]
async fn each_place_gets_the_report() {
    let web = Web::start(&["200 OK"]).await;
    let rua = "https://web.example:PORT/a,mailto:tls@sender.example,https://web.example:PORT/b,\
               https://nowhere.example/,mailto:more@sender.example";
    let world = world(rua, &web).await;
    let mut feed = world.store.queue_feed().unwrap();
    world.at_noon_and(0).await;
    let mut mailed = Vec::new();
    while let Ok(fresh) = feed.try_recv() {
        mailed.push(fresh.recipients[0].address.to_string());
    }
    assert_eq!(mailed, ["tls@sender.example", "more@sender.example"]);
    let asked: Vec<_> = web.asked.lock().unwrap().iter().map(|request| request[..7].to_vec()).collect();
    assert!(asked.len() == 2 && asked.contains(&b"POST /a".to_vec()) && asked.contains(&b"POST /b".to_vec()));
    // The place that does not exist is tried again, and nobody else hears anything twice.
    world.at_noon_and(QUARTER).await;
    assert_eq!((web.count(), feed.try_recv().is_err()), (2, true));
}

/// RFC 8460 §5.5.
#[tokio::test]
async fn what_is_not_taken_is_posted_again() {
    let web = Web::start(&["503 Busy", "302 Found\r\nLocation: https://else.example/", "202 Accepted"]).await;
    let world = world("https://web.example:PORT/", &web).await;
    for (later, count) in
        [(0, 1), (QUARTER - 1, 1), (QUARTER, 2), (2 * QUARTER, 2), (3 * QUARTER, 3), (100 * QUARTER, 3)]
    {
        world.at_noon_and(later).await;
        assert_eq!(web.count(), count, "{later}");
    }
}

#[tokio::test]
async fn a_day_later_it_is_given_up() {
    let web = Web::start(&["404 Not Found"]).await;
    let world = world("https://web.example:PORT/", &web).await;
    for quarter in 0..200 {
        world.at_noon_and(quarter * QUARTER).await;
    }
    assert_eq!(web.count(), 7);
    assert_eq!(world.store.due_posts(i64::MAX, 10).unwrap(), []);
}

/// A stranger's record must not have us knock at doors of our own network.
#[tokio::test]
async fn nothing_is_posted_to_private_addresses() {
    let web = Web::start(&["200 OK"]).await;
    let world = world("https://web.example:PORT/", &web).await;
    world.reports.set_settings(Settings::default());
    world.at_noon_and(0).await;
    assert_eq!((web.count(), world.store.due_posts(i64::MAX, 10).unwrap().len()), (0, 1));
}
