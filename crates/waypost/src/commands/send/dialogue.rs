//! The dialogue of `send`, stage by stage.

use super::destination::Destination;
use super::letter::{Envelope, Letter, fit};
use super::report::{MessageReport, RecipientReport, Report, replies_to_rcpt};
use super::{Args, Stage, interactive};
use crate::client::{Client, Error, Here, Sent, Transcript, Turn};
use crate::exit::{Exit, Failure};
use crate::output;
use message::{Header, MessageId};
use smtp::client::{Ended, Fate, TooMany, Transaction};
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
    let mut sending = Sending { args, here, destination, letter, envelope, client: None };
    let result = sending.run(&mut report).await;
    if let Some(client) = sending.client.take() {
        report.tls = report.tls.or_else(|| client.tls().map(Into::into));
        if args.trace {
            report.trace = client.into_transcript().lines().to_vec();
        }
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
        let mut go = self.open().await?;
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
    async fn open(&mut self) -> Result<Go, Failure> {
        let Destination { settings, login, .. } = &self.destination;
        let (args, after) = (self.args, self.args.quit_after);
        let show = (args.trace || args.interactive) && !args.json.json;
        let transcript = Transcript::new(show, (args.trace && args.json.json) || after.is_some());
        let client = Client::connect(settings, transcript).await.map_err(|error| self.explain(error))?;
        let client = self.client.insert(client);
        if let Turn::Stopped(_) = client.greet().await? {
            return Ok(Go::Stop);
        }
        if after == Some(Stage::Ehlo) {
            return Ok(Go::Stop);
        }
        if let Some(Turn::Refused { at, reply }) = client.secure(settings).await? {
            return Err(Error::Refused { at, reply }.into());
        }
        if after == Some(Stage::Starttls) {
            return Ok(Go::Stop);
        }
        if let Some(login) = login {
            client.log_in(login).await?;
        }
        Ok(if after == Some(Stage::Auth) { Go::Stop } else { Go::On })
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
            if !self.client.as_ref().is_some_and(Client::takes_more) {
                self.reopen().await?;
            }
            let Some(client) = &mut self.client else { return Ok(Go::Stop) };
            report.tls = client.tls().map(Into::into);
            let sent = transact(client, message, &self.envelope.mail, left.clone()).await?;
            let Sent::Outcome(outcome) = sent else { return Ok(Go::Stop) };
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
                self.reopen().await?;
            }
        }
        Ok(Go::On)
    }

    async fn reopen(&mut self) -> Result<(), Failure> {
        self.quit().await;
        self.open().await.map(|_| ())
    }

    /// The stage was reached, or there is none: now a person types, or we take leave.
    async fn type_on(&mut self, report: &mut Report, stage: Option<Stage>) -> Result<(), Failure> {
        let Some(client) = &mut self.client else { return Ok(()) };
        report.stopped_after = stage.map(Stage::name);
        report.exit = stage.is_none_or(|stage| stage < Stage::Rcpt).then_some(Exit::Done);
        let recipients = replies_to_rcpt(client.transcript().lines());
        if let Some(message) = report.messages.last_mut() {
            message.recipients = recipients;
        }
        if self.args.interactive {
            return interactive::run(client, stage == Some(Stage::Data)).await;
        }
        // After 354 there is no polite way out but to hang up.
        if stage != Some(Stage::Data) {
            client.quit().await;
        }
        Ok(())
    }

    async fn quit(&mut self) {
        if let Some(client) = &mut self.client {
            client.quit().await;
        }
    }
}

fn is_put_off(fate: &Fate) -> bool {
    matches!(fate, Fate::NotTried(_))
}

/// One transaction, the message in the form that this server takes.
pub(crate) async fn transact(
    client: &mut Client,
    message: &[u8],
    mail: &Mail,
    recipients: Vec<Rcpt>,
) -> Result<Sent, Error> {
    let fitted = fit(message, client.capabilities());
    let length = u64::try_from(fitted.bytes.len()).unwrap_or(u64::MAX);
    let parameters =
        MailParameters { body: fitted.body, smtputf8: fitted.smtputf8, ..mail.parameters.clone() };
    let mail = Mail { from: mail.from.clone(), parameters };
    let transaction = Transaction { mail, recipients, length };
    client.send(transaction, &fitted.bytes).await
}
