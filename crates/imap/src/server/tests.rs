//! What only the inside can see.

use super::event::{Decision, Event};
use super::{Config, Session};
use crate::response::{Data, Status};
use std::time::Instant;

/// 10,000 of them wait in IDLE.
#[test]
fn a_session_that_waits_holds_no_buffers() {
    let now = Instant::now();
    let config = Config { require_tls: false, ..Config::new("mx.example") };
    let mut session = Session::new(config, now);
    for input in [
        &format!("a LOGIN {{5000+}}\r\n{}\r\n", "x".repeat(5_000)),
        "a FROBNICATE {9+}\r\n123456789\r\n",
        "a LOGIN {1+}\r\nm s\r\n",
        "a NOOP\r\nb NOOP\r\n",
        "a APPEND INBOX {3+}\r\nabc\r\n",
        "a APPEND INBOX {3}\r\n",
        "abc\r\n",
        "a APPEND INBOX {3+}\r\na\0c\r\n",
        "a SELECT {5}\r\n",
        "INBOX\r\n",
        "a IDLE\r\n",
    ] {
        session.handle_input(now, input.as_bytes());
        drive(&mut session, now);
        let midway = input.ends_with("{5}\r\n");
        assert!(midway || session.framer.capacity() == 0, "{input:?} leaves input");
        assert_eq!(session.context.held(), 0, "{input:?} leaves output or events");
    }
    assert!(session.is_idling());
    session.data(&Data::Exists(3));
    drive(&mut session, now);
    assert_eq!(session.context.held(), 0);
}

fn drive(session: &mut Session, now: Instant) {
    loop {
        while session.poll_transmit().is_some() {}
        match session.poll_event() {
            None => return,
            Some(Event::Login { .. }) => session.answer(now, Decision::LoggedIn),
            Some(Event::Message { .. }) => session.answer(now, Decision::Take),
            Some(Event::Command(_)) => session.finish(now, Status::ok("done")),
            Some(_) => {}
        }
    }
}
