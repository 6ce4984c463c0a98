//! From an address to those who get its mail.

use crate::{Directory, DirectoryError, SEPARATOR};
use address::{Address, Domain, ForwardPath, LocalPart};
use std::collections::HashSet;
use store::directory::{AccountRecord, DomainKind, DomainRecord, RelayRecipients, RelayTarget};

/// Aliases of aliases, domains that stand for domains: more is a mistake.
pub const MAX_ALIAS_DEPTH: usize = 10;
/// Addresses that one recipient may become; larger lists belong to list software.
pub const MAX_TARGETS: usize = 1_000;
/// Names that every domain answers for (RFC 5321 §4.5.1, RFC 2142), and the one that notifications come from, as people
/// reply to them.
const OFFICES: [&str; 3] = ["postmaster", "abuse", "mailer-daemon"];

/// What an address means here.
#[derive(Debug, Clone, PartialEq)]
pub enum Resolution {
    /// Ours: these get it. Never empty.
    Here(Vec<Target>),
    /// Of a domain that is passed on.
    Relay(RelayRecipient),
    /// A sender that was rewritten here ([`Directory::onward`]): notifications go on to the one it was. For these alone.
    Returned(Address),
    /// The domain is ours; there is no such address in it.
    Unknown,
    /// There is, but it takes no mail now.
    Disabled,
    /// Another's.
    Elsewhere,
}

/// A recipient of a relay domain.
#[derive(Debug, Clone, PartialEq)]
pub struct RelayRecipient {
    pub to: RelayTarget,
    /// To be verified at the next host before it is accepted; else it is known.
    pub verify: bool,
}

/// Somebody who gets a copy.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    Account {
        account: Box<AccountRecord>,
        detail: Option<String>,
    },
    /// An alias leads out of here, or to a relay domain.
    Address(Address),
}

impl Directory {
    /// Follows an address as far as it leads within this installation.
    pub fn resolve(&self, address: &Address) -> Result<Resolution, DirectoryError> {
        let found = self.resolve_here(address)?;
        match (&self.capture, &found) {
            (Some(capture), Resolution::Elsewhere | Resolution::Unknown) if capture != address => {
                self.resolve_here(capture)
            }
            _ => Ok(found),
        }
    }

    fn resolve_here(&self, address: &Address) -> Result<Resolution, DirectoryError> {
        let mut walk = Walk { directory: self, seen: HashSet::new(), targets: Vec::new(), disabled: false };
        let Some(domain) = address.domain().map(|d| self.store.domain(d)).transpose()?.flatten() else {
            return self.resolve_at_host(address);
        };
        if let DomainKind::Relay { to, recipients } = &domain.kind {
            let known = self.store.has_relay_recipient(&domain.name, &address.local().folded())?;
            return Ok(match (known, recipients) {
                (true, _) => Resolution::Relay(RelayRecipient { to: to.clone(), verify: false }),
                (false, RelayRecipients::Verify) => {
                    Resolution::Relay(RelayRecipient { to: to.clone(), verify: true })
                }
                (false, RelayRecipients::Listed) => Resolution::Unknown,
            });
        }
        if let Some(sender) = self.returned(address)? {
            return Ok(Resolution::Returned(sender));
        }
        walk.follow(address, &domain, 0)?;
        Ok(match (walk.targets.is_empty(), walk.disabled) {
            (false, _) => Resolution::Here(walk.targets),
            (true, true) => Resolution::Disabled,
            (true, false) => Resolution::Unknown,
        })
    }

    /// The address that a path stands for: unqualified names get the home domain, or the first local one.
    pub fn qualify(&self, path: &ForwardPath) -> Result<Option<Address>, DirectoryError> {
        match path {
            ForwardPath::Address(address) => Ok(Some(address.clone())),
            ForwardPath::Unqualified(local) => {
                let home = self.home_domain()?;
                Ok(home.map(|domain| Address::new(local.clone(), domain)))
            }
        }
    }

    /// Who answers for unqualified names: the person they name, else the postmaster.
    pub fn resolve_unqualified(
        &self,
        local: &LocalPart,
    ) -> Result<Option<(Address, Resolution)>, DirectoryError> {
        let Some(home) = self.home_domain()? else { return Ok(None) };
        for name in [local.as_str(), OFFICES[0]] {
            let Ok(local) = LocalPart::from_value(name) else { continue };
            let address = Address::new(local, home.clone());
            match self.resolve(&address)? {
                Resolution::Unknown | Resolution::Elsewhere => {}
                found => return Ok(Some((address, found))),
            }
        }
        Ok(None)
    }

    /// Whether the account may use the address as sender: its own, a subaddress of it, or an alias that leads to it.
    pub fn may_send_as(&self, account: &AccountRecord, address: &Address) -> Result<bool, DirectoryError> {
        if let Resolution::Here(targets) = self.resolve(address)? {
            return Ok(targets
                .iter()
                .any(|t| matches!(t, Target::Account { account: a, .. } if a.id == account.id)));
        }
        Ok(false)
    }

    /// Whether `more` octets would put the account, or all of its domain together, over quota.
    pub fn is_over_quota(&self, account: &AccountRecord, more: u64) -> Result<bool, DirectoryError> {
        if account.quota.is_some_and(|quota| account.used_bytes.saturating_add(more) > quota) {
            return Ok(true);
        }
        let Some(domain) = account.address.domain() else { return Ok(false) };
        let Some(quota) = self.store.domain(domain)?.and_then(|d| d.quota) else { return Ok(false) };
        Ok(self.store.domain_use(domain)?.saturating_add(more) > quota)
    }

    /// The language of notifications to an address: its account's, else its domain's.
    pub fn language_of(&self, address: &Address) -> Result<Option<String>, DirectoryError> {
        let Some(domain) = address.domain() else { return Ok(None) };
        let account = self.store.account(domain, &address.local().folded())?;
        match account.and_then(|a| a.language) {
            Some(language) => Ok(Some(language)),
            None => Ok(self.store.domain(domain)?.and_then(|d| d.language)),
        }
    }

    /// The postmaster who is told of what cannot be told to the sender: the home domain's.
    pub fn postmaster(&self) -> Result<Option<Address>, DirectoryError> {
        let postmaster =
            |domain| LocalPart::from_value(OFFICES[0]).ok().map(|local| Address::new(local, domain));
        Ok(self.home_domain()?.and_then(postmaster))
    }

    /// The host's own name need not be a domain here, but notifications and the mail of system services name it: its
    /// offices, and root, are those of the home domain.
    fn resolve_at_host(&self, address: &Address) -> Result<Resolution, DirectoryError> {
        let is_host = address.domain().is_some_and(|domain| *domain == self.host());
        let local = address.local();
        if !is_host || !(is_office(local) || local.folded() == "root") {
            return Ok(Resolution::Elsewhere);
        }
        let found = self.resolve_unqualified(local)?;
        Ok(found.map_or(Resolution::Elsewhere, |(_, resolution)| resolution))
    }

    pub(crate) fn home_domain(&self) -> Result<Option<Domain>, DirectoryError> {
        let is_local = |record: &DomainRecord| record.kind == DomainKind::Local;
        let host = self.host();
        if self.store.domain(&host)?.is_some_and(|d| is_local(&d)) {
            return Ok(Some(host));
        }
        let domains: Vec<_> = self.store.domains()?.into_iter().filter(is_local).map(|d| d.name).collect();
        // mail.example.org is at home in example.org rather than in whatever comes first.
        let parent = domains.iter().find(|domain| host.is_within(domain)).cloned();
        Ok(parent.or_else(|| domains.into_iter().next()))
    }
}

fn is_office(local: &LocalPart) -> bool {
    OFFICES.contains(&local.folded().as_str())
}

/// One resolution under way.
struct Walk<'a> {
    directory: &'a Directory,
    /// Addresses followed already: an alias that leads back to itself adds nothing.
    seen: HashSet<String>,
    targets: Vec<Target>,
    disabled: bool,
}

impl Walk<'_> {
    fn follow(
        &mut self,
        address: &Address,
        domain: &DomainRecord,
        depth: usize,
    ) -> Result<(), DirectoryError> {
        if depth > MAX_ALIAS_DEPTH || self.targets.len() >= MAX_TARGETS || !self.seen.insert(address.folded())
        {
            return Ok(());
        }
        if let DomainKind::Alias { of } = &domain.kind {
            return self.go(&Address::new(address.local().clone(), of.clone()), depth + 1);
        }
        let local = address.local();
        if self.exact(&domain.name, &local.folded(), None, depth)? {
            return Ok(());
        }
        if let Some((user, detail)) = local.split_detail(SEPARATOR)
            && self.exact(&domain.name, &user.folded(), Some(detail.to_owned()), depth)?
        {
            return Ok(());
        }
        if is_office(local) {
            return self.first_account(&domain.name);
        }
        domain.catch_all.as_ref().map_or(Ok(()), |catch_all| self.go(catch_all, depth + 1))
    }

    /// Takes the account or alias of that very name; says whether there is one.
    fn exact(
        &mut self,
        domain: &Domain,
        local: &str,
        detail: Option<String>,
        depth: usize,
    ) -> Result<bool, DirectoryError> {
        if let Some(account) = self.directory.store.account(domain, local)? {
            self.take(account, detail);
            return Ok(true);
        }
        let targets = self.directory.store.alias_targets(domain, local)?;
        for target in &targets {
            self.go(target, depth + 1)?;
        }
        Ok(!targets.is_empty())
    }

    /// On to an address that may be of any domain.
    fn go(&mut self, address: &Address, depth: usize) -> Result<(), DirectoryError> {
        let domain = address.domain().map(|d| self.directory.store.domain(d)).transpose()?.flatten();
        match domain {
            Some(domain) if !matches!(domain.kind, DomainKind::Relay { .. }) => {
                self.follow(address, &domain, depth)
            }
            _ => {
                if self.targets.len() < MAX_TARGETS && self.seen.insert(address.folded()) {
                    self.targets.push(Target::Address(address.clone()));
                }
                Ok(())
            }
        }
    }

    fn first_account(&mut self, domain: &Domain) -> Result<(), DirectoryError> {
        let first =
            self.directory.store.accounts(Some(domain))?.into_iter().find(|account| !account.disabled);
        if let Some(account) = first {
            self.take(account, None);
        }
        Ok(())
    }

    fn take(&mut self, account: AccountRecord, detail: Option<String>) {
        let known = |t: &Target| matches!(t, Target::Account { account: a, .. } if a.id == account.id);
        if account.disabled {
            self.disabled = true;
        } else if !self.targets.iter().any(known) {
            self.targets.push(Target::Account { account: Box::new(account), detail });
        }
    }
}
