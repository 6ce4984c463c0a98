//! What the log says. In a process of its own: whether an event is of interest is remembered for the whole process,
//! and other tests beside this one have no log.

#![allow(clippy::unwrap_used, reason = "the helpers of a test may panic")]

mod common;

use common::World;
use std::io::Write;
use std::sync::{Arc, Mutex};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_log_has_one_line_a_failure_and_never_a_password() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _recording = tracing::subscriber::set_default(subscriber);
    let world = World::new().await;
    let mut client = world.client().await;
    client.talk("S: …\nC: USER evil\" peer=198.51.100.1\nS: …\nC: PASS wr0ng-passw0rd\nS: …").await;
    client.talk("C: USER me@example.org\nS: …\nC: PASS wr0ng-passw0rd\nS: …").await;
    client.log_in().await;
    client.talk("C: QUIT\nS: …\nS: =").await;
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let failures: Vec<&str> = text.lines().filter(|line| line.contains("auth failed")).collect();
    assert_eq!(failures.len(), 2, "{text}");
    assert!(failures[0].contains("auth failed protocol=pop3 peer=127.0.0.1 user=\"evil\\\" peer="), "{text}");
    assert!(
        failures[1].contains("auth failed protocol=pop3 peer=127.0.0.1 user=\"me@example.org\" "),
        "{text}"
    );
    assert!(text.contains("logged in protocol=pop3 peer=127.0.0.1 user=\"me@example.org\" mechanism=USER"));
    assert!(!text.contains("wr0ng-passw0rd") && !text.contains("secret"), "{text}");
}
