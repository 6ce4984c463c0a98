//! What the driver decided is carried out.

use super::event::{Closed, Decision};
use super::session::Session;
use super::state::{Question, State, Transaction};
use super::words;
use crate::command::{Bdat, Hello, HelloVerb};
use crate::reply::Reply;
use data_encoding::BASE64;
use std::collections::HashSet;

/// A decision on a question that has a yes and a no.
enum Answer {
    /// In these words, or in ours.
    Yes(Option<Reply>),
    No(Reply),
}

impl Session {
    /// Answers the last event that asked. An answer that nobody asked for is ignored.
    pub fn answer(&mut self, decision: Decision) {
        if self.is_closed() || !matches!(self.state, State::Waiting(_)) {
            return;
        }
        let State::Waiting(question) = self.take_state() else { return };
        self.clock.answered();
        let answer = match decision {
            Decision::Close(reply) => return self.close(&negative(reply), Closed::Decision),
            Decision::Challenge(challenge) => match question {
                Question::Auth(hello) => return self.challenge(&challenge, hello),
                _ => return self.decide(question, Answer::No(words::confused())),
            },
            Decision::Recipients(replies) => match question {
                Question::EndOfMessage(transaction) => return self.end_each(transaction, replies),
                _ => return self.decide(question, Answer::No(words::confused())),
            },
            Decision::Accept => Answer::Yes(None),
            Decision::AcceptWith(reply) if reply.is_positive() || reply.is_intermediate() => {
                Answer::Yes(Some(reply))
            }
            Decision::AcceptWith(reply) | Decision::Refuse(reply) => Answer::No(negative(reply)),
        };
        self.decide(question, answer);
    }

    fn decide(&mut self, question: Question, answer: Answer) {
        match question {
            Question::Connect => self.connected(answer),
            Question::Hello { hello, previous } => self.introduced(hello, previous, answer),
            Question::StartTls(hello) => self.start_tls(hello, answer),
            Question::Auth(hello) => {
                self.authenticated = matches!(answer, Answer::Yes(_));
                self.state = State::Ready(hello);
                self.say_or(answer, || Reply::new(235, (2, 7, 0), "authenticated"));
            }
            Question::Mail { hello, mail } => {
                self.state = match &answer {
                    Answer::Yes(_) => {
                        self.counts.messages += 1;
                        State::Mailing(Transaction { hello, mail, recipients: 0, domains: HashSet::new() })
                    }
                    Answer::No(_) => {
                        self.counts.forgiven = self.config.limits.recipients;
                        State::Ready(hello)
                    }
                };
                self.say_or(answer, || Reply::new(250, (2, 1, 0), "sender ok"));
            }
            Question::Rcpt { mut transaction, rcpt } => {
                if matches!(answer, Answer::Yes(_)) {
                    transaction.add(&rcpt, self.config.limits.recipient_domains.is_some());
                }
                self.state = State::Mailing(transaction);
                self.say_or(answer, || Reply::new(250, (2, 1, 5), "recipient ok"));
            }
            Question::Data(transaction) => self.data_decided(transaction, answer),
            Question::Bdat { transaction, bdat } => self.bdat_decided(transaction, bdat, answer),
            Question::EndOfMessage(transaction) => {
                let reply = answer.or_else(|| Reply::new(250, (2, 0, 0), "accepted"));
                let replies = self.final_replies(transaction.recipients);
                self.message_done(transaction, vec![reply; replies]);
            }
            Question::Xclient(hello) => match answer {
                Answer::Yes(_) => {
                    self.authenticated = false;
                    self.state = State::Fresh;
                    self.say(&self.config.greeting());
                }
                Answer::No(reply) => {
                    self.state = State::idle(hello);
                    self.say(&reply);
                }
            },
            Question::Xforward(hello) => {
                self.state = State::idle(hello);
                self.say_or(answer, || Reply::new(250, (2, 0, 0), "noted"));
            }
        }
    }

    fn connected(&mut self, answer: Answer) {
        self.state = match &answer {
            Answer::Yes(_) => State::Fresh,
            Answer::No(_) => State::Unwelcome,
        };
        let greeting = self.config.greeting();
        self.say_or(answer, || greeting);
    }

    fn introduced(&mut self, hello: Hello, previous: Option<Hello>, answer: Answer) {
        let verb = hello.verb;
        let usual = match verb {
            HelloVerb::Helo => Reply::plain(250, self.config.hostname.to_string()),
            HelloVerb::Ehlo | HelloVerb::Lhlo => self.config.offers(self.tls),
        };
        self.state = match &answer {
            Answer::Yes(_) => State::Ready(hello),
            Answer::No(_) => State::idle(previous),
        };
        // In strict mode the reply is not even said: a client that did not wait for it is no mail client.
        if self.config.strict_pipelining && !self.input.is_empty() {
            return self.out_of_sync(verb.as_str());
        }
        self.say_or(answer, || usual);
    }

    /// RFC 3207 §4: STARTTLS is the last command before its reply. What an attacker put behind it must never
    /// be read as if it had come through TLS.
    fn start_tls(&mut self, hello: Option<Hello>, answer: Answer) {
        if !self.input.is_empty() {
            return self.out_of_sync("STARTTLS");
        }
        self.state = match &answer {
            Answer::Yes(_) => State::Handshake,
            Answer::No(_) => State::idle(hello),
        };
        self.say_or(answer, || Reply::new(220, (2, 0, 0), "begin the handshake"));
        self.restart();
    }

    /// A challenge has no text but itself and may be longer than a reply line (RFC 4954 §4).
    fn challenge(&mut self, challenge: &[u8], hello: Hello) {
        self.output.extend_from_slice(format!("334 {}\r\n", BASE64.encode(challenge)).as_bytes());
        self.state = State::Sasl(hello);
    }

    fn data_decided(&mut self, transaction: Transaction, answer: Answer) {
        match answer {
            Answer::Yes(reply) => {
                let usual = || Reply::plain(354, "send the message, end it with <CR LF>.<CR LF>");
                self.say(&reply.filter(Reply::is_intermediate).unwrap_or_else(usual));
                self.begin_data(transaction);
            }
            Answer::No(reply) => {
                self.state = State::Mailing(transaction);
                self.say(&reply);
                self.expect_silence("DATA");
            }
        }
    }

    fn bdat_decided(&mut self, transaction: Transaction, bdat: Bdat, answer: Answer) {
        match answer {
            Answer::Yes(_) => self.begin_bdat(transaction, bdat),
            Answer::No(reply) => self.skip(bdat.size, Some(reply), Box::new(State::Ready(transaction.hello))),
        }
    }

    /// One reply for each recipient; those that the driver forgot are told to try again.
    fn end_each(&mut self, transaction: Transaction, replies: Vec<Reply>) {
        let wanted = self.final_replies(transaction.recipients);
        if wanted != transaction.recipients && replies.len() != 1 {
            return self.message_done(transaction, vec![words::confused()]);
        }
        let replies = replies.into_iter().map(settled).chain(std::iter::repeat_with(words::confused));
        let replies = replies.take(wanted).collect();
        self.message_done(transaction, replies);
    }

    fn message_done(&mut self, transaction: Transaction, replies: Vec<Reply>) {
        if replies.iter().any(Reply::is_positive) {
            self.counts.idle_commands = 0;
        }
        for reply in &replies {
            self.say(reply);
        }
        self.state = State::Ready(transaction.hello);
    }

    fn say_or(&mut self, answer: Answer, usual: impl FnOnce() -> Reply) {
        let reply = answer.or_else(usual);
        self.say(&reply);
    }
}

impl Answer {
    fn or_else(self, usual: impl FnOnce() -> Reply) -> Reply {
        match self {
            // 3xx would leave the peer waiting; only DATA's is one, and that is said elsewhere.
            Self::Yes(reply) => reply.filter(Reply::is_positive).unwrap_or_else(usual),
            Self::No(reply) => reply,
        }
    }
}

/// A refusal must not read as anything else.
fn negative(reply: Reply) -> Reply {
    if reply.is_transient() || reply.is_permanent() { reply } else { words::confused() }
}

/// A final reply is yes or no.
fn settled(reply: Reply) -> Reply {
    if reply.is_intermediate() { words::confused() } else { reply }
}
