//! Whether the next server would take a recipient: asked at RCPT for a domain that is relayed (MAIL FROM:<>, RCPT, QUIT).

use crate::client::{Client, Content, Sent};
use crate::open::{Opened, open_until};
use crate::places::{Called, Next, Places};
use crate::security::{Wish, plan};
use crate::{Carrier as _, Destination, DestinationKey, Route, Transport};
use address::{Address, ForwardPath, ReversePath};
use smtp::client::{Fate, Stage, Transaction};
use smtp::command::{Mail, Rcpt};
use smtp::parameter::{MailParameters, RcptParameters};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// Most answers that are remembered.
const MAX_VERIFIED: usize = 20_000;
/// Questions asked at the same time: whoever guesses addresses must not make us bother the next server.
const AT_ONCE: usize = 10;
/// How long a positive answer holds: the next server will be asked again anyway when the message comes.
const KNOWN: Duration = Duration::from_secs(60 * 60);
/// How long a negative answer holds: an address just made should work soon.
const UNKNOWN: Duration = Duration::from_secs(5 * 60);

/// The next server's answer about an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VerifyResult {
    Accepted,
    /// 5xx to RCPT: its words.
    Refused(String),
    /// 4xx, no answer, or a 5xx that is about us: the words, with a code. Refuse for now, and do not accept blindly.
    Unsure(String),
}

/// Answers of the last minutes.
#[derive(Debug)]
pub(crate) struct Verified {
    known: Mutex<HashMap<(DestinationKey, String), (VerifyResult, Instant)>>,
    turn: Semaphore,
}

impl Default for Verified {
    fn default() -> Self {
        Self { known: Mutex::default(), turn: Semaphore::new(AT_ONCE) }
    }
}

impl Verified {
    fn get(&self, key: &(DestinationKey, String)) -> Option<VerifyResult> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(key).filter(|(_, until)| *until > Instant::now()).map(|(result, _)| result.clone())
    }

    fn put(&self, key: (DestinationKey, String), result: &VerifyResult) {
        let holds = match result {
            VerifyResult::Accepted => KNOWN,
            VerifyResult::Refused(_) => UNKNOWN,
            VerifyResult::Unsure(_) => return,
        };
        let now = Instant::now();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_VERIFIED {
            known.retain(|_, (_, until)| *until > now);
        }
        if known.len() < MAX_VERIFIED {
            known.insert(key, (result.clone(), now + holds));
        }
    }
}

impl Transport {
    /// Asks the next server of `route` whether it would take `address`; answers are remembered for a while.
    pub async fn verify(&self, route: &Route, address: &Address) -> VerifyResult {
        let destination = match self.locate(route).await {
            Ok(destination) => destination,
            Err(unreachable) => return VerifyResult::Unsure(unreachable.reply),
        };
        // The local part's case is the next server's business (RFC 5321 §2.4).
        let key = (destination.key.clone(), address.to_string());
        if let Some(known) = self.verified.get(&key) {
            return known;
        }
        let _turn = self.verified.turn.acquire().await;
        let result = self.ask_hosts(&destination, address).await;
        self.verified.put(key, &result);
        result
    }

    async fn ask_hosts(&self, destination: &Destination, address: &Address) -> VerifyResult {
        let settings = self.settings();
        let mut places = Places::new(&*self.dns, &settings, &self.silent, destination);
        let mut last = "451 4.4.1 no host could be asked".to_owned();
        while let Some(next) = places.next().await {
            let called = match next {
                Next::Address(called) => called,
                Next::Host(_) => continue,
                Next::Nothing(host, why) => {
                    last = crate::answers::of_no_address(&host, &why, true).reply;
                    continue;
                }
            };
            match self.ask_host(destination, &called, address).await {
                Ok(result) => return result,
                Err(reply) => last = reply,
            }
        }
        VerifyResult::Unsure(last)
    }

    /// An error is the reason to ask another host.
    async fn ask_host(
        &self,
        destination: &Destination,
        called: &Called,
        address: &Address,
    ) -> Result<VerifyResult, String> {
        let wish = Wish { required: false, one_domain: true };
        let plan = plan(&*self.dns, destination, &called.host, wish)
            .await
            .map_err(|refused| refused.answer.reply)?;
        let (settings, route) = (self.settings(), &destination.route);
        let opened = open_until(Some(Stage::Rcpt), &self.tls, &settings, route, called, &plan);
        match opened.await {
            Ok(Opened { client, .. }) => ask(client, address).await,
            Err(error) => {
                if error.is_silence() {
                    self.silent.add(&called.endpoint);
                }
                Err(error.to_reply())
            }
        }
    }
}

/// One server's answer; an error is the reason to ask another.
async fn ask(mut client: Client, address: &Address) -> Result<VerifyResult, String> {
    let parameters = MailParameters { smtputf8: address.needs_smtputf8(), ..MailParameters::default() };
    let transaction = Transaction {
        mail: Mail { from: ReversePath::Null, parameters },
        recipients: vec![Rcpt {
            to: ForwardPath::Address(address.clone()),
            parameters: RcptParameters::default(),
        }],
        length: 0,
    };
    let sent = client.send(transaction, &Content::from_bytes("")).await;
    let ended = client.ended().map(crate::client::ended_reply);
    client.dismiss();
    match sent.map_err(|error| format!("451 4.3.0 {error}"))? {
        Sent::Stopped(_) => Ok(VerifyResult::Accepted),
        Sent::Done(outcome) => match outcome.recipients.into_iter().next().map(|recipient| recipient.fate) {
            Some(Fate::Accepted(_)) => Ok(VerifyResult::Accepted),
            Some(Fate::Refused { at: Stage::Rcpt, reply }) if reply.is_permanent() => {
                Ok(VerifyResult::Refused(reply.to_string()))
            }
            Some(Fate::Refused { reply, .. }) => Ok(VerifyResult::Unsure(reply.to_string())),
            _ => Err(ended.unwrap_or_else(|| "451 4.4.2 the server gave no answer".to_owned())),
        },
    }
}
