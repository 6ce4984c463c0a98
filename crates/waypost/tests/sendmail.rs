//! `waypost sendmail` as cron, PHP, git and mutt call it, against a submission socket.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may as well stop here")]

mod support;

use smtp::Reply;
use smtp::server::Protocol;
use support::{Behaviour, Program, Ran, Server};

/// A configured machine with a server at its socket.
fn machine(behaviour: Behaviour) -> (Program, Server) {
    let program = Program::new();
    program.write(
        "waypost.toml",
        format!("hostname = 'mail.example.org'\ndata = '{}'\n", program.folder().display()),
    );
    let server = Server::start_at(&format!("unix:{}", program.path("submit.sock").display()), behaviour);
    (program, server)
}

fn plain() -> (Program, Server) {
    machine(Behaviour::new(Protocol::Smtp))
}

fn sendmail(program: &Program, words: &[&str], input: &str) -> Ran {
    program.run_with(&[&["sendmail"], words].concat(), input)
}

fn recipients(server: &Server) -> Vec<String> {
    server.only().recipients.iter().map(|rcpt| rcpt.to.to_string()).collect()
}

#[test]
fn cron_writes_to_root() {
    let (program, server) = plain();
    let ran = sendmail(
        &program,
        &["-FCronDaemon", "-i", "-odi", "-oem", "root"],
        "Subject: Cron\n\nout\n.\nmore\n",
    )
    .done();
    assert!(ran.out.is_empty() && ran.err.is_empty(), "{ran:?}");
    let got = server.only();
    assert_eq!(
        (recipients(&server), got.mail.from.to_string()),
        (vec!["<root>".into()], "<ann@mail.example.org>".into())
    );
    assert_eq!(
        got.message,
        "From: CronDaemon <ann@mail.example.org>\r\nSubject: Cron\r\n\r\nout\r\n.\r\nmore\r\n"
    );
}

#[test]
fn recipients_come_from_the_header_and_bcc_goes() {
    let (program, server) = plain();
    let input = "From: me@example.org\nTo: A <a@x.example>, root\nBcc: b@x.example\nSubject: s\n\nx\n";
    sendmail(&program, &["-t", "-i", "-f", "bounces@example.org"], input).done();
    assert_eq!(recipients(&server), ["<a@x.example>", "<root>", "<b@x.example>"]);
    let got = server.only();
    assert!(!got.message.contains("b@x.example"), "{}", got.message);
    assert_eq!(got.mail.from.to_string(), "<bounces@example.org>");
    assert_eq!(sendmail(&program, &["-t"], "Subject: nobody\n\nx\n").code, Some(2));
}

#[test]
fn a_dot_ends_the_message_without_i() {
    let (program, server) = plain();
    sendmail(&program, &["a@x.example", "b@x.example"], "From: me\n\none\n.\ntwo\n").done();
    assert_eq!(server.only().message, "From: me\r\n\r\none\r\n");
    assert_eq!(recipients(&server).len(), 2);
}

#[test]
fn senders_are_taken_as_they_are_written() {
    for (sender, expected) in
        [("<>", "<>"), ("", "<>"), ("bob", "<bob@mail.example.org>"), ("<a@b.example>", "<a@b.example>")]
    {
        let (program, server) = plain();
        sendmail(&program, &["-f", sender, "a@x.example"], "x\n").done();
        let got = server.only();
        assert_eq!(got.mail.from.to_string(), expected);
        assert!(
            got.message.starts_with("From: ") && got.message.ends_with("\r\n\r\nx\r\n"),
            "{}",
            got.message
        );
    }
}

#[test]
fn notifications_are_asked_for() {
    let (program, server) = plain();
    sendmail(&program, &["-N", "never", "-R", "hdrs", "-V", "id 7", "a@x.example"], "A: b\n\nx\n").done();
    let got = server.only();
    assert!(got.mail.parameters.to_string().ends_with(" RET=HDRS ENVID=id+207"), "{got:?}");
    assert_eq!(got.recipients[0].to_string(), "RCPT TO:<a@x.example> NOTIFY=NEVER");
}

#[test]
fn refusals_are_told_on_standard_error() {
    let mut behaviour = Behaviour::new(Protocol::Smtp);
    behaviour.rcpt = |rcpt| match rcpt.to.to_string().as_str() {
        "<no@x.example>" => Some(Reply::new(550, (5, 1, 1), "no such user")),
        "<later@x.example>" => Some(Reply::new(451, (4, 3, 0), "later")),
        _ => None,
    };
    let (program, server) = machine(behaviour);
    for (to, code, words) in [("no@x.example", 1, "550 5.1.1 no such user"), ("later@x.example", 75, "451")] {
        let ran = sendmail(&program, &[to, "good@x.example"], "x\n");
        assert!(ran.code == Some(code) && ran.err.contains(words), "{ran:?}");
    }
    assert_eq!(server.received().len(), 2, "the others have it");
}

#[test]
fn without_a_server_it_is_to_be_tried_again() {
    let program = Program::new();
    let ran = sendmail(&program, &["root"], "x\n");
    assert!(ran.code == Some(75) && ran.err.contains("--config"), "{ran:?}");
    let file =
        program.write("other.toml", format!("hostname = 'h'\ndata = '{}'\n", program.folder().display()));
    for mode in [&["root"][..], &["-bs"]] {
        let ran = sendmail(&program, &[&["--config", &file], mode].concat(), "x\n");
        assert!(ran.code == Some(75) && ran.err.contains("waypost serve"), "{ran:?}");
    }
    assert_eq!(sendmail(&program, &["-y"], "").code, Some(2));
    assert_eq!(sendmail(&program, &["-bi"], "").code, Some(0));
}

#[test]
fn bs_speaks_smtp_on_standard_input_and_output() {
    let (program, server) = plain();
    let dialogue =
        "EHLO me\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<root>\r\nDATA\r\nA: b\r\n\r\nx\r\n.\r\nQUIT\r\n";
    // The test's server, unlike the real one at this socket, wants a client that waits for EHLO's reply.
    let mut behaviour = Behaviour::new(Protocol::Smtp);
    behaviour.config.strict_pipelining = false;
    drop(server);
    let (program, server) = {
        drop(program);
        machine(behaviour)
    };
    let ran = sendmail(&program, &["-bs"], dialogue).done();
    assert!(ran.out.starts_with("220 mx.test ESMTP\r\n") && ran.out.contains("\r\n221 "), "{}", ran.out);
    assert_eq!(server.only().message, "A: b\r\n\r\nx\r\n");
}

#[test]
fn the_queue_is_printed_and_tried_again() {
    let program = Program::new();
    program.write(
        "waypost.toml",
        format!("hostname = 'mail.example.org'\ndata = '{}'\n", program.folder().display()),
    );
    assert_eq!(sendmail(&program, &["-bp"], "").done().out, "Mail queue is empty\n");
    sendmail(&program, &["-q"], "").done();
    sendmail(&program, &["-qR", "example.org"], "").done();
    let ran = sendmail(&program, &["-qI", "nonsense!"], "");
    assert!(ran.code == Some(2) && ran.err.contains("no queue id"), "{ran:?}");
}

#[test]
fn v_shows_the_dialogue() {
    let (program, _server) = plain();
    let ran = sendmail(&program, &["-v", "root"], "x\n").done();
    assert!(ran.out.contains("C: RCPT TO:<root>"), "{}", ran.out);
}
