//! Both ends on loopback, in one process. TLS and logins are in the package's tests, as the sink has no certificate.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may as well stop here")]

use super::plan::Plan;
use super::report::{Counts, Problem, Report, SinkReport};
use super::sink::Sink;
use super::{Args, generator};
use crate::cli::{Cli, Command};
use crate::exit::Exit;
use indicatif::ProgressBar;
use serde_json::Value;
use std::future::pending;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

fn args(words: &str) -> Args {
    let Command::Bench(args) = Cli::parse_words(words.split(' ')).unwrap().command else {
        unreachable!("the words are of bench")
    };
    *args
}

async fn plan(server: &str, words: &str) -> Plan {
    let words = format!("waypost bench --server {server} {words}");
    Plan::new(&args(words.trim_end()).load).await.unwrap()
}

async fn generate(plan: Plan) -> Report {
    generator::run(plan, &ProgressBar::hidden(), pending()).await
}

async fn load(server: &str, words: &str) -> Report {
    generate(plan(server, words).await).await
}

/// A sink that ends after so many messages, and where it is.
fn sink(messages: u64) -> (String, JoinHandle<SinkReport>) {
    let sink = Sink::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let place = sink.local().to_string();
    (place, tokio::spawn(sink.run(Some(messages), pending())))
}

fn accepted(accepted: u64) -> Counts {
    Counts { accepted, ..Counts::default() }
}

fn refused(refused: u64) -> Counts {
    Counts { refused, ..Counts::default() }
}

#[tokio::test]
async fn the_sink_takes_what_the_generator_sends() {
    let (place, taken) = sink(40);
    let words = "--connections 4 --messages 40 --size 5000 --recipients 3";
    let sent = load(&place, words).await;
    assert!(sent.ok, "{sent:?}");
    assert_eq!((sent.counts, sent.recipients, sent.unsent), (accepted(40), accepted(120), 0));
    assert_eq!((sent.exit(), sent.connections_opened), (Exit::Done, 40));
    assert!(sent.latency_ms.is_some_and(|latency| latency.p50 <= latency.max), "{sent:?}");
    let taken = taken.await.unwrap();
    assert_eq!((taken.messages, taken.recipients, taken.connections), (40, 120, 40));
    assert_eq!(taken.octets, 40 * 5000);
}

#[tokio::test]
async fn connections_are_kept_when_asked() {
    let (place, taken) = sink(50);
    let sent = load(&place, "--connections 2 --messages 50 --size 200000 --keep").await;
    assert_eq!((sent.counts, sent.connections_opened), (accepted(50), 2));
    assert_eq!(taken.await.unwrap().octets, 50 * 200_000);
}

#[tokio::test]
async fn no_more_than_the_rate() {
    let (place, _taken) = sink(5);
    let sent = load(&place, "--messages 5 --rate 50").await;
    // The fifth is due after four intervals of 20 ms.
    assert!(sent.ok && sent.seconds >= 0.08, "{sent:?}");
}

/// Serves one connection after another, each after a pause, so that of two messages due at once the second waits for the first.
async fn stalling(pause: Duration) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::time::sleep(pause).await;
            let _ = converse(stream, 1).await;
        }
    });
    place
}

#[tokio::test]
async fn who_waited_for_a_stalled_server_counts_from_when_it_was_due() {
    let pause = Duration::from_millis(200);
    let place = stalling(pause).await;
    // One connection at a time: the last is due after 2 ms, and begins after two pauses at least.
    let sent = load(&place, "--messages 3 --connections 1 --rate 1000").await;
    let latest = sent.latency_ms.unwrap().max;
    assert!(sent.ok && latest >= 390.0, "{sent:?}");
    let sent = load(&stalling(pause).await, "--messages 1 --connections 1").await;
    assert!(sent.ok && sent.latency_ms.unwrap().max < sent.seconds * 1000.0 - 190.0, "{sent:?}");
}

#[tokio::test]
async fn an_interruption_leaves_the_rest_unsent() {
    let (place, taken) = sink(1);
    let plan = plan(&place, "--messages 100 --connections 1 --rate 1").await;
    // The first is due at once, the second long after the sink has had its one and is gone.
    let stop = async { drop(taken.await) };
    let sent = generator::run(plan, &ProgressBar::hidden(), stop).await;
    assert!(sent.unsent >= 99 && sent.counts.failed == 0, "{sent:?}");
    assert_eq!(sent.exit(), Exit::No);
}

/// A server without extensions that refuses `no@…` and recipients that end in `2`, and closes after so many messages.
async fn strict(messages: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(converse(stream, messages));
        }
    });
    place
}

async fn converse(stream: TcpStream, mut left: usize) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 strict.test\r\n").await?;
    let (mut line, mut in_data) = (String::new(), false);
    while left > 0 && stream.read_line(&mut line).await? > 0 {
        let reply = match line.trim_end() {
            "." => {
                in_data = false;
                left -= 1;
                "250 2.0.0 kept"
            }
            _ if in_data => "",
            "DATA" => {
                in_data = true;
                "354 go on"
            }
            rcpt if rcpt.starts_with("RCPT TO:<no@") || rcpt.ends_with("2@localhost>") => {
                "550 5.1.1 no such user"
            }
            _ => "250 strict.test",
        };
        if !reply.is_empty() {
            stream.write_all(format!("{reply}\r\n").as_bytes()).await?;
        }
        line.clear();
    }
    Ok(())
}

#[tokio::test]
async fn a_refused_recipient_is_counted_as_refused() {
    let sent = load(&strict(1).await, "--messages 3 --connections 1 --to no@localhost").await;
    assert_eq!((sent.counts, sent.recipients), (refused(3), refused(3)));
    assert_eq!((sent.ok, sent.exit(), sent.latency_ms), (false, Exit::No, None));
    assert_eq!(sent.problems, [Problem { text: "550 5.1.1 no such user".to_owned(), count: 3 }]);
}

#[tokio::test]
async fn a_message_with_one_good_recipient_is_accepted() {
    let sent = load(&strict(1).await, "--messages 2 --recipients 3").await;
    assert_eq!(sent.counts, accepted(2));
    assert_eq!(sent.recipients, Counts { accepted: 4, refused: 2, failed: 0 });
    assert_eq!((sent.ok, sent.exit()), (false, Exit::No));
}

#[tokio::test]
async fn a_connection_that_the_server_closes_between_messages_costs_none() {
    let sent = load(&strict(2).await, "--messages 6 --connections 1 --keep").await;
    assert_eq!((sent.counts, sent.connections_opened), (accepted(6), 3), "{sent:?}");
    assert!(sent.ok, "{sent:?}");
}

#[tokio::test]
async fn nobody_there_ends_it_soon_and_for_later() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let sent = load(&free.to_string(), "--messages 100000 --connections 3").await;
    assert_eq!((sent.counts.accepted, sent.exit()), (0, Exit::TryAgain));
    assert!((100..110).contains(&sent.counts.failed), "{sent:?}");
    assert_eq!(sent.counts.failed + sent.unsent, 100_000);
}

#[tokio::test]
async fn the_documents_keep_their_keys() {
    let check = |document: Value, expected: &[&str]| {
        let mut keys: Vec<&str> = document.as_object().unwrap().keys().map(String::as_str).collect();
        let mut expected = expected.to_vec();
        keys.sort_unstable();
        expected.sort_unstable();
        assert_eq!(keys, expected);
    };
    let (place, taken) = sink(1);
    let sent = serde_json::to_value(load(&place, "--messages 1").await).unwrap();
    check(sent["latency_ms"].clone(), &["p50", "p90", "p99", "max"]);
    check(sent["recipients"].clone(), &["accepted", "refused", "failed"]);
    assert!(sent["cpu_us_per_message"].is_f64() && sent["problems"].is_array(), "{sent}");
    let generator = "server ok connections connections_opened messages size rate recipients_each tls auth keep accepted refused failed unsent recipients \
        seconds messages_per_second megabytes_per_second latency_ms cpu_us_per_message problems";
    check(sent, &generator.split_ascii_whitespace().collect::<Vec<_>>());
    let sink = "listen messages recipients octets connections seconds messages_per_second megabytes_per_second \
        cpu_us_per_message";
    let taken = serde_json::to_value(taken.await.unwrap()).unwrap();
    check(taken, &sink.split_ascii_whitespace().collect::<Vec<_>>());
}

#[tokio::test]
async fn what_is_beyond_all_bounds_is_refused() {
    for words in ["--connections 50001", "--recipients 10001", "--size 1025MiB"] {
        let all = format!("waypost bench --server 127.0.0.1:1 {words}");
        let refused = Plan::new(&args(&all).load).await.unwrap_err();
        let word = words.split(' ').next().unwrap();
        assert!(refused.exit == Exit::Usage && refused.message.contains(word), "{words}: {refused}");
    }
}
