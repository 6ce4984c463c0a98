//! How each host of an attempt is to be called, and what is said about that afterwards.

use crate::answers::Answer;
use crate::attempt::{Attempt, MAX_NOTES};
use crate::client::{OpenError, TlsUse};
use crate::open::Opened;
use crate::places::{Called, is_name_given};
use crate::security::{Plan, Refused, Wish, of_call, of_refusal, plan};
use crate::{NamedHost, TlsLevel};
use message::Header;
use smtp::command::Mail;

/// Octets of a message in which its header is sought.
const MAX_HEADER: usize = 64 * 1024;

impl Attempt<'_> {
    /// How a host is to be called: decided once, with its reason in the trail. `None`: it must not be.
    pub(crate) async fn plan(&mut self, host: &NamedHost) -> Option<Plan> {
        if let Some(known) = self.plans.get(&host.name) {
            return known.clone();
        }
        let decided = self.decide(host).await;
        let decided = match decided {
            Ok(plan) => {
                self.notes.extend(plan.note(host).filter(|_| self.notes.len() < MAX_NOTES));
                Some(plan)
            }
            Err(refused) => {
                self.tell(of_refusal(self.destination, &host.name, &refused));
                self.trouble(host.name.clone(), refused.answer);
                None
            }
        };
        self.plans.insert(host.name.clone(), decided.clone());
        decided
    }

    fn tell(&self, session: Option<mailauth::report::tls::Session>) {
        if let (Some(log), Some(session)) = (&self.transport.tls_log, session) {
            log.record(session);
        }
    }

    async fn decide(&mut self, host: &NamedHost) -> Result<Plan, Refused> {
        let required = needs_tls(&self.mail);
        // RFC 8689 §4.2.1: a host whose name comes from MX records that nobody vouches for gets no message that requires TLS.
        let named = is_name_given(&self.destination.route.next, host);
        if required && !named && !self.destination.published.vouches_for(host) {
            return Err(Answer::failed(
                "550 5.7.30 the message requires TLS all the way, and neither DNSSEC nor MTA-STS vouches for \
                 the name of this host",
            )
            .into());
        }
        let wish = Wish { required, one_domain: self.is_of_one_domain() };
        let planned = plan(&*self.transport.dns, self.destination, host, wish).await;
        let is_strict = planned.as_ref().map_or(true, Plan::is_published);
        if is_strict && !required && self.may_do_without_tls().await {
            return Ok(Plan::configured(self.destination, false));
        }
        let plan = planned?;
        if required && !plan.authenticates() {
            return Err(Answer::failed(
                "550 5.7.10 the message requires TLS, and this host's TLSA records (DANE) cannot be used to \
                 tell whose server it is",
            )
            .into());
        }
        Ok(plan)
    }

    /// RFC 8689 §4.2.2: `TLS-Required: No` asks that what the other side publishes should not keep the message.
    async fn may_do_without_tls(&mut self) -> bool {
        if self.destination.route.terms.tls == TlsLevel::Dane {
            return false;
        }
        let Ok(start) = self.message.body.read(MAX_HEADER).await else { return false };
        let no = Header::parse(&start)
            .get("TLS-Required")
            .is_some_and(|field| field.value().trim().eq_ignore_ascii_case("no"));
        if no && self.notes.len() < MAX_NOTES {
            self.notes
                .push("DANE and MTA-STS are passed over, as the sender asks (TLS-Required: No)".to_owned());
        }
        no
    }

    /// Notes what came of TLS, for the domain's reports and for whoever reads the trail.
    pub(crate) async fn note_tls(
        &mut self,
        called: &Called,
        plan: &Plan,
        opened: Result<&Opened, &OpenError>,
    ) {
        self.tell(of_call(self.destination, plan, called, opened));
        let (host, offers) = (&called.host.name, &self.transport.offers);
        let offered = match opened {
            Ok(opened) => {
                opened.handshake.is_some()
                    || opened.client.tls().is_some()
                    || opened.client.starttls_refused().is_some()
            }
            Err(OpenError::TlsNotOffered) => false,
            Err(_) => return,
        };
        if offered {
            offers.seen(host).await;
        } else if plan.tls != TlsUse::Never && offers.is_missed(host) {
            if offers.is_news(host) {
                tracing::warn!(
                    alert = "starttls-missing", %host, address = %called.endpoint,
                    "a host that offered STARTTLS does not any more"
                );
            }
            self.notes.push(format!(
                "{host} offered STARTTLS before and does not now: it has changed, or somebody on the way takes it out"
            ));
        }
    }

    fn is_of_one_domain(&self) -> bool {
        let mut domains = self.waiting.iter().map(|recipient| recipient.address.domain());
        let first = domains.next();
        domains.all(|domain| Some(domain) == first)
    }
}

/// RFC 8689 §5: a notification is not lost for want of REQUIRETLS.
pub(crate) fn needs_tls(mail: &Mail) -> bool {
    mail.parameters.requiretls && !mail.from.is_null()
}
