-- Reports about who sends in a domain's name and over what: counted to be sent, and those that came.

CREATE TABLE report_tally(
  kind TEXT NOT NULL,              -- dmarc, tls
  day INTEGER NOT NULL,            -- since 1970, UTC
  domain TEXT NOT NULL,            -- whose report it is to be in
  key TEXT NOT NULL,               -- what is counted, as the reporter writes it
  count INTEGER NOT NULL,
  PRIMARY KEY(kind, day, domain, key)
) WITHOUT ROWID;

CREATE TABLE report_sent(
  kind TEXT NOT NULL,
  day INTEGER NOT NULL,            -- on which it was sent
  domain TEXT NOT NULL,            -- of the address that it was sent to
  count INTEGER NOT NULL,
  PRIMARY KEY(kind, day, domain)
) WITHOUT ROWID;

CREATE TABLE report(
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,              -- dmarc, tls, failure
  domain TEXT NOT NULL,            -- that it is about
  organization TEXT NOT NULL,      -- that it is from
  name TEXT NOT NULL,              -- Report-ID
  start INTEGER NOT NULL,          -- seconds since 1970
  stop INTEGER NOT NULL,
  received INTEGER NOT NULL,       -- milliseconds since 1970
  total INTEGER NOT NULL,          -- messages or sessions
  failed INTEGER NOT NULL,
  content BLOB NOT NULL,           -- as the reader of reports writes it
  UNIQUE(domain, kind, organization, name)
);
CREATE INDEX report_received ON report(received);

-- Folders that are read for reports, and up to which message.
CREATE TABLE report_folder(
  mailbox INTEGER PRIMARY KEY,
  uidvalidity INTEGER NOT NULL,
  uid INTEGER NOT NULL
);
