//! A driver with a policy that transcripts can steer by names: `refused`, `unknown`, `later`, `close`.
#![allow(clippy::unwrap_used, reason = "a helper of tests: what it cannot do fails the test")]

use smtp::command::{Auth, Rcpt};
use smtp::parameter::Priority;
use smtp::server::{BareNewline, Config, Decision, DeliverByOffer, Event, FutureRelease, PriorityOffer};
use smtp::server::{Protocol, Session};
use smtp::{EnhancedCode, Reply};
use std::fmt::Write;
use std::time::{Duration, Instant};

pub(crate) struct Driver {
    session: Session,
    now: Instant,
    body: Vec<u8>,
    recipients: Vec<String>,
    lmtp: bool,
    welcome: bool,
}

impl Driver {
    pub(crate) fn new<'a>(settings: impl Iterator<Item = &'a str>) -> Self {
        let mut config = Config::new("mx.example".parse().unwrap(), Protocol::Smtp);
        let mut welcome = true;
        settings.for_each(|setting| match setting {
            "connect refused" => welcome = false,
            _ => set(&mut config, setting),
        });
        let lmtp = config.protocol == Protocol::Lmtp;
        let now = Instant::now();
        Self {
            session: Session::new(config, now),
            now,
            body: Vec::new(),
            recipients: Vec::new(),
            lmtp,
            welcome,
        }
    }

    pub(crate) fn send(&mut self, octets: &[u8]) {
        // Whatever is said of back-pressure: an empty read must be harmless too.
        self.session.handle_input(self.now, octets);
    }

    /// Something other than input.
    pub(crate) fn happen(&mut self, what: &str) {
        match what {
            "tls" => {
                self.session.config_mut().mechanisms = vec!["PLAIN".into(), "LOGIN".into()];
                self.session.tls_started(self.now);
            }
            "eof" => self.session.handle_disconnect(),
            "stop" => self.session.shut_down(),
            seconds => {
                self.now += Duration::from_secs(seconds.parse().unwrap());
                if self.session.poll_timeout().is_some_and(|at| at <= self.now) {
                    self.session.handle_timeout(self.now);
                }
            }
        }
    }

    /// Carries out what there is to do; what was said and told, as lines of a transcript.
    pub(crate) fn run(&mut self) -> String {
        let mut out = String::new();
        loop {
            while let Some(event) = self.session.poll_event() {
                let (told, decision) = self.decide(event);
                told.into_iter().for_each(|told| writeln!(out, "E: {told}").unwrap());
                decision.into_iter().for_each(|decision| self.session.answer(decision));
            }
            let Some(replies) = self.session.poll_transmit() else { break };
            let replies = String::from_utf8(replies.to_vec()).unwrap();
            replies.split_terminator("\r\n").for_each(|line| writeln!(out, "S: {line}").unwrap());
        }
        out
    }

    fn decide(&mut self, event: Event) -> (Option<String>, Option<Decision>) {
        match event {
            Event::Connect if self.welcome => (None, Some(Decision::Accept)),
            Event::Connect => {
                (None, Some(Decision::Refuse(Reply::new(554, (5, 7, 1), "no service for you"))))
            }
            Event::Hello(hello) => (None, Some(by_name(hello.name.as_str()))),
            Event::StartTls => (None, Some(Decision::Accept)),
            Event::Auth(auth) => (None, Some(authenticate(&auth))),
            Event::AuthResponse(response) => {
                let told = format!("response {}", response.reveal().escape_ascii());
                (Some(told), Some(judge(response.reveal())))
            }
            Event::AuthEnded => (Some("authentication ended".into()), None),
            Event::Mail(mail) => {
                self.body.clear();
                self.recipients.clear();
                let raised = mail.parameters.priority > Priority::new(0);
                let refused = Decision::Refuse(Reply::new(550, (5, 7, 15), "not so urgent"));
                (None, Some(if raised { refused } else { by_name(&mail.from.to_string()) }))
            }
            Event::Rcpt(rcpt) => (None, Some(self.recipient(&rcpt))),
            Event::Data(_) => {
                let full = self.recipients.iter().any(|to| to.contains("full"));
                let refused = Decision::Refuse(Reply::new(452, (4, 3, 1), "the disk is full"));
                (None, Some(if full { refused } else { Decision::Accept }))
            }
            Event::Body(body) => {
                self.body.extend_from_slice(&body);
                (None, None)
            }
            Event::EndOfMessage(facts) => {
                assert_eq!(facts.octets, self.body.len() as u64);
                let told = format!("message \"{}\"", self.body.escape_ascii());
                self.body.clear();
                (Some(told), Some(self.accept_message()))
            }
            Event::Aborted(why) => {
                self.body.clear();
                (Some(format!("aborted {why:?}")), None)
            }
            Event::Xclient(attributes) | Event::Xforward(attributes) => {
                let told = attributes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
                (Some(told), Some(Decision::Accept))
            }
            Event::Closed(why) => (Some(format!("closed {why:?}")), None),
        }
    }

    fn recipient(&mut self, rcpt: &Rcpt) -> Decision {
        let decision = by_name(&rcpt.to.to_string());
        if matches!(decision, Decision::Accept) {
            self.recipients.push(rcpt.to.to_string());
        }
        decision
    }

    fn accept_message(&self) -> Decision {
        if !self.lmtp {
            return Decision::AcceptWith(Reply::new(250, (2, 0, 0), "kept as 1"));
        }
        let replies = self.recipients.iter().map(|to| match to.contains("over") {
            true => Reply::new(552, (5, 2, 2), format!("{to} is over quota")),
            false => Reply::new(250, (2, 1, 5), format!("{to} has it")),
        });
        Decision::Recipients(replies.collect())
    }
}

fn by_name(name: &str) -> Decision {
    let refusal = |code, enhanced: (u8, u16, u16)| {
        Reply::new(code, EnhancedCode::from(enhanced), format!("{name} is not wanted"))
    };
    match name {
        _ if name.contains("refused") => Decision::Refuse(refusal(550, (5, 7, 1))),
        _ if name.contains("unknown") => Decision::Refuse(refusal(550, (5, 1, 1))),
        _ if name.contains("later") => Decision::Refuse(refusal(451, (4, 7, 1))),
        _ if name.contains("close") => Decision::Close(refusal(421, (4, 7, 0))),
        _ => Decision::Accept,
    }
}

fn authenticate(auth: &Auth) -> Decision {
    match (&*auth.mechanism, &auth.initial) {
        (_, Some(initial)) => judge(initial.reveal()),
        ("LOGIN", None) => Decision::Challenge(b"Username:".to_vec()),
        (_, None) => Decision::Challenge(Vec::new()),
    }
}

fn judge(response: &[u8]) -> Decision {
    match response {
        b"\0u\0p" | b"p" => Decision::Accept,
        b"u" => Decision::Challenge(b"Password:".to_vec()),
        _ => Decision::Refuse(Reply::new(535, (5, 7, 8), "wrong name or password")),
    }
}

/// A line of settings.
fn set(config: &mut Config, setting: &str) {
    let (name, value) = setting.split_once(' ').unwrap();
    let number = || value.parse::<u32>().unwrap();
    let (extensions, limits) = (&mut config.extensions, &mut config.limits);
    match name {
        "protocol" if value == "lmtp" => config.protocol = Protocol::Lmtp,
        "protocol" if value == "submission" => config.protocol = Protocol::Submission,
        "pipelining" => config.strict_pipelining = value == "strict",
        "mechanisms" => config.mechanisms = value.split(' ').map(str::to_owned).collect(),
        "tls" => config.tls = true,
        "starttls" => extensions.starttls = true,
        "require-tls" => config.require_tls = true,
        "bare" if value == "normalise" => config.bare_newline = BareNewline::Normalise,
        "bare" => config.bare_newline = BareNewline::Reject,
        "basic" => {
            (extensions.chunking, extensions.smtputf8, extensions.dsn) = (false, false, false);
            (extensions.requiretls, extensions.limits) = (false, false);
        }
        "xclient" => extensions.xclient = true,
        "xforward" => extensions.xforward = true,
        "deliver-by" => extensions.deliver_by = Some(DeliverByOffer { minimum: Some(number()) }),
        "future-release" => {
            let now = "2030-01-01T00:00:00Z".parse().unwrap();
            extensions.future_release = Some(FutureRelease::new(number(), now));
        }
        "priority" => extensions.mt_priority = Some(PriorityOffer { profile: Some(value.to_owned()) }),
        "size" => limits.message_size = number().into(),
        "text-line" => limits.text_line = Some(number().into()),
        "recipients" => limits.recipients = value.parse().unwrap(),
        "domains" => limits.recipient_domains = Some(value.parse().unwrap()),
        "messages" => limits.messages = value.parse().unwrap(),
        "errors" => limits.errors = value.parse().unwrap(),
        "idle-commands" => limits.idle_commands = value.parse().unwrap(),
        _ => panic!("what is {setting:?}?"),
    }
}
