//! GETQUOTA, GETQUOTAROOT (RFC 9208). An account is one root, and its domain another where that has a quota.

use super::connection::Driver;
use super::rights::Rights;
use super::stop::{Outcome, Stop, read};
use super::user::User;
use imap::MailboxName;
use imap::response::{Code, Data, QuotaResource, Status};
use store::{Store, StoreError};

/// What STORAGE counts in.
const UNIT: u64 = 1_024;

/// A quota root that the user may see.
#[derive(Debug)]
struct Root {
    /// The account's address, or the domain.
    name: String,
    used: u64,
    limit: Option<u64>,
}

impl Driver {
    pub(super) async fn get_quota(&mut self, root: &str) -> Outcome<Status> {
        let (store, user) = (self.data_store(), self.user()?.clone());
        let roots = read(move || roots(&store, &user)).await?;
        // Clients ask for the root without a name before they know one.
        let found = roots.iter().find(|found| root.is_empty() || found.name.eq_ignore_ascii_case(root));
        let missing =
            || Stop::no(Code::Nonexistent, format!("there is no quota root {root:?} that you may see"));
        let found = found.ok_or_else(missing)?;
        self.data(&Data::Quota { root: root.to_owned(), resources: found.resources() });
        Ok(Status::ok("this is the quota"))
    }

    pub(super) async fn get_quota_root(&mut self, name: &MailboxName) -> Outcome<Status> {
        let (store, user) = (self.data_store(), self.user()?.clone());
        let found = user.find_for(&self.context, name, Rights::READ).await?;
        let (own, account) = (found.mailbox.account == user.id, user.address.clone());
        let mut roots = read(move || roots(&store, &user)).await?;
        if !own {
            // What somebody else uses is not this user's to see; the domain of both is the same.
            roots.retain(|root| root.name != *account);
        }
        let names = roots.iter().map(|root| root.name.clone()).collect();
        self.data(&Data::QuotaRoot { mailbox: name.clone(), roots: names });
        for root in roots {
            self.data(&Data::Quota { resources: root.resources(), root: root.name });
        }
        Ok(Status::ok("these are its quotas"))
    }
}

/// Of the user's own folders.
fn roots(store: &Store, user: &User) -> Result<Vec<Root>, StoreError> {
    let mut roots = Vec::new();
    if let Some(account) = store.account_by_id(user.id)? {
        let name = user.address.to_string();
        roots.push(Root { name, used: account.used_bytes, limit: account.quota });
    }
    if let Some(domain) = user.domain()
        && let Some(limit) = store.domain(&domain)?.and_then(|record| record.quota)
    {
        let used = store.domain_use(&domain)?;
        roots.push(Root { name: domain.to_string(), used, limit: Some(limit) });
    }
    Ok(roots)
}

impl Root {
    fn resources(&self) -> Vec<QuotaResource> {
        let storage = self.limit.map(|limit| QuotaResource {
            name: "STORAGE".into(),
            usage: self.used.div_ceil(UNIT),
            limit: limit / UNIT,
        });
        storage.into_iter().collect()
    }
}
