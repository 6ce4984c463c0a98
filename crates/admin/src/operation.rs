//! How every operation is done: asked for, allowed, carried out, told to the log.

use crate::{
    Access, Actor, AdminError, Queue, Server, account, alias, backup, domain, export, import, mail, queue,
    recipient, system, trail,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use store::Store;

/// What can be asked for. Each is a value with all that it needs; its answer has a type of its own.
pub trait Operation: Into<Request> + Send + 'static {
    type Answer: Serialize + DeserializeOwned + Send;

    /// Who may.
    fn access(&self) -> Access {
        Access::Administrators
    }

    /// What it is about, for the log, when it changes something; `None` when it only reads.
    fn changes(&self) -> Option<String>;

    /// Does it. Only [`Operations::call`] does this, after asking whether the actor may.
    fn run(
        self,
        operations: &Operations,
        actor: &Actor,
    ) -> impl Future<Output = Result<Self::Answer, AdminError>> + Send;
}

/// All operations on one installation. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Operations {
    pub(crate) store: Store,
    pub(crate) queue: Option<Arc<dyn Queue>>,
    pub(crate) server: Option<Server>,
    pub(crate) uploads: import::Uploads,
    pub(crate) answers: backup::Answers,
    pub(crate) zones: Option<Arc<dyn domain::dkim::Zones>>,
}

impl Operations {
    /// On the data alone: what a command does when no server runs.
    pub fn new(store: Store) -> Self {
        Self {
            store,
            queue: None,
            server: None,
            uploads: import::Uploads::default(),
            answers: backup::Answers::default(),
            zones: None,
        }
    }

    /// In a running server: its queue is told of changes, and it can be asked how it is, to reload and to stop.
    pub fn in_server(store: Store, queue: Arc<dyn Queue>, server: Server) -> Self {
        Self { queue: Some(queue), server: Some(server), ..Self::new(store) }
    }

    /// With somebody who asks the name servers of domains, for the rotation of signing keys; without, none goes on.
    #[must_use]
    pub fn with_zones(self, zones: Arc<dyn domain::dkim::Zones>) -> Self {
        Self { zones: Some(zones), ..self }
    }

    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Carries out one operation for somebody.
    ///
    /// # Errors
    /// [`AdminError::Denied`], or why it could not be done.
    pub async fn call<O: Operation>(&self, actor: &Actor, operation: O) -> Result<O::Answer, AdminError> {
        let (allowed, about) = (operation.access().check(actor), operation.changes());
        let name = name_of::<O>();
        let done = match allowed {
            Ok(()) => operation.run(self, actor).await,
            Err(denied) => Err(denied),
        };
        let about = about.as_deref();
        match &done {
            Ok(_) if about.is_some() => {
                tracing::info!(target: "admin", %actor, operation = name, about, "done")
            }
            Ok(_) => tracing::debug!(target: "admin", %actor, operation = name, "read"),
            Err(error) => {
                tracing::warn!(target: "admin", %actor, operation = name, about, %error, "not done");
            }
        }
        done
    }
}

/// `domain::Add` for `admin::domain::Add`.
fn name_of<O>() -> &'static str {
    let path = std::any::type_name::<O>();
    path.split_once("::").map_or(path, |(_, name)| name)
}

/// Runs what takes long or waits for a disk on a thread that serves no session.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, AdminError> + Send + 'static,
) -> Result<T, AdminError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(AdminError::Failed(format!("the operation broke off: {error}"))))
}

/// Makes the enum of all operations, which is how one travels over the socket.
macro_rules! requests {
    ($($variant:ident($operation:ty),)*) => {
        /// Any operation, as it goes over the control socket: `{"operation":"account_show","with":{…}}`.
        #[derive(Debug, Serialize, Deserialize)]
        #[serde(tag = "operation", content = "with", rename_all = "snake_case")]
        pub enum Request {
            $($variant($operation),)*
        }

        $(impl From<$operation> for Request {
            fn from(operation: $operation) -> Self {
                Self::$variant(operation)
            }
        })*

        impl Operations {
            /// As [`Operations::call`], for an operation that came over the socket.
            pub async fn answer(&self, actor: &Actor, request: Request) -> Response {
                match request {
                    $(Request::$variant(operation) => Response::of(self.call(actor, operation).await),)*
                }
            }
        }
    };
}

requests! {
    DomainAdd(domain::Add),
    DomainList(domain::List),
    DomainShow(domain::Show),
    DomainSet(domain::Set),
    DomainRemove(domain::Remove),
    DomainRecords(domain::Records),
    DomainReports(domain::Reports),
    DomainAddKey(domain::AddKey),
    DomainSetSts(domain::SetSts),
    DomainDkimStatus(domain::dkim::Status),
    DomainDkimRotate(domain::dkim::Rotate),
    AccountAdd(account::Add),
    AccountList(account::List),
    AccountShow(account::Show),
    AccountSet(account::Set),
    AccountRemove(account::Remove),
    AccountPassword(account::SetPassword),
    AppPasswordAdd(account::AddAppPassword),
    AppPasswordList(account::ListAppPasswords),
    AppPasswordRemove(account::RemoveAppPassword),
    CertificateAdd(account::AddCertificate),
    CertificateList(account::ListCertificates),
    CertificateRemove(account::RemoveCertificate),
    AliasAdd(alias::Add),
    AliasList(alias::List),
    AliasShow(alias::Show),
    AliasRemove(alias::Remove),
    RecipientResolve(recipient::Resolve),
    QueueSummary(queue::Summarize),
    QueueList(queue::List),
    QueueShow(queue::Show),
    QueueRaw(queue::Raw),
    QueueChange(queue::Change),
    Trail(trail::Find),
    MailFolders(mail::Folders),
    MailList(mail::List),
    MailRaw(mail::Raw),
    MailSearch(mail::Search),
    MailRemoved(mail::Removed),
    MailUndelete(mail::Undelete),
    ImportPrepare(import::Prepare),
    ImportSubscribe(import::Subscribe),
    ImportKnown(import::Known),
    ImportUpload(import::Upload),
    ImportPut(import::Put),
    ImportFollow(import::Follow),
    ImportTotals(import::Totals),
    ExportFolders(export::Folders),
    ExportPage(export::Page),
    BackupFacts(backup::Facts),
    BackupCut(backup::Cut),
    BackupPiece(backup::Piece),
    BackupChanges(backup::Changes),
    BackupImportNotes(backup::ImportNotes),
    BackupBodies(backup::Bodies),
    RestoreMissing(backup::Missing),
    RestorePutBack(backup::PutBack),
    Status(system::Status),
    CheckStore(system::CheckStore),
    SearchStatus(system::SearchStatus),
    RebuildSearch(system::RebuildSearch),
    Reload(system::Reload),
    Stop(system::Stop),
}

/// The answer to a [`Request`], as it goes over the control socket.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    Ok(serde_json::Value),
    Error(AdminError),
}

impl Response {
    pub(crate) fn of(result: Result<impl Serialize, AdminError>) -> Self {
        let unwritable = |error: serde_json::Error| AdminError::Failed(format!("cannot write JSON: {error}"));
        match result.and_then(|answer| serde_json::to_value(answer).map_err(unwritable)) {
            Ok(value) => Self::Ok(value),
            Err(error) => Self::Error(error),
        }
    }

    pub(crate) fn into_answer<T: DeserializeOwned>(self) -> Result<T, AdminError> {
        match self {
            Self::Ok(value) => serde_json::from_value(value).map_err(|error| {
                AdminError::Failed(format!(
                    "the server's answer cannot be read ({error}): is it another version?"
                ))
            }),
            Self::Error(error) => Err(error),
        }
    }
}
