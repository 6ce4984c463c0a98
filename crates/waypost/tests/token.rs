//! `waypost send` with a token, against a server that follows a script.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may as well stop here")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};
use std::thread::JoinHandle;

const TOKEN: &str = "vF9dft4qmT\n";

/// Greets, then takes each line for its reply; what the client said.
fn serve(listener: TcpListener, replies: &'static [&'static str]) -> JoinHandle<Vec<String>> {
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let mut said = Vec::new();
        (&stream).write_all(b"220 mx.test ESMTP\r\n").unwrap();
        for reply in replies {
            said.extend(lines.next().map(Result::unwrap));
            (&stream).write_all(format!("{reply}\r\n").as_bytes()).unwrap();
        }
        said.extend(lines.map_while(Result::ok));
        said
    })
}

/// Logs in, and stops there; what was said after EHLO.
fn log_in(mechanism: &str, replies: &'static [&'static str]) -> (Output, Vec<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = serve(listener, replies);
    let place = address.to_string();
    let to = ["--to", "b@example.net", "--from", "ann@example.org", "--quit-after", "auth"];
    let mut child = Command::new(env!("CARGO_BIN_EXE_waypost"))
        .args(["send", "--server", &place, "--auth", "ann", "--mechanism", mechanism, "--password-stdin"])
        .args(to)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(TOKEN.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = server.join().unwrap();
    (output, said[1..].to_vec())
}

fn base64(text: &str) -> String {
    data_encoding::BASE64.encode(text.as_bytes())
}

const OFFER: &str = "250-mx.test\r\n250 AUTH PLAIN OAUTHBEARER XOAUTH2";
/// `{"status":"invalid_token"}`.
const ERROR: &str = "334 eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=";

#[test]
fn a_token_logs_in() {
    let replies = &[OFFER, "235 2.7.0 in", "221 2.0.0 bye"];
    let (output, said) = log_in("xoauth2", replies);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(said[0], format!("AUTH XOAUTH2 {}", base64("user=ann\x01auth=Bearer vF9dft4qmT\x01\x01")));
    let (output, said) = log_in("oauthbearer", replies);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    // An address has no place in `host=`.
    let message = base64("n,a=ann,\x01auth=Bearer vF9dft4qmT\x01\x01");
    assert_eq!(said[0], format!("AUTH OAUTHBEARER {message}"));
}

/// RFC 7628 §3.2.3: the response to the server's error means nothing, and lets it end the exchange.
#[test]
fn a_refused_token_is_shown_with_the_servers_error() {
    let replies = &[OFFER, ERROR, "535 5.7.8 no", "221 2.0.0 bye"];
    for (mechanism, dummy) in [("xoauth2", ""), ("oauthbearer", "AQ==")] {
        let (output, said) = log_in(mechanism, replies);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), said[1].as_str()), (Some(1), dummy), "{mechanism}: {told}");
        assert!(told.contains(r#"535 5.7.8 no: {"status":"invalid_token"}"#), "{mechanism}: {told}");
        assert!(!told.contains(TOKEN.trim()), "{told}");
    }
}
