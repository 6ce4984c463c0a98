//! Who calls, and from which machine, when nobody says.

use crate::config::Config;
use address::{Address, Domain, LocalPart};
use smtp::command::HelloName;

/// What stands in for a machine without a usable name.
const NAMELESS: &str = "localhost";

/// The machine's and the person's names.
#[derive(Debug, Clone)]
pub struct Here {
    pub host: Domain,
    pub user: String,
}

impl Here {
    /// The host is the configured one, else the machine's own name; the user is the one who runs this.
    pub fn new(config: Option<&Config>) -> Self {
        let host = config.map(|config| config.hostname.clone()).or_else(machine);
        Self { host: host.unwrap_or_else(nameless), user: user() }
    }

    /// `user@host`.
    pub fn address(&self) -> Option<Address> {
        self.qualify(&self.user)
    }

    /// A name without a domain as one of this host.
    pub fn qualify(&self, name: &str) -> Option<Address> {
        let local = name.parse().or_else(|_| LocalPart::from_value(name)).ok()?;
        Some(Address::new(local, self.host.clone()))
    }

    /// What to say in EHLO: `helo` if it is given.
    pub fn helo(&self, helo: Option<&Domain>) -> HelloName {
        hello_name(helo.unwrap_or(&self.host))
    }
}

/// A domain has at most 255 octets and no space, which is all that EHLO asks of a name.
#[allow(clippy::expect_used, reason = "every domain is such a name")]
fn hello_name(domain: &Domain) -> HelloName {
    HelloName::new(domain.as_str()).expect("a domain is one word of at most 255 octets")
}

#[allow(clippy::expect_used, reason = "a constant")]
fn nameless() -> Domain {
    Domain::parse(NAMELESS).expect("the constant is a domain")
}

fn machine() -> Option<Domain> {
    let uname = rustix::system::uname();
    Domain::parse(uname.nodename().to_str().ok()?).ok()
}

/// The user's login name, by the environment or by `/etc/passwd`.
fn user() -> String {
    let named = ["LOGNAME", "USER"].into_iter().find_map(|name| std::env::var(name).ok());
    let named = named.filter(|name| !name.is_empty());
    named.or_else(|| by_uid(rustix::process::getuid().as_raw())).unwrap_or_else(|| "nobody".to_owned())
}

fn by_uid(uid: u32) -> Option<String> {
    let text = std::fs::read_to_string("/etc/passwd").ok()?;
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, of) = (fields.next()?, fields.nth(1)?);
        (of.parse() == Ok(uid)).then(|| name.to_owned())
    })
}
