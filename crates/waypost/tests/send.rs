//! `waypost send`, each of its words against a real dialogue on loopback.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may as well stop here")]

mod support;

use smtp::Reply;
use smtp::parameter::Body;
use smtp::server::Protocol;
use support::{Behaviour, PASSWORD, Program, Ran, Server, USER};

fn plain() -> Server {
    Server::start(Behaviour::new(Protocol::Smtp))
}

/// Sends to `server` with these words after the usual ones.
fn send(server: &Server, words: &[&str]) -> Ran {
    let all = ["send", "--server", &server.place, "--to", "bob@example.net"];
    Program::new().run(&[&all, words].concat())
}

/// As [`send`], logging in with `password`.
fn send_as(server: &Server, password: &str, words: &[&str]) -> Ran {
    let all =
        ["send", "--server", &server.place, "--to", "bob@example.net", "--auth", USER, "--password-stdin"];
    Program::new().run_with(&[&all, words].concat(), format!("{password}\n"))
}

#[test]
fn the_shortest_command_sends_a_whole_message() {
    let server = plain();
    let ran = send(&server, &["--subject", "hi", "--body", "text"]).done();
    assert_eq!(
        ran.out,
        format!("{} took the message for bob@example.net: 250 2.0.0 kept as 1\n", server.place)
    );
    let got = server.only();
    assert!(got.mail.from.to_string().starts_with("<ann@"), "{got:?}");
    for part in [
        "From: ann@",
        "To: bob@example.net\r\n",
        "Subject: hi\r\n",
        "Message-ID: <",
        "Date: ",
        "\r\n\r\ntext\r\n",
    ] {
        assert!(got.message.contains(part), "{part}: {}", got.message);
    }
}

#[test]
fn header_and_envelope_are_as_they_were_asked_for() {
    let server = plain();
    let words =
        ["--from", "me@example.org", "--cc", "c@example.net,bob@example.net", "--bcc", "d@example.net"];
    let header =
        ["--header", "X-Colour: grün", "--header", "Subject: other", "--subject", "this", "--body", "x\ny"];
    send(&server, &[&words[..], &header].concat()).done();
    let got = server.only();
    assert_eq!(got.mail.from.to_string(), "<me@example.org>");
    let to: Vec<String> = got.recipients.iter().map(|rcpt| rcpt.to.to_string()).collect();
    assert_eq!(to, ["<bob@example.net>", "<c@example.net>", "<d@example.net>"]);
    assert!(got.message.contains("Cc: c@example.net, bob@example.net\r\n"), "{}", got.message);
    assert!(got.message.contains("X-Colour: =?utf-8?"), "{}", got.message);
    assert!(got.message.contains("Subject: other\r\n") && !got.message.contains("this"), "{}", got.message);
    assert!(!got.message.contains("d@example.net"), "nobody sees a bcc: {}", got.message);
    assert!(got.message.ends_with("x\r\ny\r\n"), "{}", got.message);
}

#[test]
fn the_null_sender_has_an_author_all_the_same() {
    let server = plain();
    send(&server, &["--from", "<>", "--body", "x"]).done();
    let got = server.only();
    assert!(got.mail.from.is_null() && got.message.contains("From: ann@"), "{got:?}");
}

#[test]
fn the_body_may_come_from_standard_input() {
    for words in [&["--body", "-"][..], &[]] {
        let server = plain();
        let all = ["send", "--server", &server.place, "--to", "bob@example.net"];
        Program::new().run_with(&[&all, words].concat(), "piped\n.\nafter the dot").done();
        assert!(server.only().message.ends_with("piped\r\n.\r\nafter the dot\r\n"), "{:?}", server.only());
    }
}

#[test]
fn files_are_attached() {
    let (server, program) = (plain(), Program::new());
    let file = program.write("über.png", b"\x89PNG");
    let words =
        ["send", "--server", &server.place, "--to", "b@example.net", "--body", "see", "--attach", &file];
    program.run(&words).done();
    let got = server.only().message;
    let view = message::View::read(got.as_bytes());
    let attached = &view.attachments[0];
    assert_eq!((attached.name.as_str(), attached.media_type.as_str()), ("über.png", "image/png"));
    assert_eq!(message::content(got.as_bytes(), attached.part).unwrap(), b"\x89PNG");

    let missing =
        program.run(&["send", "--server", &server.place, "--to", "b@example.net", "--attach", "none"]);
    assert!(missing.code == Some(1) && missing.err.contains("none"), "{missing:?}");
}

#[test]
fn a_raw_file_goes_out_as_it_is_but_for_its_line_ends() {
    let (server, program) = (plain(), Program::new());
    let file = program.write("m.eml", "Subject: r\nX: 1\n\n.dot\ngrün\n");
    program.run(&["send", "--server", &server.place, "--to", "b@example.net", "--raw", &file]).done();
    let got = server.only();
    assert_eq!(got.message, "Subject: r\r\nX: 1\r\n\r\n.dot\r\ngrün\r\n");
    assert_eq!(got.mail.parameters.body, Some(Body::EightBitMime));
    let all = ["send", "--server", &server.place, "--to", "b@example.net", "--raw", "-"];
    program.run_with(&all, "A: b\n\nstdin").done();
    assert_eq!(server.received()[1].message, "A: b\r\n\r\nstdin\r\n");
}

#[test]
fn a_server_without_8bitmime_gets_seven_bits() {
    // HELO alone: such a server offers nothing at all.
    let server = scripted(
        "220 old\r\n",
        &[
            ("EHLO", "502 what?\r\n"),
            ("HELO", "250 old\r\n"),
            ("MAIL", "250 a\r\n"),
            ("RCPT", "250 b\r\n"),
            ("DATA", "354 c\r\n"),
            (".", "250 d\r\n"),
            ("QUIT", "221 e\r\n"),
        ],
    );
    let program = Program::new();
    let file = program.write("m.eml", "Subject: r\n\ngrün\n");
    let ran = program
        .run(&["send", "--server", &server, "--to", "b@example.net", "--raw", &file, "--trace"])
        .done();
    assert!(ran.out.contains("C: MAIL FROM:<ann@") && !ran.out.contains("BODY="), "{}", ran.out);
    assert!(ran.out.contains("C: gr=C3=BCn"), "{}", ran.out);
}

#[test]
fn notifications_are_asked_for() {
    let server = plain();
    let words = ["--body", "x", "--notify", "success,delay", "--ret", "hdrs", "--envid", "a b+1"];
    send(&server, &words).done();
    let got = server.only();
    assert_eq!(
        got.mail.parameters.to_string(),
        format!(" SIZE={} RET=HDRS ENVID=a+20b+2B1", got.message.len())
    );
    assert_eq!(got.recipients[0].to_string(), "RCPT TO:<bob@example.net> NOTIFY=SUCCESS,DELAY");
    assert_eq!(send(&server, &["--notify", "never,delay"]).code, Some(2));
}

#[test]
fn each_mechanism_logs_in() {
    let server = Server::start(Behaviour::submission());
    let mechanisms = [
        "plain",
        "login",
        "cram-md5",
        "scram-sha-1",
        "scram-sha-1-plus",
        "scram-sha-256",
        "scram-sha-256-plus",
    ];
    for (n, mechanism) in mechanisms.into_iter().enumerate() {
        let ran = send_as(&server, PASSWORD, &["--mechanism", mechanism, "--body", "x", "--trace"]).done();
        let name = mechanism.to_uppercase();
        assert!(ran.out.contains(&format!("C: AUTH {name}")), "{}", ran.out);
        assert!(!ran.out.contains("Y29ycmVjdCBob3JzZ"), "the password is shown: {}", ran.out);
        let got = server.received().pop().unwrap();
        assert_eq!((server.received().len(), got.user.as_deref(), got.tls), (n + 1, Some(USER), true));
        // Whoever logs in is the sender, if nobody says otherwise.
        assert_eq!(got.mail.from.to_string(), format!("<{USER}>"));
    }
    let best = send_as(&server, PASSWORD, &["--body", "x", "--trace"]).done();
    assert!(best.out.contains("C: AUTH SCRAM-SHA-256-PLUS [secret]"), "{}", best.out);
    assert!(best.out.contains("S: 334 [secret]") && !best.out.contains("S: 334 dj"), "{}", best.out);
}

#[test]
fn a_wrong_password_is_a_no() {
    let server = Server::start(Behaviour::submission());
    let ran = send_as(&server, "wrong", &["--body", "x"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("535 5.7.8 wrong user or password"), "{}", ran.err);
    assert!(server.received().is_empty());
    let none = send_as(&plain(), PASSWORD, &["--body", "x"]);
    assert!(none.code == Some(1) && none.err.contains("does not offer AUTH"), "{none:?}");
}

#[test]
fn tls_is_used_as_asked() {
    let starttls = Server::start(Behaviour::submission());
    for (words, tls) in
        [(&["--tls", "auto"][..], true), (&["--tls", "none"], false), (&["--tls", "starttls"], true)]
    {
        send(&starttls, &[words, &["--body", "x"]].concat()).done();
        assert_eq!(starttls.received().pop().unwrap().tls, tls, "{words:?}");
    }
    let mut behaviour = Behaviour::new(Protocol::Submission);
    (behaviour.config.tls, behaviour.tls) = (true, true);
    let implicit = Server::start(behaviour);
    let ran = send(&implicit, &["--tls", "smtps", "--insecure", "--body", "x", "--json"]).done();
    assert_eq!((&ran.json()["tls"]["verified"], implicit.only().tls), (&false.into(), true));
    let refused = send(&plain(), &["--tls", "starttls", "--body", "x"]);
    assert!(refused.code == Some(1) && refused.err.contains("STARTTLS"), "{refused:?}");
}

#[test]
fn refusals_are_told_apart_from_delays() {
    let mut behaviour = Behaviour::new(Protocol::Smtp);
    behaviour.rcpt = |rcpt| match rcpt.to.to_string().as_str() {
        "<no@example.net>" => Some(Reply::new(550, (5, 1, 1), "no such user")),
        "<later@example.net>" => Some(Reply::new(450, (4, 2, 0), "come again")),
        _ => None,
    };
    let server = Server::start(behaviour);
    for (to, code, words) in [
        ("no@example.net", 1, "refused the message for no@example.net (at RCPT): 550 5.1.1 no such user"),
        ("later@example.net", 75, "did not take the message now for later@example.net (at RCPT): 450"),
        ("a@example.net,no@example.net,later@example.net", 1, "took the message for a@example.net: 250"),
        ("a@example.net,b@example.net", 0, "took the message for a@example.net, b@example.net: 250"),
    ] {
        let ran = Program::new().run(&["send", "--server", &server.place, "--to", to, "--body", "x"]);
        assert_eq!(ran.code, Some(code), "{to}: {ran:?}");
        assert!(ran.out.contains(words), "{to}: {}", ran.out);
    }
    let json = Program::new().run(&[
        "send",
        "--server",
        &server.place,
        "--to",
        "no@example.net",
        "--body",
        "x",
        "--json",
    ]);
    let one = &json.json()["messages"][0]["recipients"][0];
    assert_eq!((json.code, &one["status"], &one["code"]), (Some(1), &"refused".into(), &550.into()));
}

#[test]
fn a_server_that_will_not_talk() {
    let mut behaviour = Behaviour::new(Protocol::Smtp);
    behaviour.greeting = || Some(Reply::new(554, (5, 7, 1), "not you"));
    let ran = send(&Server::start(behaviour), &["--body", "x"]);
    assert!(ran.code == Some(1) && ran.err.contains("554 5.7.1 not you"), "{ran:?}");
    // A port that was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let program = Program::new();
    let ran = program.run(&["send", "--server", &free, "--to", "b@example.net", "--body", "x"]);
    assert!(ran.code == Some(75) && ran.err.contains("cannot connect to"), "{ran:?}");
    let ran = program.run(&["send", "--server", &free, "--to", "b@example.net", "--body", "x", "--json"]);
    assert!(
        ran.code == Some(75) && ran.json()["error"].as_str().unwrap().contains("cannot connect"),
        "{ran:?}"
    );
}

#[test]
fn one_connection_carries_many_messages() {
    let server = plain();
    let ran = send(&server, &["--count", "3", "--body", "x", "--trace"]).done();
    assert_eq!(ran.out.matches("C: EHLO").count(), 1);
    let ids: std::collections::HashSet<String> = server
        .received()
        .iter()
        .map(|got| got.message.lines().find(|line| line.starts_with("Message-ID")).unwrap().to_owned())
        .collect();
    assert_eq!(ids.len(), 3, "each has an id of its own");
}

#[test]
fn a_server_with_small_limits_gets_all_of_it_in_pieces() {
    let mut behaviour = Behaviour::new(Protocol::Smtp);
    (behaviour.config.limits.recipients, behaviour.config.limits.messages) = (2, 2);
    let server = Server::start(behaviour);
    let all = "a@x.example,b@x.example,c@x.example,d@x.example,e@x.example";
    let ran = Program::new().run(&["send", "--server", &server.place, "--to", all, "--body", "x"]).done();
    assert!(ran.out.contains(&all.replace(',', ", ")), "{}", ran.out);
    let sizes: Vec<usize> = server.received().iter().map(|got| got.recipients.len()).collect();
    assert_eq!(sizes, [2, 2, 1]);
}

#[test]
fn lmtp_over_a_socket_has_a_reply_for_each() {
    let program = Program::new();
    let socket = format!("unix:{}", program.path("lmtp.sock").display());
    let server = Server::start_at(&socket, Behaviour::new(Protocol::Lmtp));
    let ran = program
        .run(&["send", "--server", &socket, "--to", "a@x.example,root", "--body", "x", "--trace"])
        .done();
    assert!(
        ran.out.contains("C: LHLO ") && ran.out.contains("a@x.example, root: 250 2.0.0 kept"),
        "{}",
        ran.out
    );
    assert_eq!(server.only().recipients.len(), 2);
}

#[test]
fn the_configured_server_is_called() {
    let (server, program) = (Server::start(Behaviour::submission()), Program::new());
    let secret = program.write("secret", format!("{PASSWORD}\n"));
    let host = format!("hostname = 'mail.example.org'\ndata = '{}'\n", program.folder().display());
    let smarthost = format!(
        "[delivery]\nsmarthost = 'smtp://{}'\nusername = '{USER}'\npassword-file = '{secret}'\n",
        server.place
    );
    program.write("waypost.toml", format!("{host}{smarthost}"));
    program.run(&["send", "--to", "b@example.net", "--body", "x"]).done();
    let got = server.only();
    assert_eq!(
        (got.user.as_deref(), got.mail.from.to_string()),
        (Some(USER), "<ann@mail.example.org>".into())
    );

    let own = plain();
    program.write("waypost.toml", format!("{host}[listen]\nsmtp = ['{}']\n", own.place));
    program.run(&["send", "--to", "b@example.net", "--body", "x"]).done();
    assert_eq!(own.received().len(), 1);

    let socket = format!("unix:{}", program.path("submit.sock").display());
    let local = Server::start_at(&socket, Behaviour::new(Protocol::Submission));
    program.run(&["send", "--to", "root", "--body", "x"]).done();
    assert_eq!((local.received().len(), own.received().len()), (1, 1));
}

/// The lines of a dialogue with the times, and what else differs each time, masked.
fn masked(ran: &Ran, server: &str) -> String {
    let line = |line: &str| match line.split_at_checked(8) {
        Some((time, rest)) if time.trim().parse::<f64>().is_ok() => format!("[time]{rest}\n"),
        _ => format!("{line}\n"),
    };
    ran.out.lines().map(line).collect::<String>().replace(server, "[server]")
}

#[test]
fn the_trace_is_the_dialogue_line_by_line() {
    let (server, program) = (plain(), Program::new());
    let file = program.write("m.eml", "A: b\n\n.x\n");
    let words = ["--raw", &file, "--from", "me@example.org", "--helo", "client.example", "--trace"];
    let ran = send(&server, &words).done();
    let expected = "\
[time] -- connected to [server]
[time] S: 220 mx.test ESMTP
[time] C: EHLO client.example
[time] S: 250-mx.test
[time] S: 250-PIPELINING
[time] S: 250-SIZE 52428800
[time] S: 250-8BITMIME
[time] S: 250-ENHANCEDSTATUSCODES
[time] S: 250-CHUNKING
[time] S: 250-BINARYMIME
[time] S: 250-SMTPUTF8
[time] S: 250-DSN
[time] S: 250 LIMITS MAILMAX=1000 RCPTMAX=1000
[time] C: MAIL FROM:<me@example.org> SIZE=12
[time] C: RCPT TO:<bob@example.net>
[time] C: BDAT 12 LAST
[time] C: A: b
[time] C: 
[time] C: .x
[time] S: 250 2.1.0 sender ok
[time] S: 250 2.1.5 recipient ok
[time] S: 250 2.0.0 kept as 1
[time] C: QUIT
[time] S: 221 2.0.0 mx.test closes the connection
[server] took the message for bob@example.net: 250 2.0.0 kept as 1
";
    assert_eq!(masked(&ran, &server.place), expected);
    let json = send(&server, &[&words[..], &["--json"]].concat()).done().json();
    assert_eq!(json["trace"][2]["text"], "EHLO client.example");
    assert_eq!((&json["trace"][2]["who"], json["trace"][2]["seconds"].is_f64()), (&"client".into(), true));
}

#[test]
fn it_stops_after_any_stage() {
    let server = Server::start(Behaviour::submission());
    let commands = |ran: &Ran| -> Vec<String> {
        let lines = ran.out.lines().filter_map(|line| line.split_once("C: "));
        lines.map(|(_, line)| line.split(' ').next().unwrap_or_default().to_owned()).collect()
    };
    for (stage, expected) in [
        ("connect", "QUIT"),
        ("ehlo", "EHLO QUIT"),
        ("starttls", "EHLO STARTTLS EHLO QUIT"),
        ("mail", "EHLO STARTTLS EHLO MAIL QUIT"),
        ("RCPT", "EHLO STARTTLS EHLO MAIL RCPT QUIT"),
        ("data", "EHLO STARTTLS EHLO MAIL RCPT DATA"),
    ] {
        let ran = send(&server, &["--quit-after", stage, "--trace"]).done();
        assert_eq!(commands(&ran).join(" "), expected, "{stage}: {}", ran.out);
        let last = format!("stopped after {}, as asked", stage.to_lowercase());
        assert!(ran.out.lines().last().unwrap().starts_with(&last), "{}", ran.out);
    }
    let ran = send_as(&server, PASSWORD, &["--quit-after", "auth", "--trace"]).done();
    assert!(commands(&ran).join(" ").starts_with("EHLO STARTTLS EHLO AUTH [secret]"), "{}", ran.out);
    assert_eq!(send(&server, &["--quit-after", "auth"]).code, Some(2));
    assert!(server.received().is_empty());
}

#[test]
fn a_probe_says_who_would_be_taken() {
    let mut behaviour = Behaviour::new(Protocol::Smtp);
    behaviour.rcpt = |rcpt| {
        let no = rcpt.to.to_string() == "<no@example.net>";
        no.then(|| Reply::new(550, (5, 1, 1), "no such user"))
    };
    let server = Server::start(behaviour);
    let ran = send(&server, &["--to", "no@example.net", "--quit-after", "rcpt"]);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.out.contains("would take the message for bob@example.net: 250 2.1.5 recipient ok"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("refused the message for no@example.net (at RCPT): 550 5.1.1"), "{}", ran.out);
    let alone = Program::new().run(&[
        "send",
        "--server",
        &server.place,
        "--to",
        "no@example.net",
        "--quit-after",
        "rcpt",
    ]);
    assert_eq!(alone.code, Some(1), "{alone:?}");
}

#[test]
fn a_person_goes_on_typing() {
    let server = plain();
    let typed = "MAIL FROM:<x@example.org>\nRCPT TO:<y@example.net>\nDATA\nSubject: typed\n\nRSET is text here\n.\nQUIT\n";
    let all = ["send", "--server", &server.place, "--to", "b@example.net", "--interactive"];
    let ran = Program::new().run_with(&all, typed).done();
    assert_eq!(server.only().message, "Subject: typed\r\n\r\nRSET is text here\r\n");
    assert!(
        ran.out.contains("C: RCPT TO:<y@example.net>") && ran.out.contains("S: 250 2.0.0 kept as 1"),
        "{}",
        ran.out
    );

    let after = [&all[..], &["--quit-after", "rcpt", "--from", "me@example.org"]].concat();
    Program::new().run_with(&after, "DATA\nhi\n.\n").done();
    assert_eq!(server.received()[1].mail.from.to_string(), "<me@example.org>");

    let auth = Server::start(Behaviour::submission());
    let all = ["send", "--server", &auth.place, "--to", "b@example.net", "--interactive", "--tls", "none"];
    let ran =
        Program::new().run_with(&all, "AUTH PLAIN AHgAc2VjcmV0\nAUTH LOGIN\ndXNlcg==\ncGFzcw==\n").done();
    assert_eq!(ran.out.matches("535 5.7.8").count(), 2, "{}", ran.out);
    for secret in ["AHgAc2VjcmV0", "dXNlcg==", "cGFzcw=="] {
        assert!(!ran.out.contains(secret), "{}", ran.out);
    }
}

#[test]
fn a_person_types_starttls_and_goes_on_in_tls() {
    let server = Server::start(Behaviour::submission());
    let all = ["send", "--server", &server.place, "--to", "b@example.net", "--interactive", "--tls", "none"];
    let typed = "starttls\nEHLO me.example\nMAIL FROM:<x@example.org>\nRCPT TO:<y@example.net>\nDATA\n\nSTARTTLS\n.\n";
    let ran = Program::new().run_with(&all, typed).done();
    let got = server.only();
    assert_eq!((got.tls, got.message.as_str()), (true, "\r\nSTARTTLS\r\n"));
    let at = |text: &str| ran.out.find(text).unwrap_or_else(|| panic!("{text}: {}", ran.out));
    assert!(
        at("C: STARTTLS") < at("-- TLSv1.3") && at("-- TLSv1.3") < at("C: EHLO me.example"),
        "{}",
        ran.out
    );

    // Where it is refused, one types on as before.
    let ran = Program::new()
        .run_with(
            &["send", "--server", &plain().place, "--to", "b@x.example", "--interactive"],
            "STARTTLS\nNOOP\n",
        )
        .done();
    assert!(ran.out.contains("S: 50") && ran.out.contains("C: NOOP"), "{}", ran.out);
}

/// A server that answers each line by its first word, and nothing else.
fn scripted(greeting: &'static str, answers: &'static [(&'static str, &'static str)]) -> String {
    use std::io::{BufRead as _, BufReader, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(greeting.as_bytes()).unwrap();
        let lines = BufReader::new(stream.try_clone().unwrap()).lines();
        for line in lines.map_while(Result::ok) {
            let word = line.split([' ', ':']).next().unwrap_or_default();
            if let Some((_, answer)) = answers.iter().find(|(verb, _)| *verb == word) {
                stream.write_all(answer.as_bytes()).unwrap();
            }
        }
    });
    place
}
