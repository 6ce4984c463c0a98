//! The command's end: a running server, or the data itself.

use super::{Hello, Lines, PROTOCOL, SOCKET, endpoint};
use crate::domain::dkim::Zones;
use crate::{Actor, AdminError, Operation, Operations, Request, Response, mail, queue};
use address::Address;
use data_encoding::BASE64;
use net::NetError;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use store::{Id, Options, Store, StoreError};
use tokio::sync::Mutex;

/// How long a server may take to accept the connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an answer may take; a check of all data reads everything.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3_600);
/// Between two looks whether a server that is starting answers by now, or another command has given the lock back.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// How many looks.
const LOOKS: u32 = 20;

/// Carries out operations as root: through the server when one runs, else on the data. Callers need not know which.
#[derive(Debug)]
pub struct Client(Way);

#[derive(Debug)]
enum Way {
    Socket(Mutex<Lines>),
    Data(Operations),
}

impl Client {
    /// Finds the server of a data folder, or takes the data's lock.
    ///
    /// # Errors
    /// [`AdminError::Temporary`] when somebody has the lock but no server answers: it is just starting.
    pub async fn open(data: &Path) -> Result<Self, AdminError> {
        for look in 1.. {
            if let Some(lines) = connect(data).await? {
                return Ok(Self(Way::Socket(Mutex::new(lines))));
            }
            match Store::open(data, &Options::default()) {
                Ok(store) => return Ok(Self(Way::Data(Operations::new(store)))),
                Err(StoreError::Locked(_)) if look < LOOKS => tokio::time::sleep(LOOK_AGAIN).await,
                Err(StoreError::Locked(_)) => break,
                Err(error @ StoreError::File { .. }) => {
                    return Err(AdminError::Failed(format!("{error}; {}", who(data))));
                }
                Err(error) => return Err(error.into()),
            }
        }
        let text = format!(
            "{} is in use, but no server answers at {SOCKET} there: it is just starting; try again in a moment",
            data.display()
        );
        Err(AdminError::Temporary(text))
    }

    /// With somebody who asks the name servers of domains; a server has its own.
    #[must_use]
    pub fn with_zones(self, zones: impl FnOnce() -> Option<Arc<dyn Zones>>) -> Self {
        match self.0 {
            Way::Data(operations) => Self(Way::Data(match zones() {
                Some(zones) => operations.with_zones(zones),
                None => operations,
            })),
            served @ Way::Socket(_) => Self(served),
        }
    }

    /// Whether a server carries operations out.
    pub fn is_served(&self) -> bool {
        matches!(self.0, Way::Socket(_))
    }

    /// Carries out one operation.
    pub async fn call<O: Operation>(&self, operation: O) -> Result<O::Answer, AdminError> {
        match &self.0 {
            Way::Data(operations) => operations.call(&Actor::Root, operation).await,
            Way::Socket(lines) => {
                let mut lines = lines.lock().await;
                let request: Request = operation.into();
                lines.write(&request).await?;
                answer(&mut lines).await?.into_answer()
            }
        }
    }

    /// The whole of a message in a mailbox.
    pub async fn message(&self, account: &Address, folder: &str, uid: u32) -> Result<Vec<u8>, AdminError> {
        let raw = |offset| mail::Raw { account: account.clone(), folder: folder.to_owned(), uid, offset };
        self.pieces(raw).await
    }

    /// The whole of a message in the queue.
    pub async fn queued_message(&self, id: Id) -> Result<Vec<u8>, AdminError> {
        self.pieces(|offset| queue::Raw { id, offset }).await
    }

    async fn pieces<O: Operation<Answer = mail::Piece>>(
        &self,
        raw: impl Fn(u64) -> O,
    ) -> Result<Vec<u8>, AdminError> {
        let (mut whole, mut next) = (Vec::new(), Some(0));
        while let Some(offset) = next {
            let piece = self.call(raw(offset)).await?;
            let octets = BASE64.decode(piece.data.as_bytes());
            whole.extend(octets.map_err(|_| AdminError::Failed("the server sent no base64".to_owned()))?);
            next = piece.next;
        }
        Ok(whole)
    }
}

/// A connection to the server, or `None` when there is none.
async fn connect(data: &Path) -> Result<Option<Lines>, AdminError> {
    let stream = match net::connect(&endpoint(data), None, CONNECT_TIMEOUT).await {
        Ok(stream) => stream,
        Err(NetError::Connect { source, .. })
            if matches!(source.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) =>
        {
            return Ok(None);
        }
        Err(NetError::Connect { source, .. }) if source.kind() == ErrorKind::PermissionDenied => {
            return Err(AdminError::Denied(format!("you may not use {}; {}", data.display(), who(data))));
        }
        Err(error) => return Err(AdminError::Temporary(error.to_string())),
    };
    let mut lines = Lines::new(stream);
    lines.write(&Hello { protocol: PROTOCOL }).await?;
    let hello: Hello = answer(&mut lines).await?.into_answer()?;
    if hello.protocol != PROTOCOL {
        let text = format!("the server speaks control protocol {}, not {PROTOCOL}", hello.protocol);
        return Err(AdminError::Failed(text));
    }
    Ok(Some(lines))
}

async fn answer(lines: &mut Lines) -> Result<Response, AdminError> {
    let late = |_| AdminError::Temporary(format!("the server has not answered within {ANSWER_TIMEOUT:?}"));
    tokio::time::timeout(ANSWER_TIMEOUT, lines.wait()).await.map_err(late)??;
    lines.read().await
}

/// Who may use the data.
fn who(data: &Path) -> String {
    use std::os::unix::fs::MetadataExt as _;
    let owner = std::fs::metadata(data).map(|found| found.uid());
    owner.map_or_else(
        |_| "run the command as root or as the server's user".to_owned(),
        |uid| format!("run the command as root or as the data's owner (uid {uid})"),
    )
}
