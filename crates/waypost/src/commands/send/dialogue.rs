//! The dialogue of `send`, stage by stage.

use super::destination::Destination;
use super::interactive::Typing;
use super::letter::{Envelope, Letter, fit};
use super::report::{MessageReport, RecipientReport, Report, replies_to_rcpt};
use super::{Args, Stage};
use crate::client::{Client, Content, Error, Here, Sent, Settings, Transcript};
use crate::exit::{Exit, Failure};
use crate::output;
use message::{Header, MessageId};
use smtp::client::{Ended, Fate, Stage as At, TooMany, Transaction};
use smtp::command::{Mail, Rcpt};
use smtp::parameter::MailParameters;

/// Talks to the server and says what came of it.
pub(super) async fn run(
    args: &Args,
    here: &Here,
    destination: Destination,
    letter: &Letter,
    envelope: &Envelope,
) -> Result<Exit, Failure> {
    let mut report = Report { server: destination.settings.place.to_string(), ..Report::default() };
    let show = (args.trace || args.interactive) && !args.json.json;
    let keep = (args.trace && args.json.json) || args.quit_after.is_some();
    let transcript = Transcript::new(show, keep);
    let mut sending =
        Sending { args, here, destination, letter, envelope, transcript: transcript.clone(), client: None };
    let result = sending.run(&mut report).await;
    if args.trace {
        report.trace = transcript.lines();
    }
    if let Err(failure) = &result {
        report.error = Some(failure.message.clone());
        report.exit = Some(failure.exit);
    }
    report.ok = report.exit() == Exit::Done;
    if args.json.json {
        output::json(&report)?;
        return Ok(report.exit());
    }
    report.print()?;
    result.map(|()| report.exit())
}

struct Sending<'a> {
    args: &'a Args,
    here: &'a Here,
    destination: Destination,
    letter: &'a Letter,
    envelope: &'a Envelope,
    transcript: Transcript,
    client: Option<Client>,
}

/// Whether to go on to the next stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Go {
    On,
    /// The stage of `--quit-after` was reached.
    Stop,
}

impl Sending<'_> {
    async fn run(&mut self, report: &mut Report) -> Result<(), Failure> {
        let args = self.args;
        let mut go = self.open(report).await?;
        if go == Go::On && args.interactive && args.quit_after.is_none() {
            return self.type_on(report, None).await;
        }
        for _ in 0..args.count {
            if go == Go::Stop {
                break;
            }
            let message = self.letter.write(self.here)?;
            go = self.send(&message, report).await?;
        }
        match (go, args.quit_after) {
            (Go::Stop, Some(stage)) => self.type_on(report, Some(stage)).await,
            _ => {
                self.quit().await;
                Ok(())
            }
        }
    }

    /// Up to the caller's first turn to send something.
    async fn open(&mut self, report: &mut Report) -> Result<Go, Failure> {
        let opened = open(&self.destination.settings, &self.transcript).await;
        let client = self.client.insert(opened.map_err(|error| self.explain(error))?);
        report.tls = client.tls().map(Into::into);
        let here = matches!(self.args.quit_after, Some(Stage::Ehlo | Stage::Starttls | Stage::Auth));
        Ok(if here || client.stopped().is_some() { Go::Stop } else { Go::On })
    }

    /// An error of connecting, with what to do when nobody said where to.
    fn explain(&self, error: Error) -> Failure {
        let mut failure = Failure::from(error);
        if self.destination.is_dev {
            failure.message.push_str("; is `waypost dev` running? Name another server with --server");
        }
        failure
    }

    /// One message, in as many transactions and connections as the server's limits ask for.
    async fn send(&mut self, message: &[u8], report: &mut Report) -> Result<Go, Failure> {
        let at = report.messages.len();
        let message_id = MessageId::of(&Header::parse(message)).map(|id| id.as_str().to_owned());
        report.messages.push(MessageReport { message_id, recipients: Vec::new() });
        let mut left = self.envelope.recipients.clone();
        while !left.is_empty() {
            if !self.client.as_ref().is_some_and(Client::is_ready) {
                self.reopen(report).await?;
            }
            let Some(client) = &mut self.client else { return Ok(Go::Stop) };
            let sent = transact(client, message, &self.envelope.mail, left.clone()).await?;
            let Sent::Done(outcome) = sent else { return Ok(Go::Stop) };
            let ended = outcome.ended.as_ref().map(Ended::to_string);
            let before = left.len();
            let mut later = Vec::new();
            let mut elsewhere = false;
            let Some(told) = report.messages.get_mut(at) else { return Ok(Go::Stop) };
            for (recipient, came) in left.iter().zip(&outcome.recipients) {
                match &came.fate {
                    // Somebody was taken, so that those who are left find room the next time.
                    Fate::NotTried(why)
                        if outcome.recipients.iter().any(|other| !is_put_off(&other.fate)) =>
                    {
                        elsewhere |= *why == TooMany::Domains;
                        later.push(recipient.clone());
                    }
                    fate => told.recipients.push(RecipientReport::new(&recipient.to, fate, ended.as_deref())),
                }
            }
            left = later;
            if elsewhere && left.len() < before {
                self.reopen(report).await?;
            }
        }
        Ok(Go::On)
    }

    async fn reopen(&mut self, report: &mut Report) -> Result<(), Failure> {
        self.quit().await;
        self.open(report).await.map(|_| ())
    }

    /// The stage was reached, or there is none: now a person types, or we take leave.
    async fn type_on(&mut self, report: &mut Report, stage: Option<Stage>) -> Result<(), Failure> {
        let Some(client) = self.client.take() else { return Ok(()) };
        report.stopped_after = stage.map(Stage::name);
        report.exit = stage.is_none_or(|stage| stage < Stage::Rcpt).then_some(Exit::Done);
        let recipients = replies_to_rcpt(&self.transcript.lines());
        if let Some(message) = report.messages.last_mut() {
            message.recipients = recipients;
        }
        if self.args.interactive {
            let typing =
                Typing::new(&self.destination.settings, &self.transcript, stage == Some(Stage::Data));
            return typing.run(client, &mut report.tls).await;
        }
        // After 354 there is no polite way out but to hang up.
        if stage != Some(Stage::Data) {
            client.quit().await;
        }
        Ok(())
    }

    async fn quit(&mut self) {
        if let Some(client) = self.client.take() {
            client.quit().await;
        }
    }
}

fn is_put_off(fate: &Fate) -> bool {
    matches!(fate, Fate::NotTried(_))
}

/// A server that offers STARTTLS and refuses it is not sent to in the clear.
pub(crate) async fn open(settings: &Settings, transcript: &Transcript) -> Result<Client, Error> {
    let client = settings.open(transcript).await?;
    match client.starttls_refused() {
        Some(reply) => Err(Error::Refused { at: At::StartTls, reply: reply.clone() }),
        None => Ok(client),
    }
}

/// One transaction, the message in the form that this server takes.
pub(crate) async fn transact(
    client: &mut Client,
    message: &[u8],
    mail: &Mail,
    recipients: Vec<Rcpt>,
) -> Result<Sent, Error> {
    let fitted = fit(message, client.capabilities());
    let parameters =
        MailParameters { body: fitted.body, smtputf8: fitted.smtputf8, ..mail.parameters.clone() };
    let content = Content::from_bytes(fitted.bytes.into_owned());
    let mail = Mail { from: mail.from.clone(), parameters };
    Ok(client.send(Transaction { mail, recipients, length: content.len() }, &content).await?)
}
