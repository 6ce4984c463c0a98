//! A session that panics tells its client, and no other notices. In a process of its own: what makes it panic is the log.

#![allow(clippy::unwrap_used, reason = "the helpers of a test may panic")]

mod common;

use access::imap::Port;
use common::{Client, World};
use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Who logs in by this name makes the session panic, as the failure is logged.
const NAME: &str = "panic-on-purpose";
const PANICKED: &str = "a session panicked and was ended";

/// What was logged, a line an event.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= tracing::Level::INFO
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        assert!(!(line.0.contains("auth failed") && line.0.contains(NAME)), "{NAME}");
        self.0.lock().unwrap().push(line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn a_session_that_panics_says_so_and_ends_alone() {
    let log = Log::default();
    let _recording = tracing::subscriber::set_default(log.clone());
    let world = World::new().await;
    let mut pop3 = world.reader().await;
    let mut imap = Client::call(&world.listen_imap(Port::Imap)).await;
    imap.talk("S: …\nC: a LOGIN me@example.org secret\nS: a OK …").await;

    let mut faulty = world.client().await;
    faulty.talk("S: …").await;
    faulty.talk(&format!("C: USER {NAME}\nS: …\nC: PASS x\nS: -ERR [SYS/TEMP] a fault here …\nS: =")).await;
    let mut faulty = Client::call(&world.listen_imap(Port::Imap)).await;
    faulty.talk("S: …").await;
    faulty.talk(&format!("C: a LOGIN {NAME} x\nS: * BYE [SERVERBUG] a fault here …\nS: =")).await;

    pop3.talk("C: NOOP\nS: …\nC: QUIT\nS: …\nS: =").await;
    imap.talk("C: a NOOP\nS: a OK …\nC: a LOGOUT\nS: * BYE …\nS: a OK …\nS: =").await;
    let log = log.0.lock().unwrap().clone();
    for protocol in ["pop3", "imap"] {
        let count = |words: &[&str]| {
            let of_it = log.iter().filter(|line| line.contains(&format!("protocol={protocol}")));
            of_it.filter(|line| words.iter().all(|word| line.contains(word))).count()
        };
        assert_eq!(count(&["ERROR", PANICKED, NAME]), 1, "{log:#?}");
        assert_eq!(count(&["INFO", "session ended", NAME]), 1, "{log:#?}");
        assert_eq!(count(&["session ended"]), 2, "{log:#?}");
    }
}
