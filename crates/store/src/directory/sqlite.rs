//! The directory: the SQL.

use super::{
    AccountRecord, AliasRecord, CredentialKind, CredentialRecord, DomainKind, DomainRecord, RelayRecipients,
    RelayTarget,
};
use crate::committer::Writer;
use crate::queue::parsed;
use crate::{Id, StoreError, mailbox};
use address::{Address, Domain, LocalPart, Secret};
use rusqlite::{Connection, OptionalExtension as _, Params, Row};

const DOMAIN: &str = "name, kind, target, recipients, catch_all, language, quota";
const ACCOUNT: &str = "id, domain, local, name, language, quota, disabled, used_bytes, used_messages";

/// All rows of a query, each through `read`.
pub(super) fn rows<T>(
    db: &Connection,
    sql: &str,
    parameters: impl Params,
    read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(parameters)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

pub(super) fn execute(db: &Connection, sql: &str, parameters: impl Params) -> Result<usize, StoreError> {
    Ok(db.prepare_cached(sql)?.execute(parameters)?)
}

/// The domain and the folded local part, or why the address cannot be one of ours.
fn key(address: &Address) -> Result<(&Domain, String), StoreError> {
    let domain =
        address.domain().ok_or_else(|| StoreError::Refused(format!("{address} has no domain name")))?;
    Ok((domain, address.local().folded()))
}

pub(super) fn domain(db: &Connection, name: &Domain) -> Result<Option<DomainRecord>, StoreError> {
    let sql = format!("SELECT {DOMAIN} FROM domain WHERE name = ?");
    Ok(rows(db, &sql, [name.as_str()], read_domain)?.pop())
}

pub(super) fn domains(db: &Connection) -> Result<Vec<DomainRecord>, StoreError> {
    rows(db, &format!("SELECT {DOMAIN} FROM domain ORDER BY name"), [], read_domain)
}

fn read_domain(row: &Row<'_>) -> Result<DomainRecord, StoreError> {
    let (kind, target): (String, Option<String>) = (row.get(1)?, row.get(2)?);
    let target = target.unwrap_or_default();
    let kind = match kind.as_str() {
        "alias" => DomainKind::Alias { of: parsed(&target)? },
        "relay" => {
            let verify = row.get_ref(3)?.as_str().is_ok_and(|r| r == "verify");
            DomainKind::Relay {
                to: if target == "mx" { RelayTarget::Mx } else { RelayTarget::Url(target) },
                recipients: if verify { RelayRecipients::Verify } else { RelayRecipients::Listed },
            }
        }
        _ => DomainKind::Local,
    };
    Ok(DomainRecord {
        name: parsed(row.get_ref(0)?.as_str().unwrap_or_default())?,
        kind,
        catch_all: row.get::<_, Option<String>>(4)?.map(|text| parsed(&text)).transpose()?,
        language: row.get(5)?,
        quota: row.get::<_, Option<i64>>(6)?.map(|n| n as u64),
    })
}

pub(super) fn add_domain(
    db: &Connection,
    record: &DomainRecord,
    recipients: &[LocalPart],
) -> Result<(), StoreError> {
    let (kind, target, how) = match &record.kind {
        DomainKind::Local => ("local", None, None),
        DomainKind::Alias { of } => ("alias", Some(of.to_string()), None),
        DomainKind::Relay { to, recipients } => {
            let target = match to {
                RelayTarget::Mx => "mx".to_owned(),
                RelayTarget::Url(url) => url.clone(),
            };
            let how = if *recipients == RelayRecipients::Verify { "verify" } else { "listed" };
            ("relay", Some(target), Some(how))
        }
    };
    let sql = format!("INSERT OR IGNORE INTO domain({DOMAIN}, created) VALUES(?, ?, ?, ?, ?, ?, ?, ?)");
    let catch_all = record.catch_all.as_ref().map(Address::to_string);
    let quota = record.quota.map(|n| n as i64);
    let name = record.name.as_str();
    let row = (name, kind, target, how, catch_all, &record.language, quota, Id::generate().unix_ms());
    if execute(db, &sql, row)? == 0 {
        return Err(StoreError::Exists(format!("domain {name}")));
    }
    for local in recipients {
        let sql = "INSERT OR IGNORE INTO relay_recipient(domain, local) VALUES(?, ?)";
        execute(db, sql, (name, local.folded()))?;
    }
    Ok(())
}

pub(super) fn update_domain(db: &Connection, record: &DomainRecord) -> Result<(), StoreError> {
    let sql = "UPDATE domain SET catch_all = ?, language = ?, quota = ? WHERE name = ?";
    let catch_all = record.catch_all.as_ref().map(Address::to_string);
    let row = (catch_all, &record.language, record.quota.map(|n| n as i64), record.name.as_str());
    if execute(db, sql, row)? == 0 {
        return Err(StoreError::NotFound(format!("domain {}", record.name)));
    }
    Ok(())
}

pub(super) fn remove_domain(db: &Connection, name: &Domain) -> Result<(), StoreError> {
    let name = name.as_str();
    let sql = "SELECT (SELECT count(*) FROM account WHERE domain = ?1) + (SELECT count(*) FROM alias WHERE domain = ?1)";
    let used: i64 = db.prepare_cached(sql)?.query_row([name], |row| row.get(0))?;
    if used > 0 {
        return Err(StoreError::Refused(format!(
            "domain {name} still has {used} accounts and aliases; remove them first"
        )));
    }
    execute(db, "DELETE FROM relay_recipient WHERE domain = ?", [name])?;
    execute(db, "DELETE FROM signing_key WHERE domain = ?", [name])?;
    if execute(db, "DELETE FROM domain WHERE name = ?", [name])? == 0 {
        return Err(StoreError::NotFound(format!("domain {name}")));
    }
    Ok(())
}

pub(super) fn has_relay_recipient(db: &Connection, domain: &Domain, local: &str) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS(SELECT 1 FROM relay_recipient WHERE domain = ? AND local = ?)";
    Ok(db.prepare_cached(sql)?.query_row((domain.as_str(), local), |row| row.get(0))?)
}

pub(super) fn account(
    db: &Connection,
    domain: &Domain,
    local: &str,
) -> Result<Option<AccountRecord>, StoreError> {
    let sql = format!("SELECT {ACCOUNT} FROM account WHERE domain = ? AND local = ?");
    Ok(rows(db, &sql, (domain.as_str(), local), read_account)?.pop())
}

pub(super) fn account_by_id(db: &Connection, id: Id) -> Result<Option<AccountRecord>, StoreError> {
    Ok(rows(db, &format!("SELECT {ACCOUNT} FROM account WHERE id = ?"), [id], read_account)?.pop())
}

pub(super) fn accounts(db: &Connection, domain: Option<&Domain>) -> Result<Vec<AccountRecord>, StoreError> {
    let sql = format!("SELECT {ACCOUNT} FROM account WHERE ?1 IS NULL OR domain = ?1 ORDER BY id");
    rows(db, &sql, [domain.map(Domain::as_str)], read_account)
}

fn read_account(row: &Row<'_>) -> Result<AccountRecord, StoreError> {
    let domain: Domain = parsed(row.get_ref(1)?.as_str().unwrap_or_default())?;
    let local = LocalPart::from_value(row.get_ref(2)?.as_str().unwrap_or_default())
        .map_err(|e| StoreError::Damaged(format!("waypost.db ({e})")))?;
    Ok(AccountRecord {
        id: row.get(0)?,
        address: Address::new(local, domain),
        name: row.get(3)?,
        language: row.get(4)?,
        quota: row.get::<_, Option<i64>>(5)?.map(|n| n as u64),
        disabled: row.get(6)?,
        used_bytes: row.get::<_, i64>(7)?.max(0) as u64,
        used_messages: row.get::<_, i64>(8)?.max(0) as u64,
    })
}

pub(crate) fn has_domain_quota(db: &Connection) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS(SELECT 1 FROM domain WHERE quota IS NOT NULL)";
    Ok(db.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
}

pub(super) fn domain_use(db: &Connection, domain: &Domain) -> Result<u64, StoreError> {
    let sql = "SELECT coalesce(sum(used_bytes), 0) FROM account WHERE domain = ?";
    Ok(db.prepare_cached(sql)?.query_row([domain.as_str()], |row| row.get::<_, i64>(0))?.max(0) as u64)
}

pub(super) fn add_account(
    db: &Connection,
    account: &AccountRecord,
    verifier: Option<&Secret<String>>,
) -> Result<(), StoreError> {
    let (domain, local) = key(&account.address)?;
    let local_domain = self::domain(db, domain)?.is_some_and(|d| d.kind == DomainKind::Local);
    if !local_domain {
        return Err(StoreError::NotFound(format!(
            "local domain {domain}; add it with `waypost domain add {domain}`"
        )));
    }
    if !alias_targets(db, domain, &local)?.is_empty() {
        return Err(StoreError::Exists(format!("an alias {}", account.address)));
    }
    let sql = "INSERT OR IGNORE INTO account(id, domain, local, name, language, quota, disabled) VALUES(?, ?, ?, ?, ?, ?, ?)";
    let quota = account.quota.map(|n| n as i64);
    let row = (account.id, domain.as_str(), local, &account.name, &account.language, quota, account.disabled);
    if execute(db, sql, row)? == 0 {
        return Err(StoreError::Exists(format!("account {}", account.address)));
    }
    mailbox::create_defaults(db, account.id)?;
    let Some(verifier) = verifier else { return Ok(()) };
    let (id, account, kind) = (Id::generate(), account.id, CredentialKind::Password);
    add_credential(
        db,
        &CredentialRecord { id, account, kind, label: String::new(), verifier: verifier.clone() },
    )
}

pub(super) fn update_account(db: &Connection, account: &AccountRecord) -> Result<(), StoreError> {
    let sql = "UPDATE account SET name = ?, language = ?, quota = ?, disabled = ? WHERE id = ?";
    let quota = account.quota.map(|n| n as i64);
    if execute(db, sql, (&account.name, &account.language, quota, account.disabled, account.id))? == 0 {
        return Err(StoreError::NotFound(format!("account {}", account.address)));
    }
    Ok(())
}

pub(super) fn remove_account(writer: &Writer<'_>, id: Id) -> Result<(), StoreError> {
    mailbox::remove_all(writer, id)?;
    execute(writer.db, "DELETE FROM credential WHERE account = ?", [id])?;
    if execute(writer.db, "DELETE FROM account WHERE id = ?", [id])? == 0 {
        return Err(StoreError::NotFound(format!("account {id}")));
    }
    Ok(())
}

pub(super) fn credentials(db: &Connection, account: Id) -> Result<Vec<CredentialRecord>, StoreError> {
    rows(
        db,
        "SELECT id, kind, label, verifier FROM credential WHERE account = ? ORDER BY id",
        [account],
        |row| {
            Ok(CredentialRecord {
                id: row.get(0)?,
                account,
                kind: match row.get_ref(1)?.as_str().unwrap_or_default() {
                    "app" => CredentialKind::App,
                    "certificate" => CredentialKind::Certificate,
                    _ => CredentialKind::Password,
                },
                label: row.get(2)?,
                verifier: Secret::new(row.get(3)?),
            })
        },
    )
}

pub(super) fn has_readable_password(db: &Connection) -> Result<bool, StoreError> {
    // The key under which the directory's verifiers keep such a password.
    let sql = r#"SELECT EXISTS(SELECT 1 FROM credential WHERE instr(verifier, '"cram_md5":') > 0)"#;
    Ok(db.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
}

pub(super) fn account_of_certificate(db: &Connection, fingerprint: &str) -> Result<Option<Id>, StoreError> {
    let sql = "SELECT account FROM credential WHERE kind = 'certificate' AND label = ?";
    Ok(db.prepare_cached(sql)?.query_row([fingerprint], |row| row.get(0)).optional()?)
}

pub(super) fn add_credential(db: &Connection, credential: &CredentialRecord) -> Result<(), StoreError> {
    let kind = kind_name(credential.kind);
    if credential.kind == CredentialKind::Certificate
        && account_of_certificate(db, &credential.label)?.is_some_and(|owner| owner != credential.account)
    {
        return Err(StoreError::Refused(format!(
            "the certificate {} stands for another account: remove it there first",
            credential.label
        )));
    }
    if credential.kind == CredentialKind::Password {
        execute(db, "DELETE FROM credential WHERE account = ? AND kind = 'password'", [credential.account])?;
    } else {
        let sql = "SELECT EXISTS(SELECT 1 FROM credential WHERE account = ? AND kind = ? AND label = ?)";
        let taken: bool = db
            .prepare_cached(sql)?
            .query_row((credential.account, kind, &credential.label), |row| row.get(0))?;
        if taken {
            return Err(StoreError::Exists(format!("{kind} credential {:?}", credential.label)));
        }
    }
    let sql = "INSERT INTO credential(id, account, kind, label, verifier) VALUES(?, ?, ?, ?, ?)";
    let row = (credential.id, credential.account, kind, &credential.label, credential.verifier.reveal());
    execute(db, sql, row).map(|_| ())
}

fn kind_name(kind: CredentialKind) -> &'static str {
    match kind {
        CredentialKind::Password => "password",
        CredentialKind::App => "app",
        CredentialKind::Certificate => "certificate",
    }
}

pub(super) fn remove_credential(
    db: &Connection,
    account: Id,
    kind: CredentialKind,
    label: &str,
) -> Result<bool, StoreError> {
    let sql = "DELETE FROM credential WHERE account = ? AND kind = ? AND label = ?";
    Ok(execute(db, sql, (account, kind_name(kind), label))? > 0)
}

pub(super) fn alias_targets(
    db: &Connection,
    domain: &Domain,
    local: &str,
) -> Result<Vec<Address>, StoreError> {
    let sql = "SELECT target FROM alias WHERE domain = ? AND local = ? ORDER BY target";
    rows(db, sql, (domain.as_str(), local), |row| parsed(row.get_ref(0)?.as_str().unwrap_or_default()))
}

pub(super) fn aliases(db: &Connection, domain: Option<&Domain>) -> Result<Vec<AliasRecord>, StoreError> {
    let sql = "SELECT domain, local, target FROM alias WHERE ?1 IS NULL OR domain = ?1 ORDER BY domain, local, target";
    rows(db, sql, [domain.map(Domain::as_str)], |row| {
        let domain: Domain = parsed(row.get_ref(0)?.as_str().unwrap_or_default())?;
        let local = LocalPart::from_value(row.get_ref(1)?.as_str().unwrap_or_default())
            .map_err(|e| StoreError::Damaged(format!("waypost.db ({e})")))?;
        let target = parsed(row.get_ref(2)?.as_str().unwrap_or_default())?;
        Ok(AliasRecord { alias: Address::new(local, domain), target })
    })
}

pub(super) fn add_alias(db: &Connection, alias: &Address, targets: &[Address]) -> Result<(), StoreError> {
    let (domain, local) = key(alias)?;
    if !self::domain(db, domain)?.is_some_and(|d| d.kind == DomainKind::Local) {
        return Err(StoreError::NotFound(format!(
            "local domain {domain}; add it with `waypost domain add {domain}`"
        )));
    }
    if account(db, domain, &local)?.is_some() {
        return Err(StoreError::Exists(format!("an account {alias}")));
    }
    for target in targets {
        let sql = "INSERT OR IGNORE INTO alias(domain, local, target) VALUES(?, ?, ?)";
        execute(db, sql, (domain.as_str(), &local, target.to_string()))?;
    }
    Ok(())
}

pub(super) fn remove_alias(
    db: &Connection,
    alias: &Address,
    target: Option<&Address>,
) -> Result<(), StoreError> {
    let (domain, local) = key(alias)?;
    let sql = "DELETE FROM alias WHERE domain = ?1 AND local = ?2 AND (?3 IS NULL OR target = ?3)";
    if execute(db, sql, (domain.as_str(), local, target.map(Address::to_string)))? == 0 {
        return Err(StoreError::NotFound(format!("alias {alias}")));
    }
    Ok(())
}

pub(super) fn meta(db: &Connection, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
    Ok(db
        .prepare_cached("SELECT value FROM meta WHERE key = ?")?
        .query_row([key], |row| row.get(0))
        .optional()?)
}

pub(super) fn meta_or_insert(db: &Connection, key: &str, value: &[u8]) -> Result<Vec<u8>, StoreError> {
    execute(db, "INSERT OR IGNORE INTO meta(key, value) VALUES(?, ?)", (key, value))?;
    meta(db, key)?.ok_or_else(|| StoreError::Bug(format!("meta {key} vanished")))
}
