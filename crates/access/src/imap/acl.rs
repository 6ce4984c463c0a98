//! Access control lists (RFC 4314): who else may do what with a folder. Only within a domain.

use super::connection::Driver;
use super::rights::Rights;
use super::stop::{Outcome, Stop, read};
use super::user::{ANYONE, Found};
use imap::MailboxName;
use imap::command::RightsChange;
use imap::response::{Code, Data, Status};

impl Driver {
    pub(super) async fn get_acl(&mut self, name: &MailboxName) -> Outcome<Status> {
        let found = self.administered(name).await?;
        let store = self.data_store();
        let mailbox = found.mailbox;
        let (owner, kept) =
            read(move || Ok((store.account_by_id(mailbox.account)?, store.acl(mailbox.id)?))).await?;
        let shown = |letters: &str| Rights::parse(letters).unwrap_or_default().to_string();
        let mut rights: Vec<_> = kept.into_iter().map(|(name, letters)| (name, shown(&letters))).collect();
        if let Some(owner) = owner {
            rights.insert(0, (owner.address.to_string(), Rights::ALL.to_string()));
        }
        self.data(&Data::Acl { mailbox: name.clone(), rights });
        Ok(Status::ok("this is the list"))
    }

    pub(super) async fn set_acl(
        &mut self,
        name: &MailboxName,
        identifier: &str,
        change: RightsChange,
    ) -> Outcome<Status> {
        let found = self.administered(name).await?;
        let identifier = self.identifier(&found, identifier).await?;
        let (store, mailbox) = (self.data_store(), found.mailbox.id);
        let acl = read(move || store.acl(mailbox)).await?;
        let before = acl.iter().find(|(known, _)| *known == identifier).map_or("", |(_, rights)| rights);
        let before = Rights::parse(before).unwrap_or_default();
        let unknown = |letters: &str| Stop::bad(format!("{letters:?} has letters that name no right"));
        let parse = |letters: &str| Rights::parse(letters).ok_or_else(|| unknown(letters));
        let rights = match &change {
            RightsChange::Replace(letters) => parse(letters)?,
            RightsChange::Add(letters) => before | parse(letters)?,
            RightsChange::Remove(letters) => before.without(parse(letters)?),
        };
        match rights.is_empty() {
            true => self.data_store().remove_acl(mailbox, &identifier).await?,
            false => self.data_store().set_acl(mailbox, &identifier, &rights.kept()).await?,
        }
        Ok(Status::ok("the list is changed"))
    }

    pub(super) async fn delete_acl(&mut self, name: &MailboxName, identifier: &str) -> Outcome<Status> {
        let found = self.administered(name).await?;
        let identifier = self.identifier(&found, identifier).await?;
        self.data_store().remove_acl(found.mailbox.id, &identifier).await?;
        Ok(Status::ok("the list is changed"))
    }

    pub(super) async fn list_rights(&mut self, name: &MailboxName, identifier: &str) -> Outcome<Status> {
        self.administered(name).await?;
        let optional = Rights::letters().map(String::from).collect();
        let data = Data::ListRights {
            mailbox: name.clone(),
            identifier: identifier.to_owned(),
            required: String::new(),
            optional,
        };
        self.data(&data);
        Ok(Status::ok("each of these can be given"))
    }

    pub(super) async fn my_rights(&mut self, name: &MailboxName) -> Outcome<Status> {
        let found = self.user()?.find(&self.context, name).await?;
        self.data(&Data::MyRights { mailbox: name.clone(), rights: found.rights.to_string() });
        Ok(Status::ok("these are your rights"))
    }

    async fn administered(&self, name: &MailboxName) -> Outcome<Found> {
        self.user()?.find_for(&self.context, name, Rights::ADMINISTER).await
    }

    /// As the list keeps it: `anyone`, or an address of the owner's domain, maybe with a `-` before. The owner has all
    /// rights and no entry.
    async fn identifier(&self, found: &Found, identifier: &str) -> Outcome<String> {
        let (sign, name) = identifier.strip_prefix('-').map_or(("", identifier), |name| ("-", name));
        if name.eq_ignore_ascii_case(ANYONE) {
            return Ok(format!("{sign}{ANYONE}"));
        }
        let refused =
            || Stop::no(Code::Cannot, format!("{name:?} is neither anyone nor an address of this domain"));
        let address: address::Address = name.parse().map_err(|_| refused())?;
        let (store, owner) = (self.data_store(), found.mailbox.account);
        let owner = read(move || store.account_by_id(owner)).await?.ok_or_else(refused)?;
        if address.host() != owner.address.host() {
            return Err(refused());
        }
        if address == owner.address {
            return Err(Stop::no(Code::Cannot, "the owner's rights stay"));
        }
        Ok(format!("{sign}{address}"))
    }
}
