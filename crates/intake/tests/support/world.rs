//! A server with a few people, as every dialogue finds it.

use super::client::{Client, SOON};
use address::{Address, LocalPart, Secret};
use directory::{Directory, Verifier};
use intake::{Intake, Listener, Role, Settings};
use net::tls::{KeyPair, TlsClient, TlsPolicy, TlsServer, TlsServerSettings};
use net::{Endpoint, Limits, ServeOptions, Shutdown, Stream};
use policy::{AuthGuard, AuthRules};
use std::sync::Arc;
use std::time::Duration;
use store::directory::{AccountRecord, DomainKind, DomainRecord, RelayRecipients, RelayTarget};
use store::queue::Scheduled;
use store::{Id, Options, Store};
use tokio::sync::oneshot;

const HOST: &str = "mail.example.org";

/// What a dialogue sets with `@`.
pub(crate) struct Setup {
    pub(crate) settings: Settings,
    pub(crate) auth: AuthRules,
    pub(crate) xclient: bool,
    pub(crate) proxy: bool,
    /// Octets of bodies kept in memory; past it they go to files.
    pub(crate) budget: usize,
}

impl Setup {
    pub(crate) fn new() -> Self {
        let mut settings = Settings::new(HOST.parse().unwrap());
        // The least free disk asked for is twice this.
        settings.limits.message_size = 1 << 20;
        // Nobody waits after a failure.
        let auth = AuthRules { first_delay: Duration::ZERO, ..AuthRules::default() };
        Self { settings, auth, xclient: false, proxy: false, budget: 16 << 20 }
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
            "memory" => self.budget = value.parse().unwrap(),
            _ => panic!("no such setting: {text}"),
        }
    }
}

pub(crate) struct World {
    store: Store,
    intake: Arc<Intake>,
    tls: TlsClient,
    xclient: bool,
    proxy: bool,
    folder: tempfile::TempDir,
}

impl World {
    /// `example.org` with me@ (password `secret`), you@ (quota 1000 octets), gone@ (disabled) and team@, which is
    /// me@ and an address elsewhere; `relay.example` with the recipient known@.
    pub(crate) async fn new(options: Setup) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), &Options { body_budget: options.budget }).unwrap();
        let (free, total) = store.disk_space().unwrap();
        assert!(
            free > total / 50,
            "hardly any disk is free here, so mail is refused; set TMPDIR to where some is"
        );
        people(&store).await;
        let own = rcgen::generate_simple_self_signed([HOST.to_owned()]).unwrap();
        let pair = KeyPair::Pem {
            certificate: own.cert.pem().into_bytes(),
            key: Secret::new(own.signing_key.serialize_pem().into_bytes()),
        };
        let settings = TlsServerSettings { certificates: vec![pair], ..Default::default() };
        let directory = Directory::open(store.clone(), HOST.parse().unwrap()).await.unwrap();
        let resolver = Arc::new(dns::Fixed::new());
        let mut intake = Intake::new(directory, resolver, options.settings, Shutdown::new());
        intake.tls = Some(TlsServer::new(settings).unwrap());
        intake.auth_guard = Arc::new(AuthGuard::new(options.auth));
        let tls = TlsClient::with_roots([own.cert.der().clone()]).unwrap();
        let (xclient, proxy) = (options.xclient, options.proxy);
        Self { store, intake: Arc::new(intake), tls, xclient, proxy, folder }
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
        let mut options = ServeOptions::new(Limits::default(), self.intake.shutdown.clone());
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
            ("no-folder-for-bodies", "") => {
                std::fs::remove_dir_all(self.folder.path().join("bodies")).unwrap()
            }
            _ => panic!("no such trouble: {what}"),
        }
    }

    fn account(&self, name: &str) -> Id {
        let domain = "example.org".parse().unwrap();
        self.store.account(&domain, name).unwrap().unwrap().id
    }

    /// The messages in an INBOX, oldest first, each as its octets.
    pub(crate) async fn inbox(&self, name: &str) -> Vec<String> {
        let mailbox = self.store.inbox(self.account(name)).unwrap().id;
        let mut messages = Vec::new();
        for summary in self.store.messages(mailbox, 0, 1000).unwrap() {
            let message = self.store.message(mailbox, summary.uid).unwrap().unwrap();
            let mut octets = message.prefix.to_vec();
            octets.extend(message.body.read(usize::MAX).await.unwrap());
            messages.push(String::from_utf8(octets).unwrap());
        }
        messages
    }

    pub(crate) fn schedule(&self) -> Vec<Scheduled> {
        self.store.schedule_page(None, 1000).unwrap()
    }

    /// Bodies that are files.
    pub(crate) fn body_files(&self) -> usize {
        let shelves = std::fs::read_dir(self.folder.path().join("bodies")).unwrap();
        shelves.map(|shelf| std::fs::read_dir(shelf.unwrap().path()).unwrap().count()).sum()
    }
}

async fn people(store: &Store) {
    let local = [("example.org", DomainKind::Local, None)];
    let (to, recipients) = (RelayTarget::Mx, RelayRecipients::Listed);
    let relay = [("relay.example", DomainKind::Relay { to, recipients }, Some("known"))];
    for (name, kind, known) in local.into_iter().chain(relay) {
        let name = name.parse().unwrap();
        let record = DomainRecord { name, kind, catch_all: None, language: None, quota: None };
        let known = known.map(|local| LocalPart::from_value(local).unwrap());
        store.add_domain(record, known.into_iter().collect()).await.unwrap();
    }
    account(store, "me@example.org", None, false).await;
    account(store, "you@example.org", Some(1000), false).await;
    account(store, "gone@example.org", None, true).await;
    let targets = ["me@example.org", "out@elsewhere.example"].map(address);
    store.add_alias(address("team@example.org"), targets.to_vec()).await.unwrap();
}

async fn account(store: &Store, text: &str, quota: Option<u64>, disabled: bool) {
    let record = AccountRecord {
        id: Id::generate(),
        address: address(text),
        name: None,
        language: None,
        quota,
        disabled,
        used_bytes: 0,
        used_messages: 0,
    };
    let verifier = Verifier::of_password(&Secret::new("secret".into()), false).unwrap();
    store.add_account(record, Some(verifier.to_storage())).await.unwrap();
}

fn address(text: &str) -> Address {
    text.parse().unwrap()
}
