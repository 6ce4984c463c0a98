//! DATA and BDAT: the header is looked at, and for our own users' mail completed; the body goes on to the spool.

use crate::author::authors;
use crate::listener::Role;
use crate::session::Session;
use bytes::{Bytes, BytesMut};
use directory::Signers;
use mailauth::dkim::BodyHasher;
use mailauth::results::AuthResults;
use message::{Edit, Header, MAX_HEADER, MessageId, NewField, rfc5322_date};
use policy::arrival::MessageChecks;
use smtp::reply::Reply;
use smtp::server::Decision;
use std::sync::Arc;
use store::{Body, Spool};

/// A message on its way in.
pub(crate) struct Receiving {
    stage: Stage,
    spool: Spool,
    /// The first thing that went wrong; what still comes is thrown away, and this is said at the end.
    refusal: Option<(Reply, String)>,
}

enum Stage {
    /// Collecting the header, up to the empty line.
    Header(BytesMut),
    Body(Completed),
}

/// A header that was looked at, and perhaps completed.
struct Completed {
    facts: HeaderFacts,
    signing: Option<Signing>,
    /// Of a stranger's message.
    checks: Option<Box<MessageChecks>>,
}

/// What is known of a message's header.
#[derive(Debug, Clone, Default)]
pub(crate) struct HeaderFacts {
    pub(crate) hops: usize,
    pub(crate) message_id: Option<String>,
    /// Of those it was delivered to before, to see a loop.
    pub(crate) header: Bytes,
}

/// A signature in the making.
pub(crate) struct Signing {
    signers: Arc<Signers>,
    header: Bytes,
    hasher: BodyHasher,
}

/// A message that is complete.
pub(crate) struct Received {
    pub(crate) body: Body,
    pub(crate) facts: HeaderFacts,
    pub(crate) signing: Option<Signing>,
    pub(crate) checks: Option<Box<MessageChecks>>,
}

impl Session {
    /// The go-ahead for a message.
    pub(crate) fn data(&mut self) -> Decision {
        if let Some((reply, reason)) = self.intake.pressure(0) {
            self.log_refusal("data", "", &reply, &reason);
            return Decision::Refuse(reply);
        }
        let spool = self.intake.store.spool();
        if let Some(transaction) = &mut self.transaction {
            let stage = Stage::Header(BytesMut::new());
            transaction.receiving = Some(Receiving { stage, spool, refusal: None });
        }
        Decision::Accept
    }

    /// A piece of the message.
    pub(crate) async fn body(&mut self, piece: Bytes) {
        let Some(mut receiving) = self.transaction.as_mut().and_then(|t| t.receiving.take()) else { return };
        if receiving.refusal.is_none()
            && let Err(refusal) = self.receive(&mut receiving, piece).await
        {
            receiving.refusal = Some(refusal);
        }
        if let Some(transaction) = &mut self.transaction {
            transaction.receiving = Some(receiving);
        }
    }

    async fn receive(&self, receiving: &mut Receiving, piece: Bytes) -> Result<(), (Reply, String)> {
        let Stage::Header(collected) = &mut receiving.stage else {
            return receiving.write(piece).await;
        };
        // Only what may hold the end is searched again.
        let from = collected.len().saturating_sub(3);
        collected.extend_from_slice(&piece);
        let ended = collected.starts_with(b"\r\n") || find(&collected[from..], b"\r\n\r\n");
        if !ended {
            let over = collected.len() > MAX_HEADER;
            let words = "the header of the message is too large";
            return if over { Err((Reply::new(552, (5, 3, 4), words), words.into())) } else { Ok(()) };
        }
        let collected = std::mem::take(collected).freeze();
        // In a box: once a message, and large.
        Box::pin(self.header_done(receiving, collected)).await
    }

    async fn header_done(&self, receiving: &mut Receiving, collected: Bytes) -> Result<(), (Reply, String)> {
        let unavailable = |error| self.unavailable_directory(&error);
        let header = Header::parse(&collected);
        let mut facts = HeaderFacts { hops: header.hops(), ..HeaderFacts::default() };
        let checks = self.check_message(&collected[..header.body_offset().min(collected.len())]);
        let mut pieces = vec![collected.clone()];
        if self.is_submission() {
            self.refuse_foreign_author(&header)?;
            pieces = self.complete(&collected);
        } else if self.is_stranger() {
            pieces = self.without_our_results(&collected);
        }
        let joined = if let [only] = pieces.as_slice() { only.clone() } else { pieces.concat().into() };
        let header = Header::parse(&joined);
        facts.message_id = MessageId::of(&header).map(|id| id.to_string());
        facts.header = joined.slice(..header.body_offset().min(joined.len()));
        let signers = self.signers_for(&header).map_err(unavailable)?;
        let signing = signers.map(|signers| {
            let hasher = BodyHasher::new(Signers::BODY_FORM);
            Signing { signers, header: facts.header.clone(), hasher }
        });
        let body_from = facts.header.len();
        receiving.stage = Stage::Body(Completed { facts, signing, checks });
        receiving.hash(&joined[body_from..]);
        receiving.spool(joined).await
    }

    /// A submitted message gets what it lacks and loses what nobody else may read (RFC 6409 §8, RFC 5322 §3.6.3).
    fn complete(&self, message: &Bytes) -> Vec<Bytes> {
        let mut edit = Edit::new(message);
        edit.remove("Bcc");
        edit.remove("Return-Path");
        AuthResults::remove_claims(&mut edit, self.settings.hostname.as_str());
        edit.add_missing("Message-ID", || {
            let mut random = [0; 16];
            // Without randomness the id is still unique by its session.
            if aws_lc_rs::rand::fill(&mut random).is_err() {
                random[..8].copy_from_slice(&self.id.get().to_be_bytes());
            }
            NewField::new("Message-ID", &MessageId::generate(random, &self.settings.hostname).to_string())
        });
        edit.add_missing("Date", || NewField::new("Date", &rfc5322_date(&jiff::Zoned::now())));
        if !edit.header().contains("From")
            && let Some(sender) = self.sender_field()
        {
            edit.prepend(&NewField::new("From", &sender));
        }
        if authors(&edit.header()).len() > 1
            && let Some(sender) = self.sender_field()
        {
            // RFC 5322 §3.6.2: of several authors one is the sender.
            edit.add_missing("Sender", || NewField::new("Sender", &sender));
        }
        edit.finish().pieces(message)
    }

    /// Who a message without From is from: the envelope's sender, else the account.
    fn sender_field(&self) -> Option<String> {
        let envelope = self.transaction.as_ref().and_then(|t| t.mail.from.address());
        let account = self.login.as_ref().map(|login| &login.account.address);
        envelope.or(account).map(|address| format!("<{address}>"))
    }

    /// The keys of the From domain, when it is mail of our own users or networks and there are any.
    fn signers_for(&self, header: &Header<'_>) -> Result<Option<Arc<Signers>>, directory::DirectoryError> {
        // Of a trusted network nothing is changed, but who vouches for its machines vouches for their mail.
        let ours = self.is_submission() || (self.is_trusted() && self.listener.role != Role::Lmtp);
        if !ours {
            return Ok(None);
        }
        let Some(domain) = authors(header).first().and_then(|a| a.domain().cloned()) else {
            return Ok(None);
        };
        let signers = self.intake.directory.signers(&domain)?;
        Ok((!signers.is_empty()).then_some(signers))
    }
}

impl Receiving {
    async fn write(&mut self, piece: Bytes) -> Result<(), (Reply, String)> {
        self.hash(&piece);
        self.spool(piece).await
    }

    async fn spool(&mut self, piece: Bytes) -> Result<(), (Reply, String)> {
        self.spool.write(piece).await.map_err(|error| not_stored(&error))
    }

    fn hash(&mut self, piece: &[u8]) {
        let Stage::Body(Completed { signing, checks, .. }) = &mut self.stage else { return };
        if let Some(signing) = signing {
            signing.hasher.update(piece);
        }
        if let Some(checks) = checks {
            checks.update(piece);
        }
    }

    /// The whole message, or why it is refused.
    pub(crate) async fn finish(mut self, session: &Session) -> Result<Received, (Reply, String)> {
        if let Some(refusal) = self.refusal {
            return Err(refusal);
        }
        if let Stage::Header(collected) = &mut self.stage {
            // The message ended without a body: its header ends with it.
            let mut collected = std::mem::take(collected);
            if !collected.is_empty() && !collected.ends_with(b"\r\n") {
                collected.extend_from_slice(b"\r\n");
            }
            collected.extend_from_slice(b"\r\n");
            Box::pin(session.header_done(&mut self, collected.freeze())).await?;
        }
        let body = self.spool.finish().await.map_err(|error| not_stored(&error))?;
        match self.stage {
            Stage::Body(Completed { facts, signing, checks }) => {
                Ok(Received { body, facts, signing, checks })
            }
            Stage::Header(_) => Err((Reply::new(451, (4, 3, 0), "internal error"), "header not read".into())),
        }
    }
}

impl Signing {
    /// The DKIM-Signature fields, made on the blocking pool.
    pub(crate) async fn sign(self, now: u64) -> Vec<u8> {
        let Self { signers, header, hasher } = self;
        let signed = tokio::task::spawn_blocking(move || signers.sign(&header, &hasher.finish(), now));
        signed.await.unwrap_or_default()
    }
}

/// 451: nothing was promised.
pub(crate) fn not_stored(error: &store::StoreError) -> (Reply, String) {
    (Reply::new(451, (4, 3, 0), "the message cannot be stored now, try again later"), error.to_string())
}

fn find(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}
