//! A server with a few people, as every dialogue finds it.

use super::client::{Client, SOON};
use address::{Address, LocalPart, ReversePath, Secret};
use directory::{Directory, Verifier};
use intake::{Intake, Listener, RecipientCheck, Role, Settings, Verification};
use mailauth::Txt;
use mailauth::arc::{ChainStatus, Sealer};
use mailauth::dkim::{Signer, SigningKey, Verifier as SignatureVerifier};
use mailauth::results::AuthResults;
use net::tls::{KeyPair, TlsClient, TlsPolicy, TlsServer, TlsServerSettings};
use net::{Endpoint, LimitSettings, Limits, ServeOptions, Shutdown, Stream};
use policy::arrival::{self, Action, Arrival, GreylistRules, Kind, List, Rules};
use policy::{AuthGuard, AuthRules, Rate, RateLimiter};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use store::directory::{
    AccountRecord, CredentialKind, CredentialRecord, DomainKind, DomainRecord, KeyStage, RelayRecipients,
    RelayTarget, SigningKeyRecord,
};
use store::queue::Scheduled;
use store::trail::Event;
use store::{Id, LogHold, Options, Store};
use tokio::sync::oneshot;

/// Far longer than a dialogue: what a rate takes up is not given back in one.
const DAY: Duration = Duration::from_secs(86_400);
/// For a log to be copied, on however slow a machine.
const PATIENCE: Duration = Duration::from_secs(60);
const HOST: &str = "mail.example.org";

/// What a dialogue sets with `@`.
pub(crate) struct Setup {
    pub(crate) settings: Settings,
    pub(crate) auth: AuthRules,
    pub(crate) xclient: bool,
    pub(crate) proxy: bool,
    /// Octets of bodies kept in memory; past it they go to files.
    pub(crate) budget: usize,
    /// Octets of a write-ahead log that close intake.
    log_limit: u64,
    /// Messages and recipients of an account, connections of a network, a day.
    messages: Option<u32>,
    recipients: Option<u32>,
    connections: Option<u32>,
    /// Connections at the same time.
    in_all: Option<usize>,
    /// `example.org` has a key to sign with.
    dkim: bool,
    /// What the DNS knows.
    dns: dns::Fixed,
    /// What follows from checks of strangers' mail.
    arrival: arrival::Settings,
    /// Domains elsewhere whose mail can be signed.
    signers: Vec<Signer>,
    /// me@ keeps a password that CRAM-MD5 can use.
    cram_md5: bool,
}

impl Setup {
    pub(crate) fn new() -> Self {
        let mut settings = Settings::new(HOST.parse().unwrap());
        // The least free disk asked for is twice this.
        settings.limits.message_size = 1 << 20;
        // Nobody waits after a failure.
        let auth = AuthRules { first_delay: Duration::ZERO, ..AuthRules::default() };
        let (messages, recipients, connections) = (None, None, None);
        let (xclient, proxy, dkim, cram_md5, budget) = (false, false, false, false, 16 << 20);
        let arrival = arrival::Settings::new(HOST.parse().unwrap());
        let log_limit = Options::default().log_limit;
        Self {
            settings,
            auth,
            xclient,
            proxy,
            budget,
            log_limit,
            messages,
            recipients,
            connections,
            in_all: None,
            dkim,
            dns: dns::Fixed::new(),
            arrival,
            signers: Vec::new(),
            cram_md5,
        }
    }

    /// `key value` or `key`.
    pub(crate) fn set(&mut self, text: &str) {
        let (key, value) = text.split_once(' ').unwrap_or((text, ""));
        match key {
            "trusted" => self.settings.trusted.push(value.parse().unwrap()),
            "hide-client" => self.settings.hide_client_address = true,
            "max-hops" => self.settings.max_hops = value.parse().unwrap(),
            "message-size" => self.settings.limits.message_size = value.parse().unwrap(),
            "command-timeout-ms" => {
                self.settings.timeouts.command = Duration::from_millis(value.parse().unwrap());
            }
            "data-timeout-ms" => self.settings.timeouts.data = Duration::from_millis(value.parse().unwrap()),
            "bare-newline" if value == "normalise" => {
                self.settings.bare_newline = smtp::server::BareNewline::Normalise;
            }
            "auth-failures" => self.auth.failures = value.parse().unwrap(),
            "xclient" => self.xclient = true,
            "proxy" => self.proxy = true,
            "message-rate" => self.messages = Some(value.parse().unwrap()),
            "recipient-rate" => self.recipients = Some(value.parse().unwrap()),
            "exempt" => self.settings.exempt.push(value.parse().unwrap()),
            "errors" => self.settings.limits.errors = value.parse().unwrap(),
            "in-all" => self.in_all = Some(value.parse().unwrap()),
            "connection-rate" => self.connections = Some(value.parse().unwrap()),
            "dkim" => self.dkim = true,
            "cram-md5" => self.cram_md5 = true,
            "dns" => self.set_dns(value),
            "signer" => self.set_signer(value),
            "policy" => self.set_policy(value),
            "list" => self.set_list(value),
            "trusted-sealer" => self.arrival.trusted_sealers.push(value.parse().unwrap()),
            "greylist" => {
                let delay = Duration::from_secs(value.parse().unwrap());
                self.arrival.greylist = GreylistRules { delay, ..self.arrival.greylist };
                self.arrival.rules.greylist = true;
            }
            "greylist-verified" => self.arrival.greylist.ask_verified = true,
            "address-rate" => self.arrival.rates.address = Some(value.parse().unwrap()),
            "network-rate" => self.arrival.rates.network = Some(value.parse().unwrap()),
            "sender-rate" => self.arrival.rates.sender = Some(value.parse().unwrap()),
            "memory" => self.budget = value.parse().unwrap(),
            "log-limit" => self.log_limit = value.parse().unwrap(),
            _ => panic!("no such setting: {text}"),
        }
    }

    /// `a NAME IP`, `ptr IP NAME`, `mx NAME HOST`, `txt NAME TEXT`, or `fail NAME`, which has no answer for now.
    fn set_dns(&mut self, text: &str) {
        let mut words = text.splitn(3, ' ');
        let (kind, name, value) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap_or(""));
        let dns = std::mem::take(&mut self.dns);
        self.dns = match kind {
            "a" => dns.with_a(name, value),
            "ptr" => dns.with_ptr(name, value),
            "mx" => dns.with_mx(name, 10, value),
            "txt" => dns.with_txt(name, value),
            "fail" => dns.with_failure(name, "silence"),
            _ => panic!("no such record: {text}"),
        };
    }

    /// A key for a domain elsewhere, with its record.
    fn set_signer(&mut self, domain: &str) {
        let key = SigningKey::generate_ed25519().unwrap();
        self.dns =
            std::mem::take(&mut self.dns).with_txt(&format!("s1._domainkey.{domain}"), &key.dns_record());
        self.signers.push(Signer::new(domain.parse().unwrap(), "s1".parse().unwrap(), key));
    }

    /// `[DOMAIN] CHECK ACTION`; for a check with settings of its own, their value.
    fn set_policy(&mut self, text: &str) {
        let words: Vec<&str> = text.split(' ').collect();
        let (rules, check, action) = match words[..] {
            [check, action] => (&mut self.arrival.rules, check, action),
            [domain, check, action] => {
                let rules = self.arrival.domains.entry(domain.parse().unwrap()).or_default();
                (rules, check, action)
            }
            _ => panic!("no policy: {text}"),
        };
        match check {
            "reject-points" => return rules.thresholds.reject = action.parse().unwrap(),
            "greylist" => return rules.greylist = action == "on",
            _ => {}
        }
        let Rules { iprev, helo, helo_sends, sender_domain, spf, dkim, dmarc, own_domain, .. } = rules;
        let rule = match check {
            "iprev" => iprev,
            "helo" => helo,
            "helo-sends" => helo_sends,
            "sender-domain" => sender_domain,
            "spf" => spf,
            "dkim" => dkim,
            "dmarc" => dmarc,
            "own-domain" => own_domain,
            _ => panic!("no such check: {check}"),
        };
        *rule = match action {
            "nothing" => Action::Nothing,
            "mark" => Action::Mark,
            "quarantine" => Action::Quarantine,
            "reject" => Action::Reject,
            _ => panic!("no such action: {action}"),
        };
    }

    /// `ZONE KIND POINTS`: a list that passes its test.
    fn set_list(&mut self, text: &str) {
        let words: Vec<&str> = text.split(' ').collect();
        let (zone, probe, kind) = match words[1] {
            "addresses" => (words[0], "2.0.0.127", Kind::Addresses),
            "domains" => (words[0], "test", Kind::Domains),
            other => panic!("no such kind: {other}"),
        };
        self.dns = std::mem::take(&mut self.dns).with_a(&format!("{probe}.{zone}"), "127.0.0.2");
        let (zone, points, codes) = (zone.parse().unwrap(), words[2].parse().unwrap(), Vec::new());
        self.arrival.lists.push(List { zone, kind, points, codes });
    }
}

pub(crate) struct World {
    store: Store,
    directory: Directory,
    pub(crate) intake: Arc<Intake>,
    tls: TlsClient,
    /// The public half of the key of `example.org`, as DNS has it.
    dkim: Option<String>,
    signers: Vec<Signer>,
    xclient: bool,
    proxy: bool,
    folder: tempfile::TempDir,
}

impl World {
    /// `example.org` with me@ (password `secret`), you@ (quota 1000 octets), gone@ (disabled) and team@, which is
    /// me@ and an address elsewhere; `relay.example` with the recipient known@; `verify.example`, whose next host is asked.
    pub(crate) async fn new(options: Setup) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let Setup { budget: body_budget, log_limit, .. } = options;
        let store =
            Store::open(folder.path(), &Options { body_budget, log_limit, ..Options::default() }).unwrap();
        let (free, total) = store.disk_space().unwrap();
        assert!(
            free > total / 50,
            "hardly any disk is free here, so mail is refused; set TMPDIR to where some is"
        );
        people(&store, options.cram_md5).await;
        let dkim = if options.dkim { Some(signing_key(&store).await) } else { None };
        let own = rcgen::generate_simple_self_signed([HOST.to_owned()]).unwrap();
        let pair = KeyPair::Pem {
            certificate: own.cert.pem().into_bytes(),
            key: Secret::new(own.signing_key.serialize_pem().into_bytes()),
        };
        let settings = TlsServerSettings { certificates: vec![pair], ..Default::default() };
        let directory = Directory::open(store.clone(), HOST.parse().unwrap()).await.unwrap();
        let resolver: Arc<dyn dns::Lookup> = Arc::new(options.dns);
        let arrival = Arrival::new(Arc::clone(&resolver), store.clone(), options.arrival);
        arrival.test_lists().await;
        let mut intake = Intake::new(directory.clone(), resolver, options.settings, Shutdown::new());
        intake.arrival = Arc::new(arrival);
        intake.tls = Some(TlsServer::new(settings).unwrap());
        intake.recipients = Some(Arc::new(NextHost));
        intake.message_rate = options.messages.map(a_day);
        intake.recipient_rate = options.recipients.map(a_day);
        intake.connection_rate = options.connections.map(a_day);
        intake.auth_guard = Arc::new(AuthGuard::new(options.auth));
        let in_all = |total| Limits::new(LimitSettings { total, ..LimitSettings::default() });
        intake.limits = options.in_all.map(in_all);
        let tls = TlsClient::with_roots([own.cert.der().clone()]).unwrap();
        let (xclient, proxy) = (options.xclient, options.proxy);
        let signers = options.signers;
        Self { store, directory, intake: Arc::new(intake), tls, dkim, signers, xclient, proxy, folder }
    }

    /// Octets that the task of a connection takes, its heap apart.
    pub(crate) fn task_size(&self) -> usize {
        let (stream, _client) = Stream::pair().unwrap();
        let connection = net::Connection { stream, guard: Limits::default().admit(None).unwrap() };
        size_of_val(&Arc::clone(&self.intake).serve(Arc::new(Listener::new(Role::Relay)), connection))
    }

    /// A client of a new listener: `relay`, `submission`, `submissions` (TLS at once), `lmtp` or `local`.
    pub(crate) async fn call(&self, kind: &str) -> Client {
        let (role, unix) = match kind {
            "relay" => (Role::Relay, false),
            "submission" | "submissions" => (Role::Submission, false),
            "lmtp" => (Role::Lmtp, true),
            "local" => (Role::Local, true),
            _ => panic!("no such listener: {kind}"),
        };
        let mut rules = Listener::new(role);
        rules.implicit_tls = kind == "submissions";
        if self.xclient {
            rules.xclient_from.push("127.0.0.1/32".parse().unwrap());
        }
        let socket = self.folder.path().join(format!("socket-{}", Id::generate()));
        let place = if unix { Endpoint::Unix(socket) } else { "127.0.0.1:0".parse().unwrap() };
        let (place, ended) = self.listen(&place, rules);
        let stream = net::connect(&place, None, SOON).await.unwrap();
        let stream = if kind == "submissions" { self.secure(stream).await } else { stream };
        Client::new(stream, ended)
    }

    /// Serves one connection there; the receiver hears of its end.
    fn listen(&self, place: &Endpoint, rules: Listener) -> (Endpoint, oneshot::Receiver<()>) {
        let listener = net::Listener::bind(place, None).unwrap();
        let place = listener.local().clone();
        let limits = self.intake.limits.clone().unwrap_or_default();
        let mut options = ServeOptions::new(limits, self.intake.shutdown.clone());
        if self.proxy {
            options = options.proxy_from(vec!["127.0.0.1/32".parse().unwrap()]);
        }
        let (sender, ended) = oneshot::channel();
        let (sender, rules) = (Arc::new(std::sync::Mutex::new(Some(sender))), Arc::new(rules));
        let intake = Arc::clone(&self.intake);
        tokio::spawn(net::serve(listener, options, move |connection| {
            let served = Arc::clone(&intake).serve(Arc::clone(&rules), connection);
            let sender = sender.lock().unwrap().take();
            async move {
                served.await;
                sender.map(|sender| sender.send(()));
            }
        }));
        (place, ended)
    }

    pub(crate) async fn secure(&self, stream: Stream) -> Stream {
        stream.connect_tls(&self.tls, &HOST.parse().unwrap(), &TlsPolicy::Verified).await.unwrap()
    }

    /// What happens beside the dialogue.
    pub(crate) async fn trouble(&self, what: &str) {
        match what.split_once(' ').unwrap_or((what, "")) {
            ("stop", "") => self.intake.shutdown.trigger(),
            ("remove", who) => self.store.remove_account(self.account(who)).await.unwrap(),
            ("message-size", size) => {
                let mut settings = (*self.intake.settings()).clone();
                settings.limits.message_size = size.parse().unwrap();
                self.intake.set_settings(settings);
            }
            ("no-folder-for-bodies", "") => {
                std::fs::remove_dir_all(self.folder.path().join("bodies")).unwrap()
            }
            _ => panic!("no such trouble: {what}"),
        }
    }

    /// Somebody reads and never ends, until what this gives is dropped.
    pub(crate) fn hold_logs(&self) -> LogHold {
        self.store.hold_logs().unwrap()
    }

    /// Returns when the store takes mail.
    pub(crate) async fn recover(&self) {
        let begun = Instant::now();
        while let Some(trouble) = self.store.trouble() {
            assert!(begun.elapsed() < PATIENCE, "{trouble}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn account(&self, name: &str) -> Id {
        let domain = "example.org".parse().unwrap();
        self.store.account(&domain, name).unwrap().unwrap().id
    }

    /// The messages in an INBOX (`me`) or another folder (`me/Junk`), oldest first, each as its octets.
    pub(crate) async fn folder(&self, name: &str) -> Vec<String> {
        let (name, folder) = name.split_once('/').unwrap_or((name, "INBOX"));
        let mailbox = self.store.mailbox_named(self.account(name), folder).unwrap().unwrap().id;
        let mut messages = Vec::new();
        for summary in self.store.messages(mailbox, 0, 1000).unwrap() {
            let message = self.store.message(mailbox, summary.uid).unwrap().unwrap();
            let mut octets = message.prefix.to_vec();
            octets.extend(message.body.read(usize::MAX).await.unwrap());
            messages.push(String::from_utf8(octets).unwrap());
        }
        messages
    }

    /// How many signatures of the domain a message has. All must verify.
    pub(crate) fn signatures(&self, message: &str) -> usize {
        let (header, body) = message.split_once("\r\n\r\n").unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let mut verifier = SignatureVerifier::new(format!("{header}\r\n").as_bytes(), now);
        verifier.update(body.as_bytes());
        let results = verifier.finish(|name| {
            assert_eq!(name, "w1._domainkey.example.org");
            Txt::Ok(self.dkim.iter().map(|record| record.clone().into_bytes()).collect())
        });
        assert!(results.iter().all(|result| result.passed()), "{results:?}");
        results.len()
    }

    /// A message as the domain signs it.
    pub(crate) fn sign(&self, domain: &str, message: &str) -> String {
        let signer = self.signers.iter().find(|signer| signer.domain.as_str() == domain).unwrap();
        let (header, body) = message.split_once("\r\n\r\n").unwrap();
        let mut hasher = mailauth::dkim::BodyHasher::new(signer.canonicalization.body);
        hasher.update(body.as_bytes());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let field = signer.sign(format!("{header}\r\n").as_bytes(), &hasher.finish(), now).unwrap();
        format!("{}{message}", String::from_utf8(field).unwrap())
    }

    /// A message that DMARC passed for `author` where the domain sealed it.
    pub(crate) fn seal(&self, domain: &str, author: &str, message: &str) -> String {
        let signer = self.signers.iter().find(|signer| signer.domain.as_str() == domain).unwrap();
        let (header, body) = message.split_once("\r\n\r\n").unwrap();
        let sealer = Sealer::from_signer(signer.clone());
        let mut hasher = mailauth::dkim::BodyHasher::new(sealer.body_form());
        hasher.update(body.as_bytes());
        let mut found = AuthResults::new(domain);
        found.push(mailauth::results::dmarc("pass", author, None));
        let (header, body) = (format!("{header}\r\n"), hasher.finish());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let set = sealer.seal(header.as_bytes(), &body, ChainStatus::None, &found, now).unwrap().unwrap();
        format!("{}{message}", String::from_utf8(set).unwrap())
    }

    /// What the trail says was found of the newest message, or that it was refused with.
    pub(crate) fn verdicts(&self) -> Vec<String> {
        let newest = self.store.trail_newest(1).unwrap().into_iter();
        let mut entries = newest.flat_map(|id| self.store.trail(id).unwrap());
        entries
            .find_map(|entry| match entry.event {
                Event::Accepted { verdicts, .. } => Some(verdicts),
                Event::Refused { verdicts, reply, .. } => {
                    Some([format!("refused: {reply}")].into_iter().chain(verdicts).collect())
                }
                _ => None,
            })
            .unwrap_or_default()
    }

    pub(crate) fn schedule(&self) -> Vec<Scheduled> {
        self.store.schedule_page(None, 1000).unwrap()
    }

    /// The octets of the newest message that waits for a recipient.
    pub(crate) async fn queued(&self, recipient: &str) -> String {
        let rows = self.schedule().into_iter().rev();
        let row = rows.into_iter().find(|row| row.recipient.address.to_string() == recipient).unwrap();
        let (message, _) = self.store.queued(row.message).unwrap().unwrap();
        let body = self.store.body(message.body_id, message.body_size).unwrap();
        let octets = [&message.trace[..], &body.read(usize::MAX).await.unwrap()].concat();
        String::from_utf8(octets).unwrap()
    }

    /// What the trail says of whom the newest message that was accepted came for.
    pub(crate) fn forwarded(&self) -> Option<String> {
        let newest = self.store.trail_newest(10).unwrap().into_iter();
        let mut entries = newest.flat_map(|id| self.store.trail(id).unwrap());
        entries
            .find_map(|entry| match entry.event {
                Event::Accepted { origin, .. } => Some(origin.forwarded),
                _ => None,
            })
            .expect("nothing was accepted")
    }

    /// Bodies that are files.
    pub(crate) fn body_files(&self) -> usize {
        let shelves = std::fs::read_dir(self.folder.path().join("bodies")).unwrap();
        shelves.map(|shelf| std::fs::read_dir(shelf.unwrap().path()).unwrap().count()).sum()
    }
}

/// The next host of `verify.example`: takes known@, has had to close for busy@, knows nobody else.
struct NextHost;

impl RecipientCheck for NextHost {
    fn check<'a>(&'a self, address: &'a Address) -> Pin<Box<dyn Future<Output = Verification> + Send + 'a>> {
        Box::pin(std::future::ready(match address.local().as_str() {
            "known" => Verification::Taken,
            "busy" => Verification::Unknown("421 4.3.2 closed".into()),
            "fault" => panic!("on purpose"),
            _ => Verification::Refused("550 5.1.1 who?".into()),
        }))
    }
}

fn a_day<K: std::hash::Hash + Eq>(count: u32) -> RateLimiter<K> {
    RateLimiter::new(Rate { count, period: DAY })
}

/// Gives `example.org` a key; its record in DNS.
async fn signing_key(store: &Store) -> String {
    let key = SigningKey::generate_ed25519().unwrap();
    let (domain, selector) = ("example.org".parse().unwrap(), "w1".to_owned());
    let pem = key.to_pem().unwrap();
    store
        .add_signing_key(SigningKeyRecord { domain, selector, pem, stage: KeyStage::Active, since: 0 })
        .await
        .unwrap();
    key.dns_record()
}

async fn people(store: &Store, cram_md5: bool) {
    let local = [("example.org", DomainKind::Local, None)];
    let (to, recipients) = (RelayTarget::Mx, RelayRecipients::Listed);
    let relay = [("relay.example", DomainKind::Relay { to: to.clone(), recipients }, Some("known"))];
    let verify = [("verify.example", DomainKind::Relay { to, recipients: RelayRecipients::Verify }, None)];
    for (name, kind, known) in local.into_iter().chain(relay).chain(verify) {
        let name = name.parse().unwrap();
        let record = DomainRecord { name, kind, catch_all: None, language: None, quota: None };
        let known = known.map(|local| LocalPart::from_value(local).unwrap());
        store.add_domain(record, known.into_iter().collect()).await.unwrap();
    }
    account(store, "me@example.org", None, false).await;
    account(store, "you@example.org", Some(1000), false).await;
    account(store, "gone@example.org", None, true).await;
    if cram_md5 {
        let verifier = Verifier::of_password(&Secret::new("secret".into()), true).unwrap().to_storage();
        let account = store.account(&"example.org".parse().unwrap(), "me").unwrap().unwrap().id;
        let (id, kind, label) = (Id::generate(), CredentialKind::Password, String::new());
        store.add_credential(CredentialRecord { id, account, kind, label, verifier }).await.unwrap();
    }
    let targets = ["me@example.org", "out@elsewhere.example"].map(address);
    store.add_alias(address("team@example.org"), targets.to_vec()).await.unwrap();
}

async fn account(store: &Store, text: &str, quota: Option<u64>, disabled: bool) {
    let record = AccountRecord { quota, disabled, ..AccountRecord::new(address(text)) };
    let verifier = Verifier::of_password(&Secret::new("secret".into()), false).unwrap();
    store.add_account(record, Some(verifier.to_storage())).await.unwrap();
}

impl World {
    /// Replaces `{srs a@b}` with the address that stands for `a@b` in mail which `team@` passes on.
    pub(crate) fn rewrite_senders(&self, line: &str) -> String {
        let Some((start, rest)) = line.split_once("{srs ") else { return line.to_owned() };
        let (sender, end) = rest.split_once('}').unwrap();
        let (team, out) = (address("team@example.org"), address("out@elsewhere.example"));
        let onward = self.directory.onward(&ReversePath::Address(address(sender)), &team, &out).unwrap();
        format!("{start}{}{end}", onward.reverse_path.address().unwrap())
    }
}

fn address(text: &str) -> Address {
    text.parse().unwrap()
}
