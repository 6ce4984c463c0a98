//! GETQUOTA, GETQUOTAROOT (RFC 9208). An account is one quota root, whose name is its address.

use super::connection::Driver;
use super::rights::Rights;
use super::stop::{Outcome, Stop, read};
use imap::MailboxName;
use imap::response::{Code, Data, QuotaResource, Status};
use store::Id;

/// What STORAGE counts in.
const UNIT: u64 = 1_024;

impl Driver {
    pub(super) async fn get_quota(&mut self, root: &str) -> Outcome<Status> {
        let user = self.user()?.clone();
        if !root.is_empty() && !root.eq_ignore_ascii_case(&user.address) {
            return Err(Stop::no(
                Code::Nonexistent,
                format!("there is no quota root {root:?} that you may see"),
            ));
        }
        self.tell_quota(user.id, root.to_owned()).await?;
        Ok(Status::ok("this is the quota"))
    }

    pub(super) async fn get_quota_root(&mut self, name: &MailboxName) -> Outcome<Status> {
        let user = self.user()?.clone();
        let found = user.find_for(&self.context, name, Rights::READ).await?;
        // Somebody else's use is not this user's to see.
        let own = found.mailbox.account == user.id;
        let roots = if own { vec![user.address.to_string()] } else { Vec::new() };
        self.data(&Data::QuotaRoot { mailbox: name.clone(), roots });
        if own {
            self.tell_quota(user.id, user.address.to_string()).await?;
        }
        Ok(Status::ok("these are its quotas"))
    }

    async fn tell_quota(&mut self, account: Id, root: String) -> Outcome<()> {
        let store = self.data_store();
        let found = read(move || store.account_by_id(account)).await?;
        let storage = found.and_then(|account| {
            let limit = account.quota? / UNIT;
            Some(QuotaResource { name: "STORAGE".into(), usage: account.used_bytes.div_ceil(UNIT), limit })
        });
        self.data(&Data::Quota { root, resources: storage.into_iter().collect() });
        Ok(())
    }
}
