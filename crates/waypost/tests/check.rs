//! `waypost check relay`, `tls` and `delivery`, against servers on loopback.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may as well stop here")]

mod support;

use smtp::Reply;
use smtp::server::Protocol;
use support::names::name_server;
use support::{Behaviour, Program, Server};

/// `good.test` with its MX, and a domain that takes no mail.
const NAMES: [&str; 3] = ["good.test MX 10 mx.test", "mx.test A 127.0.0.1", "null.test MX 0 ."];

fn refused() -> Option<Reply> {
    Some(Reply::new(550, (5, 7, 1), "no relaying here"))
}

#[test]
fn a_closed_server_takes_no_form() {
    let mut behaviour = Behaviour::new(Protocol::Smtp);
    behaviour.rcpt = |_| refused();
    let server = Server::start(behaviour);
    let ran = Program::new().run(&["check", "relay", &server.place, "--json"]).done();
    let json = ran.json();
    let forms = json["forms"].as_array().unwrap();
    assert!(forms.len() >= 20 && json["ok"] == true, "{json}");
    assert!(forms.iter().all(|form| form["taken"] == false && form["code"].as_u64() >= Some(500)), "{json}");
    let has = |to: &str| forms.iter().any(|form| form["to"] == to);
    assert!(
        has("<waypost-check%example.com@mx.test>") && has("<\"waypost-check@example.com\"@[127.0.0.1]>"),
        "{json}"
    );
    assert!(server.received().is_empty());
}

#[test]
fn a_server_that_falls_for_one_form_is_found_out() {
    let mut behaviour = Behaviour::new(Protocol::Smtp);
    behaviour.rcpt = |rcpt| if rcpt.to.to_string().contains('%') { None } else { refused() };
    let server = Server::start(behaviour);
    let ran = Program::new().run(&["check", "relay", &server.place]);
    assert_eq!(ran.code, Some(1));
    let taken = ran.out.lines().find(|line| line.starts_with("TAKEN   percent hack ")).unwrap();
    assert!(taken.contains("<waypost-check%example.com@mx.test>: 250"), "{taken}");
    assert!(ran.out.lines().any(|line| line.starts_with("refused plain ")), "{}", ran.out);
}

#[test]
fn nothing_that_could_be_tried_is_no_good_news() {
    let mut behaviour = Behaviour::new(Protocol::Smtp);
    behaviour.rcpt = |_| Some(Reply::new(450, (4, 7, 1), "greylisted"));
    let ran = Program::new().run(&["check", "relay", &Server::start(behaviour).place]);
    assert!(ran.code == Some(75) && ran.out.contains("not now plain"), "{ran:?}");
}

#[test]
fn every_form_is_in_the_help() {
    let program = Program::new();
    let help = program.run(&["check", "relay", "--help"]).done().out;
    let mut behaviour = Behaviour::new(Protocol::Smtp);
    behaviour.rcpt = |_| refused();
    let json = program.run(&["check", "relay", &Server::start(behaviour).place, "--json"]).json();
    for form in json["forms"].as_array().unwrap() {
        let name = form["form"].as_str().unwrap();
        assert!(help.contains(&format!("  {name} ")), "{name}: {help}");
    }
}

#[test]
fn tls_is_examined_after_starttls_and_from_the_start() {
    let mut implicit = Behaviour::new(Protocol::Submission);
    (implicit.config.tls, implicit.tls) = (true, true);
    for (behaviour, mode) in [(Behaviour::submission(), "starttls"), (implicit, "implicit")] {
        let server = Server::start(behaviour);
        let ran = Program::new().run(&["check", "tls", &server.place, "--json"]);
        // Nobody trusts the certificate of a test.
        assert_eq!(ran.code, Some(1), "{ran:?}");
        let json = ran.json();
        assert_eq!((&json["mode"], &json["version"]), (&mode.into(), &"TLSv1.3".into()));
        let certificate = &json["certificate"];
        assert_eq!(certificate["names"], serde_json::json!(["mx.test", "localhost"]));
        assert!(certificate["valid"] == false && certificate["days_left"].as_i64() > Some(1000), "{json}");
        let accepted: Vec<bool> =
            json["versions"].as_array().unwrap().iter().map(|v| v["accepted"].as_bool().unwrap()).collect();
        assert_eq!(accepted, [true, true, false, false], "1.3, 1.2, 1.1, 1.0: {json}");
    }
}

/// Answers the greeting's and one command's worth of a mailbox protocol, and then begins TLS that never comes.
fn mailbox_server(greeting: &'static str, asked: &'static str, answer: &'static str) -> String {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let _ = stream.write_all(greeting.as_bytes());
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut line = String::new();
            let _ = reader.read_line(&mut line);
            let ours = if line == asked { answer } else { "what?\r\n" };
            let _ = stream.write_all(ours.as_bytes());
            // The first octet of a handshake, if one comes, and no answer to it.
            let _ = reader.read(&mut [0]);
        }
    });
    place
}

#[test]
fn tls_of_mailbox_protocols_is_asked_for_in_their_words() {
    for (greeting, asked, answer) in [
        ("+OK hello\r\n", "STLS\r\n", "-ERR not here\r\n"),
        ("* OK hello\r\n", "a STARTTLS\r\n", "* CAPABILITY IMAP4rev2\r\na BAD not here\r\n"),
    ] {
        let ran = Program::new().run(&["check", "tls", &mailbox_server(greeting, asked, answer)]);
        let refused = format!("the server refused {}: {}", asked.trim(), answer.lines().last().unwrap());
        assert!(ran.code == Some(1) && ran.err.contains(&refused), "{asked}: {ran:?}");
    }
}

/// Speaks TLS 1.1 alone: says ServerHello to a ClientHello of that version, and `protocol_version` to others (RFC 5246 §7.2.2).
fn tls_1_1_server() -> String {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut head = [0; 11];
            if stream.read_exact(&mut head).is_err() {
                continue;
            }
            let mut rest = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]])) - 6];
            let _ = stream.read_exact(&mut rest);
            let answer: &[u8] = match head[9..] {
                [3, 2] => &[22, 3, 2, 0, 50, 2, 0, 0, 46, 3, 2],
                _ => &[21, 3, 2, 0, 2, 2, 70],
            };
            let _ = stream.write_all(answer);
            let _ = stream.shutdown(std::net::Shutdown::Write);
            // Until the client has read it.
            let _ = stream.read(&mut [0]);
        }
    });
    place
}

#[test]
fn a_server_of_old_versions_alone_is_named_as_that() {
    let place = tls_1_1_server();
    let ran = Program::new().run(&["check", "tls", &place, "--json"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let json = ran.json();
    let accepted: Vec<bool> =
        json["versions"].as_array().unwrap().iter().map(|v| v["accepted"].as_bool().unwrap()).collect();
    assert_eq!(accepted, [false, false, true, false], "1.3, 1.2, 1.1, 1.0: {json}");
    assert!(json["ok"] == false && json["version"].is_null() && json["certificate"].is_null(), "{json}");
    let problems = json["problems"].to_string();
    assert!(problems.contains("neither TLS 1.3 nor 1.2, only TLSv1.1"), "{json}");
    assert!(problems.contains("which RFC 8996 forbids"), "{json}");
    let ran = Program::new().run(&["check", "tls", &place]);
    assert!(ran.code == Some(1) && ran.out.contains("TLSv1.1    accepted"), "{ran:?}");
}

#[test]
fn no_tls_is_a_no() {
    let server = Server::start(Behaviour::new(Protocol::Smtp));
    let ran = Program::new().run(&["check", "tls", &server.place]);
    assert!(ran.code == Some(1) && ran.err.contains("STARTTLS"), "{ran:?}");
}

/// A machine whose mail hosts are called at this server's port.
fn machine(server: &Server) -> Program {
    let program = Program::new();
    let port = server.address().port();
    program.write("waypost.toml", format!("hostname = 'mail.example.org'\n[delivery]\nport = {port}\n"));
    program
}

#[test]
fn the_way_to_an_address_is_explained_step_by_step() {
    let server = Server::start(Behaviour::submission());
    let (program, dns) = (machine(&server), name_server(&NAMES));
    let words = ["check", "delivery", "ann@good.test", "--from", "me@example.org", "--dns", &dns];
    let ran = program.run(&words).done();
    let steps: Vec<&str> = ran.out.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
    assert_eq!(
        &steps[..8],
        ["syntax", "domain", "addresses", "connect", "greeting", "tls", "mail", "rcpt"],
        "{}",
        ran.out
    );
    for part in
        ["goes to mx.test (10)", "mx.test is 127.0.0.1", "TLSv1.3", "250 2.1.5", "no message was sent"]
    {
        assert!(ran.out.contains(part), "{part}: {}", ran.out);
    }
    let json = program.run(&[&words[..], &["--json"]].concat()).done().json();
    assert_eq!((&json["ok"], &json["steps"][1]["result"]), (&true.into(), &"good".into()));
    assert!(server.received().is_empty());
}

#[test]
fn where_the_way_ends_it_says_why_and_what_to_do() {
    let mut behaviour = Behaviour::new(Protocol::Smtp);
    behaviour.rcpt = |rcpt| match rcpt.to.to_string().starts_with("<no") {
        true => Some(Reply::new(550, (5, 1, 1), "unknown")),
        false => Some(Reply::new(451, (4, 7, 1), "greylisted")),
    };
    let server = Server::start(behaviour);
    let (program, dns) = (machine(&server), name_server(&NAMES));
    for (address, code, step, words) in [
        ("ann@none.test", 1, "domain", "does not exist"),
        ("ann@null.test", 1, "domain", "takes no mail at all"),
        ("no@good.test", 1, "rcpt", "550 5.1.1 unknown"),
        ("no@[127.0.0.1]", 1, "rcpt", "550 5.1.1 unknown"),
        ("later@good.test", 75, "rcpt", "451 4.7.1 greylisted"),
        ("later@localhost", 75, "rcpt", "451 4.7.1 greylisted"),
    ] {
        let ran = program.run(&["check", "delivery", address, "--dns", &dns, "--json"]);
        let json = ran.json();
        let last = json["steps"].as_array().unwrap().last().unwrap();
        assert_eq!((ran.code, last["step"].as_str()), (Some(code), Some(step)), "{address}: {json}");
        assert!(
            last["text"].as_str().unwrap().contains(words) && last["hint"].is_string(),
            "{address}: {json}"
        );
    }
    assert_eq!(program.run(&["check", "delivery", "no-address"]).code, Some(2));
}

#[test]
fn routes_are_followed() {
    let server = Server::start(Behaviour::new(Protocol::Smtp));
    let program = Program::new();
    let route = format!(
        "[[route]]\ndomain = 'far.test'\nto = 'smtp://{}'\n[[route]]\ndomain = 'here.test'\nto = 'mailbox'\n",
        server.place
    );
    program.write("waypost.toml", format!("hostname = 'h'\n{route}"));
    let far = program.run(&["check", "delivery", "a@far.test"]).done();
    assert!(
        far.out.contains(&format!("smtp://{}", server.place)) && far.out.contains("250 2.1.5"),
        "{}",
        far.out
    );
    let here = program.run(&["check", "delivery", "a@here.test"]).done();
    assert!(here.out.contains("does not leave this machine"), "{}", here.out);
}

#[test]
fn an_lmtp_server_on_a_socket_is_asked() {
    let mut behaviour = Behaviour::new(Protocol::Lmtp);
    behaviour.rcpt = |rcpt| {
        let no = rcpt.to.to_string().starts_with("<no");
        no.then(|| Reply::new(550, (5, 1, 1), "unknown"))
    };
    let program = Program::new();
    let socket = program.path("lmtp.sock").display().to_string();
    let _server = Server::start_at(&format!("unix:{socket}"), behaviour);
    program.write(
        "waypost.toml",
        format!("hostname = 'h'\n[[route]]\ndomain = 'lists.test'\nto = 'lmtp://{socket}'\n"),
    );
    let taken = program.run(&["check", "delivery", "a@lists.test"]).done();
    assert!(taken.out.contains("answers at") && taken.out.contains("250 2.1.5"), "{}", taken.out);
    let refused = program.run(&["check", "delivery", "no@lists.test"]);
    assert!(refused.code == Some(1) && refused.out.contains("550 5.1.1 unknown"), "{refused:?}");
}

#[test]
fn only_addresses_of_the_configured_family_are_called() {
    let server = Server::start(Behaviour::new(Protocol::Smtp));
    let (program, dns) = (Program::new(), name_server(&NAMES));
    let port = server.address().port();
    program.write("waypost.toml", format!("hostname = 'h'\n[delivery]\nport = {port}\nfamily = 'ipv6'\n"));
    // There is an IPv4 address only.
    let ran = program.run(&["check", "delivery", "ann@good.test", "--dns", &dns]);
    assert!(ran.code == Some(1) && !ran.out.contains("127.0.0.1"), "{ran:?}");
}

#[test]
fn addresses_of_ours_are_followed_to_those_who_get_the_mail() {
    let server = Server::start(Behaviour::new(Protocol::Smtp));
    let program = Program::new();
    let route = format!("[[route]]\ndomain = 'far.test'\nto = 'smtp://{}'\n", server.place);
    program.write("waypost.toml", format!("hostname = 'h.test'\ndata = 'data'\n{route}"));
    program.run(&["domain", "add", "here.test"]).done();
    program.run_with(&["account", "add", "ann@here.test", "--password-stdin"], "a long enough one\n").done();
    program.run(&["alias", "add", "info@here.test", "ann@here.test", "x@far.test"]).done();
    let ran = program.run(&["check", "delivery", "info@here.test"]).done();
    for part in
        ["the mailbox of ann@here.test", "an alias leads on to x@far.test", "x@far.test is taken: 250"]
    {
        assert!(ran.out.contains(part), "{part}: {}", ran.out);
    }
    let unknown = program.run(&["check", "delivery", "no@here.test"]);
    assert!(unknown.code == Some(1) && unknown.out.contains("has no such address"), "{unknown:?}");
}
