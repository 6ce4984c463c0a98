-- Mailboxes people live in: what IMAP needs of folders and messages.

-- Counters, so that nobody counts rows; `remembered`: the highest modseq whose vanished UIDs are no longer in `vanished`.
ALTER TABLE mailbox ADD COLUMN messages INTEGER NOT NULL DEFAULT 0;
ALTER TABLE mailbox ADD COLUMN unseen INTEGER NOT NULL DEFAULT 0;
ALTER TABLE mailbox ADD COLUMN deleted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE mailbox ADD COLUMN octets INTEGER NOT NULL DEFAULT 0;
ALTER TABLE mailbox ADD COLUMN vanished INTEGER NOT NULL DEFAULT 0;   -- rows of it in `vanished`
ALTER TABLE mailbox ADD COLUMN remembered INTEGER NOT NULL DEFAULT 0;
UPDATE mailbox SET (messages, unseen, deleted, octets) =
  (SELECT count(*), coalesce(sum(flags & 1 = 0), 0), coalesce(sum(flags & 8 != 0), 0),
          coalesce(sum(body_size + length(prefix)), 0)
   FROM message WHERE message.mailbox = mailbox.id),
  remembered = modseq;

-- Names, of folders or not (RFC 9051 §6.3.7).
CREATE TABLE subscription(
  account INTEGER NOT NULL,
  name TEXT NOT NULL,
  PRIMARY KEY(account, name)
) WITHOUT ROWID;
INSERT INTO subscription SELECT account, name FROM mailbox WHERE subscribed;
ALTER TABLE mailbox DROP COLUMN subscribed;
INSERT OR REPLACE INTO meta SELECT 'uidvalidity', max(uidvalidity) FROM mailbox HAVING count(*) > 0;

-- What is above a copy's body leaves the rows that lists scan.
CREATE TABLE prefix(
  id INTEGER PRIMARY KEY,
  data BLOB NOT NULL               -- Return-Path, Delivered-To, trace fields: this copy's own
);
ALTER TABLE message RENAME TO message_1;
INSERT INTO prefix SELECT row_number() OVER (ORDER BY mailbox, uid), prefix FROM message_1;
CREATE TABLE message(
  mailbox INTEGER NOT NULL,
  uid INTEGER NOT NULL,
  id INTEGER NOT NULL,
  body INTEGER NOT NULL,
  body_size INTEGER NOT NULL,
  prefix INTEGER NOT NULL,
  prefix_size INTEGER NOT NULL,
  received INTEGER NOT NULL,       -- milliseconds since 1970
  saved INTEGER,                   -- in this folder; null: when it was received
  flags INTEGER NOT NULL DEFAULT 0,
  keywords TEXT NOT NULL DEFAULT '', -- sorted, with spaces between, as `keyword` spells them
  modseq INTEGER NOT NULL,
  PRIMARY KEY(mailbox, uid)
) WITHOUT ROWID;
INSERT INTO message
  SELECT mailbox, uid, id, body, body_size, row_number() OVER (ORDER BY mailbox, uid), length(prefix),
         received, NULL, flags, '', modseq
  FROM message_1;
DROP TABLE message_1;
CREATE INDEX message_body ON message(body);
CREATE INDEX message_id ON message(id);

-- Keywords that a folder has seen, as they were first spelt there.
CREATE TABLE keyword(
  mailbox INTEGER NOT NULL,
  name TEXT NOT NULL COLLATE NOCASE,
  PRIMARY KEY(mailbox, name)
) WITHOUT ROWID;

-- UIDs that left a folder, in runs (RFC 7162 §3.2.10).
CREATE TABLE vanished(
  mailbox INTEGER NOT NULL,
  modseq INTEGER NOT NULL,
  first INTEGER NOT NULL,
  last INTEGER NOT NULL,
  PRIMARY KEY(mailbox, modseq, first)
) WITHOUT ROWID;

-- Messages removed that can be brought back for some days. The id says when; it is the larger the later.
CREATE TABLE expunged(
  id INTEGER PRIMARY KEY,
  account INTEGER NOT NULL,
  mailbox INTEGER NOT NULL,
  folder TEXT NOT NULL,            -- its name then
  uid INTEGER NOT NULL,
  message INTEGER NOT NULL,
  body INTEGER NOT NULL,
  body_size INTEGER NOT NULL,
  prefix INTEGER NOT NULL,
  prefix_size INTEGER NOT NULL,
  received INTEGER NOT NULL,
  flags INTEGER NOT NULL,
  keywords TEXT NOT NULL
);
CREATE INDEX expunged_account ON expunged(account);
CREATE INDEX expunged_body ON expunged(body);
CREATE INDEX expunged_uid ON expunged(mailbox, uid);

-- Folders gone for everybody, whose rows go a slice at a time. A row whose mailbox is its account: the account has gone.
CREATE TABLE emptied(
  mailbox INTEGER PRIMARY KEY,
  account INTEGER NOT NULL,
  name TEXT NOT NULL,
  keep INTEGER NOT NULL            -- whether its messages can be brought back
);

-- Who else may do what with a folder (RFC 4314), and what is noted about it (RFC 5464).
CREATE TABLE acl(
  mailbox INTEGER NOT NULL,
  identifier TEXT NOT NULL,
  rights TEXT NOT NULL,
  PRIMARY KEY(mailbox, identifier)
) WITHOUT ROWID;
CREATE INDEX acl_identifier ON acl(identifier);
CREATE TABLE annotation(
  mailbox INTEGER NOT NULL,        -- 0: of the account
  account INTEGER NOT NULL,        -- whose private entry it is; 0: shared
  entry TEXT NOT NULL,             -- lower case
  value BLOB NOT NULL,
  PRIMARY KEY(mailbox, account, entry)
) WITHOUT ROWID;
CREATE INDEX annotation_account ON annotation(account);
