//! Which command is carried out where.

use super::connection::Driver;
use super::stop::{Outcome, Stop};
use super::user::User;
use super::view::View;
use imap::command::Command;
use imap::response::{Code, Data, Namespace, Status};

impl Driver {
    /// Carries a command out, tells what is new, and says how it ended.
    pub(super) async fn command(&mut self, command: Command) -> Outcome<Status> {
        let expunges = may_tell_expunges(&command);
        self.renew_rights().await?;
        let done = self.dispatch(command).await;
        if let Err(Stop::End(end)) = done {
            return Err(Stop::End(end));
        }
        // What has happened meanwhile is told also after a failure: numbers must be right for the next command.
        self.tell_news(expunges).await?;
        done
    }

    async fn dispatch(&mut self, command: Command) -> Outcome<Status> {
        match command {
            Command::Noop => Ok(Status::ok("done")),
            Command::Check => Ok(Status::ok("all is written")),
            Command::Select(select) => self.select(select).await,
            Command::Close => self.close().await,
            Command::Unselect => self.unselect().await,
            Command::Create { mailbox, special_use } => self.create(&mailbox, &special_use).await,
            Command::Delete(mailbox) => self.delete(&mailbox).await,
            Command::Rename { from, to } => self.rename(&from, &to).await,
            Command::Subscribe(mailbox) => self.subscribe(&mailbox, true).await,
            Command::Unsubscribe(mailbox) => self.subscribe(&mailbox, false).await,
            Command::List(list) => self.list(list).await,
            Command::Lsub { reference, pattern } => self.lsub(&reference, &pattern).await,
            Command::Namespace => Ok(self.namespace()),
            Command::Status { mailbox, items } => self.status(&mailbox, &items).await,
            Command::Append(_) => self.append().await,
            Command::Replace { uid, number, .. } => self.replace(uid, number).await,
            Command::Expunge(set) => self.expunge(set).await,
            Command::Search(search) => self.search(search).await,
            Command::Sort(sort) => self.sort(sort).await,
            Command::Thread(thread) => self.thread(thread).await,
            Command::Fetch { uid, set, items, modifiers } => self.fetch(uid, &set, items, modifiers).await,
            Command::Store(store) => self.store(store).await,
            Command::Copy { uid, set, to } => self.copy(uid, &set, &to).await,
            Command::Move { uid, set, to } => self.move_to(uid, &set, &to).await,
            Command::Unauthenticate => Ok(self.unauthenticate().await),
            Command::GetQuota(root) => self.get_quota(&root).await,
            Command::GetQuotaRoot(mailbox) => self.get_quota_root(&mailbox).await,
            Command::SetQuota { .. } => Err(Stop::no(Code::NoPerm, "the administrator sets quotas")),
            Command::GetMetadata(get) => self.get_metadata(get).await,
            Command::SetMetadata { mailbox, entries } => self.set_metadata(mailbox, entries).await,
            Command::Notify(notify) => self.notify(notify).await,
            Command::SetAcl { mailbox, identifier, change } => {
                self.set_acl(&mailbox, &identifier, change).await
            }
            Command::DeleteAcl { mailbox, identifier } => self.delete_acl(&mailbox, &identifier).await,
            Command::GetAcl(mailbox) => self.get_acl(&mailbox).await,
            Command::ListRights { mailbox, identifier } => self.list_rights(&mailbox, &identifier).await,
            Command::MyRights(mailbox) => self.my_rights(&mailbox).await,
            other => Err(Stop::bad(format!("this server does not carry out {other:?}"))),
        }
    }

    pub(super) fn data_store(&self) -> store::Store {
        self.context.directory.store().clone()
    }

    /// RFC 8437.
    async fn unauthenticate(&mut self) -> Status {
        self.leave().await;
        (self.user, self.watch) = (None, None);
        Status::ok("nobody is logged in now")
    }

    pub(super) fn user(&self) -> Outcome<&User> {
        self.user.as_ref().ok_or_else(|| Stop::bad("log in first"))
    }

    pub(super) fn view(&mut self) -> Outcome<&mut View> {
        self.view.as_mut().ok_or_else(|| Stop::bad("select a mailbox first"))
    }

    /// The same, for those who want to change something in it.
    pub(super) fn writable_view(&mut self) -> Outcome<&mut View> {
        let view = self.view()?;
        match view.read_only {
            false => Ok(view),
            true => Err(Stop::no(Code::NoPerm, "the mailbox is open for reading alone")),
        }
    }

    pub(super) fn data(&mut self, data: &Data) {
        self.session.data(data);
    }

    fn namespace(&mut self) -> Status {
        let namespace = |prefix: &str| vec![Namespace { prefix: prefix.to_owned(), delimiter: Some('/') }];
        self.data(&Data::Namespace {
            personal: namespace(""),
            other_users: namespace(super::user::SHARED),
            shared: Vec::new(),
        });
        Status::ok("these are the namespaces")
    }
}

/// Sequence numbers must stay while a command that uses them is answered (RFC 9051 §7.5.1). In the forms by UID nothing
/// is numbered by the client, so that expunges may be told then.
fn may_tell_expunges(command: &Command) -> bool {
    match command {
        Command::Fetch { uid, .. } => *uid,
        Command::Store(store) => store.uid,
        Command::Search(search) => search.uid,
        Command::Sort(sort) => sort.uid,
        Command::Thread(thread) => thread.uid,
        _ => true,
    }
}
