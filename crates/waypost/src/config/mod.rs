//! The configuration: text → raw → checked [`Config`], once, at start and at each reload.
//!
//! The text is TOML. Raw structures mirror it key by key; checked ones hold domain types, absolute paths and
//! the defaults, so that nothing after this room ever sees a string that might be wrong. Other crates define
//! settings of their own, and the wiring fills them from here: they never see a [`Config`].
//!
//! Nothing else in Waypost reads settings. Every key is described in [`reference`], from which
//! `docs/configuration.md` is made.
//!
//! ```
//! use std::path::Path;
//! use waypost::config::Config;
//!
//! let config = Config::parse("hostname = \"mail.example.org\"", Path::new("/etc/waypost/waypost.toml")).unwrap();
//! assert_eq!(config.limits.message_size, 50 << 20);
//! ```

mod delivery;
mod error;
mod listen;
mod outline;
mod places;
mod policy;
pub mod reference;
mod reports;
mod sections;
#[cfg(test)]
mod tests;
pub mod units;

pub use self::reports::Reports;
pub use delivery::{Credentials, Delivery, DomainPattern, Family, Match, Route, SenderPattern, TlsLevel};
pub use error::{Error, Problem};
pub use listen::{Listener, Service, standard as standard_listeners};
pub use places::{Endpoint, LMTP_PORT, Peer, SMTP_PORT, SMTPS_PORT, Target, name_server};
pub use policy::Policy;
pub use sections::{
    BareNewline, CertificateFiles, Dkim, Dns, Imap, Limits, Log, LogFormat, LogLevel, Queue, Relay, Smtp,
    Submission,
};

use address::Domain;
use outline::Outline;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use toml::de::DeTable;

/// The name of the file in each folder where it is looked for.
pub const FILE_NAME: &str = "waypost.toml";
/// Where the machine's own is.
pub const SYSTEM_FOLDER: &str = "/etc/waypost";
/// The variable that names a folder to look in first.
pub const HOME_VARIABLE: &str = "WAYPOST_HOME";

/// All settings, checked. One immutable snapshot: a reload makes another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    pub hostname: Domain,
    pub data: PathBuf,
    /// None: no change of user.
    pub user: Option<String>,
    pub listen: Vec<Listener>,
    /// The first is for clients that name no host. Empty: none was configured.
    pub certificates: Vec<CertificateFiles>,
    /// The authorities that may vouch for certificates of clients.
    pub client_ca: Option<PathBuf>,
    pub relay: Relay,
    pub delivery: Delivery,
    /// In order: the first that matches wins.
    pub routes: Vec<Route>,
    pub dns: Dns,
    pub dkim: Dkim,
    pub limits: Limits,
    pub submission: Submission,
    pub smtp: Smtp,
    pub policy: Policy,
    pub imap: Imap,
    pub queue: Queue,
    pub reports: Reports,
    pub log: Log,
}

impl Config {
    /// What a file with nothing but this hostname means.
    pub fn new(hostname: Domain) -> Self {
        Self {
            hostname,
            data: PathBuf::from("/var/lib/waypost"),
            user: None,
            listen: standard_listeners(),
            certificates: Vec::new(),
            client_ca: None,
            relay: Relay::default(),
            delivery: Delivery::default(),
            routes: Vec::new(),
            dns: Dns::default(),
            dkim: Dkim::default(),
            limits: Limits::default(),
            submission: Submission::default(),
            smtp: Smtp::default(),
            policy: Policy::default(),
            imap: Imap::default(),
            queue: Queue::default(),
            reports: Reports::default(),
            log: Log::default(),
        }
    }

    /// Finds the file ([`find`]), reads and checks it.
    pub fn load(named: Option<&Path>) -> Result<(PathBuf, Self), Error> {
        let file = find(named)?;
        let text =
            std::fs::read_to_string(&file).map_err(|source| Error::Read { file: file.clone(), source })?;
        let config = Self::parse(&text, &file)?;
        Ok((file, config))
    }

    /// Checks the text of a file. Relative paths in it start at the folder of `file`.
    pub fn parse(text: &str, file: &Path) -> Result<Self, Error> {
        let folder = std::path::absolute(file).ok().and_then(|file| file.parent().map(Path::to_owned));
        let checked = check(text).and_then(|mut config| {
            config.resolve(&folder.unwrap_or_default());
            let too_long = config.sockets_too_long();
            if too_long.is_empty() { Ok(config) } else { Err(too_long) }
        });
        checked.map_err(|problems| Error::Invalid { file: file.to_owned(), problems })
    }

    /// Sockets whose path no system takes: better said at once than when the last of them is opened.
    fn sockets_too_long(&self) -> Vec<Problem> {
        let problem = |key: String, path: &Path, room: usize| {
            let length = path.as_os_str().len();
            let text = format!(
                "{} has {length} octets; with more than {room} the path of a socket there is longer than the system \
                 allows: choose a shorter one",
                path.display()
            );
            (length > room).then_some(Problem { line: None, key, text })
        };
        let sockets = self.listen.iter().filter_map(|listener| match &listener.endpoint {
            Endpoint::Unix(path) => {
                problem(format!("listen.{}", listener.service), path, net::MAX_SOCKET_PATH)
            }
            Endpoint::Tcp(_) => None,
        });
        // The longest name of those in the data folder, and the slash before it.
        let room = net::MAX_SOCKET_PATH - 1 - admin::control::SOCKET.len();
        problem("data".to_owned(), &self.data, room).into_iter().chain(sockets).collect()
    }

    /// Makes every path absolute: the one place that knows where the paths are.
    fn resolve(&mut self, folder: &Path) {
        let absolute = |path: &mut PathBuf| *path = folder.join(&*path);
        absolute(&mut self.data);
        for listener in &mut self.listen {
            if let Endpoint::Unix(path) = &mut listener.endpoint {
                absolute(path);
            }
        }
        for files in &mut self.certificates {
            absolute(&mut files.certificate);
            absolute(&mut files.key);
        }
        self.client_ca.iter_mut().for_each(absolute);
        delivery::resolve(&mut self.delivery, folder);
        self.routes.iter_mut().for_each(|route| delivery::resolve(&mut route.delivery, folder));
        self.dns.trust_anchor.iter_mut().for_each(absolute);
        self.log.file.iter_mut().for_each(absolute);
    }
}

/// The file to read: the one named, else the first there is of `$WAYPOST_HOME/waypost.toml`, `./waypost.toml` and
/// `/etc/waypost/waypost.toml`.
pub fn find(named: Option<&Path>) -> Result<PathBuf, Error> {
    match named {
        Some(file) => Ok(file.to_owned()),
        None => find_in(candidates(std::env::var_os(HOME_VARIABLE).map(PathBuf::from))),
    }
}

fn candidates(home: Option<PathBuf>) -> Vec<PathBuf> {
    let home = home.filter(|folder| !folder.as_os_str().is_empty());
    let folders = home.into_iter().chain([PathBuf::from("."), PathBuf::from(SYSTEM_FOLDER)]);
    folders.map(|folder| folder.join(FILE_NAME)).collect()
}

fn find_in(candidates: Vec<PathBuf>) -> Result<PathBuf, Error> {
    // One that is there but may not be read is meant all the same: reading it then says why not.
    let there = candidates.iter().find(|file| file.try_exists().unwrap_or(true)).cloned();
    there.ok_or(Error::NotFound(candidates))
}

/// The file as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Raw {
    hostname: Option<Domain>,
    data: Option<PathBuf>,
    #[serde(default)]
    user: units::Text<String>,
    listen: Option<listen::Raw>,
    #[serde(default)]
    tls: sections::RawTls,
    #[serde(default)]
    relay: Relay,
    #[serde(default)]
    delivery: delivery::Raw,
    #[serde(default)]
    route: Vec<delivery::RawRoute>,
    #[serde(default)]
    dns: Dns,
    #[serde(default)]
    dkim: Dkim,
    #[serde(default)]
    limits: Limits,
    #[serde(default)]
    submission: Submission,
    #[serde(default)]
    smtp: Smtp,
    #[serde(default)]
    policy: policy::Raw,
    #[serde(default)]
    imap: Imap,
    #[serde(default)]
    queue: Queue,
    #[serde(default)]
    reports: Reports,
    #[serde(default)]
    log: Log,
}

fn check(text: &str) -> Result<Config, Vec<Problem>> {
    let broken = |error: toml::de::Error| {
        let line = error.span().map(|span| Outline::new(text, &DeTable::new()).line_at(span.start));
        vec![Problem { line, key: String::new(), text: error.message().to_owned() }]
    };
    let table = DeTable::parse(text).map_err(broken)?;
    let outline = Outline::new(text, table.get_ref());
    let unknown = outline.unknown();
    if !unknown.is_empty() {
        return Err(unknown);
    }
    let raw: Raw = toml::from_str(text).map_err(|error| vec![wrong_value(&outline, &error)])?;
    raw.check(&outline)
}

fn wrong_value(outline: &Outline<'_>, error: &toml::de::Error) -> Problem {
    let at = error.span().map(|span| span.start);
    let key = at.map(|at| outline.key_at(at)).unwrap_or_default();
    Problem { line: at.map(|at| outline.line_at(at)), key, text: error.message().to_owned() }
}

impl Raw {
    /// Puts the parts together; of those that contradict themselves it tells all.
    fn check(self, outline: &Outline<'_>) -> Result<Config, Vec<Problem>> {
        let mut problems = Vec::new();
        if self.hostname.is_none() {
            let text =
                "is missing: add the name this machine has in DNS, like hostname = \"mail.example.org\"";
            problems.push(Problem { line: None, key: "hostname".to_owned(), text: text.to_owned() });
        }
        let mut note = |table: &str, (key, text): (&str, String)| {
            let dot = if key.is_empty() { "" } else { "." };
            problems.push(outline.problem(&format!("{table}{dot}{key}"), text));
        };
        let mut config = Config::new(self.hostname.unwrap_or_else(localhost));
        match self.delivery.over(&config.delivery) {
            Ok(delivery) => config.delivery = delivery,
            Err(fault) => note("delivery", fault),
        }
        for (index, route) in self.route.into_iter().enumerate() {
            match route.check(&config.delivery) {
                Ok(route) => config.routes.push(route),
                Err(fault) => note(&format!("route[{index}]"), fault),
            }
        }
        match self.policy.check() {
            Ok(policy) => config.policy = policy,
            Err((key, text)) => note("policy", (&*key, text)),
        }
        if let Err(fault) = self.queue.check() {
            note("queue", fault);
        }
        match self.listen.map(listen::Raw::check) {
            None => {}
            Some(Ok(listeners)) => config.listen = listeners,
            Some(Err(twice)) => {
                note("listen", (twice.service.name(), format!("{} is listed twice", twice.endpoint)));
            }
        }
        config.client_ca.clone_from(&self.tls.client_ca.0);
        match self.tls.check() {
            Ok(certificates) => config.certificates = certificates,
            Err((key, text)) => note(&key, ("", text)),
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let Self { relay, dns, dkim, limits, submission, smtp, imap, queue, reports, log, .. } = self;
        let data = self.data.unwrap_or(config.data);
        Ok(Config {
            data,
            user: self.user.0,
            relay,
            dns,
            dkim,
            limits,
            submission,
            smtp,
            imap,
            queue,
            reports,
            log,
            ..config
        })
    }
}

fn localhost() -> Domain {
    Domain::parse("localhost").unwrap_or_else(|_| unreachable!("a constant that parses"))
}

impl Default for Config {
    fn default() -> Self {
        Self::new(localhost())
    }
}
