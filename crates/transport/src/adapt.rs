//! What to do when a server lacks what a message needs: change the message's form, or say why not.

use crate::answers::Answer;
use crate::attempt::{Attempt, Then};
use crate::client::Content;
use crate::decide::needs_tls;
use crate::transport::Signer;
use address::{Address, Domain};
use bytes::Bytes;
use message::{Downgraded, Header, Needs, Signature, downgrade};
use smtp::client::Unsendable;

/// Largest message that is re-encoded, in octets: it has to be in memory for that.
const MAX_REENCODED: u64 = 128 * 1024 * 1024;

impl Attempt<'_> {
    /// Makes the message fit, or answers for those who cannot get it. `None`: try again on the same connection.
    pub(crate) async fn adapt(&mut self, label: &str, why: Unsendable) -> Option<Then> {
        match why {
            Unsendable::Needs8Bit | Unsendable::NeedsBinary if !self.reencoded => {
                if let Err(answer) = self.reencode().await {
                    self.answer_all(label, &answer);
                }
            }
            Unsendable::NeedsSmtpUtf8 => self.without_smtputf8(label, &why).await,
            Unsendable::NeedsRequireTls if !needs_tls(&self.mail) => self.mail.parameters.requiretls = false,
            Unsendable::NeedsRequireTls => {
                self.trouble(label.to_owned(), refusal(550, &why));
                return Some(Then::NextHost);
            }
            Unsendable::TooBig { .. } => self.answer_all(label, &refusal(552, &why)),
            Unsendable::Needs8Bit
            | Unsendable::NeedsBinary
            | Unsendable::NeedsDeliverBy
            | Unsendable::NeedsFutureRelease => self.answer_all(label, &refusal(554, &why)),
        }
        None
    }

    /// Refuses those whom it concerns. A message marked SMTPUTF8 that does not need it (some programs mark every one) goes
    /// without the mark.
    async fn without_smtputf8(&mut self, label: &str, why: &Unsendable) {
        let answer = refusal(550, why);
        let from_needs = self.mail.from.address().is_some_and(Address::needs_smtputf8);
        if from_needs || (self.mail.parameters.smtputf8 && self.header_needs_smtputf8().await) {
            return self.answer_all(label, &answer);
        }
        self.mail.parameters.smtputf8 = false;
        self.answer_some(label, &answer, |recipient| recipient.address.needs_smtputf8());
    }

    async fn header_needs_smtputf8(&self) -> bool {
        if self.content.len() > MAX_REENCODED {
            return true;
        }
        self.content.read().await.map_or(true, |message| Needs::of(&message).smtputf8)
    }

    /// Puts the message in its 7-bit form (RFC 6152 §3), signed again if it is ours.
    async fn reencode(&mut self) -> Result<(), Answer> {
        if self.content.len() > MAX_REENCODED {
            return Err(Answer::failed(
                "554 5.6.3 the server takes 7-bit mail only, and the message is too large to be re-encoded",
            ));
        }
        let later =
            |error: String| Answer::deferred(format!("451 4.3.0 the message cannot be read: {error}"), false);
        let _turn = self.transport.reencoding.acquire().await;
        let message = self.content.read().await.map_err(|error| later(error.to_string()))?;
        let signer = self.transport.signer.clone().filter(|_| self.message.ours);
        let form = tokio::task::spawn_blocking(move || seven_bit(&message, signer.as_ref()));
        let (message, notes) = form.await.map_err(|error| later(error.to_string()))?;
        if let Some(message) = message {
            self.content = Content::from_bytes(message);
        }
        self.notes.extend(notes);
        self.mail.parameters.body = None;
        self.reencoded = true;
        Ok(())
    }
}

fn refusal(code: u16, why: &Unsendable) -> Answer {
    Answer::failed(format!("{code} {} {why}", why.enhanced()))
}

/// The message in 7 bits, if it was not before, and what is to be noted about it.
fn seven_bit(message: &[u8], signer: Option<&Signer>) -> (Option<Bytes>, Vec<String>) {
    let Some(Downgraded { message, broken }) = downgrade(message) else { return (None, Vec::new()) };
    let mut notes = vec!["re-encoded as 7-bit, as the server takes nothing else".to_owned()];
    notes.extend(broken.iter().map(|signature| format!("this broke {}", describe(signature))));
    let signed = signer.and_then(|signer| {
        let domain = from_domain(&message)?;
        let field = signer(&domain, &message)?;
        notes.push(format!("signed again for {domain}"));
        Some([&field[..], &message[..]].concat())
    });
    (Some(signed.unwrap_or(message).into()), notes)
}

fn describe(signature: &Signature) -> String {
    match signature {
        Signature::Dkim { domain } => format!("the DKIM signature of {domain}"),
        Signature::Arc => "an ARC signature".to_owned(),
        Signature::Mime => "a PGP/MIME or S/MIME signature".to_owned(),
    }
}

/// Of the first address in `From:`.
fn from_domain(message: &[u8]) -> Option<Domain> {
    let from = Header::parse(message).get("From")?.value();
    let list = message::parse_list(&from).ok()?;
    match list.into_iter().next()?.path.ok()? {
        address::ForwardPath::Address(address) => address.domain().cloned(),
        address::ForwardPath::Unqualified(_) => None,
    }
}
