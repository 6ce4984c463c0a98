//! Signing keys: rows with a stage. What moves a key from one stage to the next is decided in `admin`.

use crate::{Store, StoreError};
use address::{Domain, Secret};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use super::sqlite::{execute, rows};

/// A key that signs, will sign, or has signed for a domain.
#[derive(Debug, Clone)]
pub struct SigningKeyRecord {
    pub domain: Domain,
    pub selector: String,
    /// PKCS#8; empty once the key is [`KeyStage::Removable`].
    pub pem: Secret<String>,
    pub stage: KeyStage,
    /// When it came to this stage, in milliseconds since 1970; 0 when nobody knows.
    pub since: i64,
}

/// The life of a key, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyStage {
    /// It is made, and its record is to be published; it does not sign before that was seen.
    Waiting,
    /// It signs.
    Active,
    /// Another signs in its place; its record must stay while messages that it signed are under way.
    Retiring,
    /// Nothing of ours needs it: the private key is gone, its record may be removed from the DNS.
    Removable,
}

impl KeyStage {
    const ALL: [Self; 4] = [Self::Waiting, Self::Active, Self::Retiring, Self::Removable];

    fn number(self) -> i64 {
        self as i64
    }

    fn from_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.number() == number)
    }
}

/// One key's next stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyStep {
    pub selector: String,
    /// `None`: nothing is known of it any more.
    pub to: Option<KeyStage>,
}

impl Store {
    /// A domain's keys in all stages, the oldest stage of life last made last.
    pub fn signing_keys(&self, domain: &Domain) -> Result<Vec<SigningKeyRecord>, StoreError> {
        self.inner.main.with(|db| select(db, domain))
    }

    /// The domains that have a key which waits or retires; with `all`, also those with one that is removable only.
    pub fn rotating_domains(&self, all: bool) -> Result<Vec<Domain>, StoreError> {
        let sql = "SELECT DISTINCT domain FROM signing_key WHERE stage <> 1 AND stage <= ? ORDER BY domain";
        let last = if all { KeyStage::Removable } else { KeyStage::Retiring };
        self.inner.main.with(|db| domains(db, sql, last.number()))
    }

    /// The domains with a key that has signed since that time, in milliseconds since 1970, or longer.
    pub fn domains_signing_since(&self, time: i64) -> Result<Vec<Domain>, StoreError> {
        let sql = "SELECT DISTINCT domain FROM signing_key WHERE stage = 1 AND since <= ? ORDER BY domain";
        self.inner.main.with(|db| domains(db, sql, time))
    }

    /// Whether a message in the queue carries a signature of that key, which was put in front of it here.
    pub fn queue_needs_key(&self, domain: &Domain, selector: &str) -> Result<bool, StoreError> {
        // A tag follows a space, or a tab where the field was folded before it.
        let sql = "SELECT EXISTS(SELECT 1 FROM queued WHERE \
                   (instr(trace, CAST(' ' || ?1 AS BLOB)) OR instr(trace, CAST(char(9) || ?1 AS BLOB))) AND \
                   (instr(trace, CAST(' ' || ?2 AS BLOB)) OR instr(trace, CAST(char(9) || ?2 AS BLOB))))";
        let tags = (format!("d={domain};"), format!("s={selector};"));
        self.inner.main.with(|db| Ok(db.prepare_cached(sql)?.query_row(tags, |row| row.get(0))?))
    }

    /// # Errors
    /// [`StoreError::Exists`].
    pub async fn add_signing_key(&self, key: SigningKeyRecord) -> Result<(), StoreError> {
        self.inner.committer.write(move |w| insert(w.db, &key)).await
    }

    /// Takes the steps of a domain's keys together. A key that becomes removable loses its private half.
    pub async fn step_signing_keys(
        &self,
        domain: Domain,
        steps: Vec<KeyStep>,
        now: i64,
    ) -> Result<(), StoreError> {
        self.inner.committer.write(move |w| steps.iter().try_for_each(|s| step(w.db, &domain, s, now))).await
    }
}

fn select(db: &Connection, domain: &Domain) -> Result<Vec<SigningKeyRecord>, StoreError> {
    let sql = "SELECT selector, pem, stage, since FROM signing_key WHERE domain = ? \
               ORDER BY length(selector), selector";
    rows(db, sql, [domain.as_str()], |row| {
        let stage: i64 = row.get(2)?;
        Ok(SigningKeyRecord {
            domain: domain.clone(),
            selector: row.get(0)?,
            pem: Secret::new(row.get(1)?),
            stage: KeyStage::from_number(stage)
                .ok_or_else(|| StoreError::Bug(format!("a signing key has the stage {stage}")))?,
            since: row.get(3)?,
        })
    })
}

fn domains(db: &Connection, sql: &str, parameter: i64) -> Result<Vec<Domain>, StoreError> {
    let names: Vec<String> = rows(db, sql, [parameter], |row| Ok(row.get(0)?))?;
    let parse = |name: String| {
        Domain::parse(&name).map_err(|error| StoreError::Bug(format!("signing key of {name}: {error}")))
    };
    names.into_iter().map(parse).collect()
}

fn insert(db: &Connection, key: &SigningKeyRecord) -> Result<(), StoreError> {
    let sql = "INSERT OR IGNORE INTO signing_key(domain, selector, pem, stage, since) VALUES(?, ?, ?, ?, ?)";
    let values = (key.domain.as_str(), &key.selector, key.pem.reveal(), key.stage.number(), key.since);
    if execute(db, sql, values)? == 0 {
        return Err(StoreError::Exists(format!("signing key {} of {}", key.selector, key.domain)));
    }
    Ok(())
}

fn step(db: &Connection, domain: &Domain, step: &KeyStep, now: i64) -> Result<(), StoreError> {
    let place = (domain.as_str(), &step.selector);
    let Some(to) = step.to else {
        execute(db, "DELETE FROM signing_key WHERE domain = ? AND selector = ?", place)?;
        return Ok(());
    };
    let sql = "UPDATE signing_key SET stage = ?, since = ? WHERE domain = ? AND selector = ?";
    execute(db, sql, (to.number(), now, place.0, place.1))?;
    if to == KeyStage::Removable {
        execute(db, "UPDATE signing_key SET pem = '' WHERE domain = ? AND selector = ?", place)?;
    }
    Ok(())
}
