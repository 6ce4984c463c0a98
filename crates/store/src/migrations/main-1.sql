CREATE TABLE meta(
  key TEXT PRIMARY KEY,
  value BLOB NOT NULL
) WITHOUT ROWID;

-- Directory: what addresses are ours.
CREATE TABLE domain(
  name TEXT PRIMARY KEY,
  kind TEXT NOT NULL,              -- local, relay, alias
  target TEXT,                     -- relay: smtp://host or mx; alias: the other domain
  recipients TEXT,                 -- relay: listed or verify
  catch_all TEXT,
  language TEXT,
  quota INTEGER,
  created INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE relay_recipient(
  domain TEXT NOT NULL,
  local TEXT NOT NULL,
  PRIMARY KEY(domain, local)
) WITHOUT ROWID;
CREATE TABLE account(
  id INTEGER PRIMARY KEY,
  domain TEXT NOT NULL,
  local TEXT NOT NULL,
  name TEXT,
  language TEXT,
  quota INTEGER,
  disabled INTEGER NOT NULL DEFAULT 0,
  used_bytes INTEGER NOT NULL DEFAULT 0,
  used_messages INTEGER NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX account_address ON account(domain, local);
CREATE TABLE credential(
  id INTEGER PRIMARY KEY,
  account INTEGER NOT NULL,
  kind TEXT NOT NULL,              -- password, app, certificate
  label TEXT NOT NULL,
  verifier TEXT NOT NULL           -- JSON of hashes and keys; never the password
);
CREATE INDEX credential_account ON credential(account);
CREATE TABLE alias(
  domain TEXT NOT NULL,
  local TEXT NOT NULL,
  target TEXT NOT NULL,
  PRIMARY KEY(domain, local, target)
) WITHOUT ROWID;
CREATE TABLE signing_key(
  domain TEXT NOT NULL,
  selector TEXT NOT NULL,
  pem TEXT NOT NULL,
  PRIMARY KEY(domain, selector)
) WITHOUT ROWID;

-- Mailboxes: the folders that POP3 and IMAP show.
CREATE TABLE mailbox(
  id INTEGER PRIMARY KEY,
  account INTEGER NOT NULL,
  name TEXT NOT NULL,
  role TEXT,
  uidvalidity INTEGER NOT NULL,
  uidnext INTEGER NOT NULL DEFAULT 1,
  modseq INTEGER NOT NULL DEFAULT 1,
  subscribed INTEGER NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX mailbox_name ON mailbox(account, name);
CREATE TABLE message(
  mailbox INTEGER NOT NULL,
  uid INTEGER NOT NULL,
  id INTEGER NOT NULL,
  body INTEGER NOT NULL,
  body_size INTEGER NOT NULL,
  prefix BLOB NOT NULL,            -- Return-Path, Delivered-To, trace fields: this copy's own
  received INTEGER NOT NULL,       -- milliseconds since 1970
  flags INTEGER NOT NULL DEFAULT 0,
  keywords TEXT NOT NULL DEFAULT '',
  modseq INTEGER NOT NULL,
  PRIMARY KEY(mailbox, uid)
) WITHOUT ROWID;
CREATE INDEX message_body ON message(body);
CREATE INDEX message_id ON message(id);

-- Queue: one row a message, one a recipient that is still to be served.
CREATE TABLE queued(
  id INTEGER PRIMARY KEY,
  body INTEGER NOT NULL,
  body_size INTEGER NOT NULL,
  reverse_path TEXT NOT NULL,      -- without angle brackets, empty for the null path
  parameters TEXT NOT NULL,        -- of MAIL, in SMTP's own syntax
  trace BLOB NOT NULL,
  origin TEXT NOT NULL             -- JSON: from whom, over what
);
CREATE INDEX queued_body ON queued(body);
CREATE TABLE recipient(
  message INTEGER NOT NULL,
  position INTEGER NOT NULL,
  address TEXT NOT NULL,
  parameters TEXT NOT NULL,        -- of RCPT, in SMTP's own syntax
  due INTEGER NOT NULL,            -- milliseconds since 1970
  held INTEGER NOT NULL DEFAULT 0,
  attempts INTEGER NOT NULL DEFAULT 0,
  delay_told INTEGER NOT NULL DEFAULT 0,
  last TEXT,                       -- the last attempt's outcome, for people
  PRIMARY KEY(message, position)
) WITHOUT ROWID;

-- Bodies whose last reference has gone; removed after the transaction that said so is durable.
CREATE TABLE unreferenced(body INTEGER PRIMARY KEY);
