-- What was brought from elsewhere (`waypost import`), so that it is brought once.

CREATE TABLE import_source(
  id INTEGER PRIMARY KEY,
  account INTEGER NOT NULL,
  name TEXT NOT NULL,              -- a folder of a server or a file, as the importer names it
  UNIQUE(account, name)
);
CREATE TABLE imported(
  source INTEGER NOT NULL,
  key BLOB NOT NULL,               -- a message there, as the importer names it
  mailbox INTEGER NOT NULL,        -- where it went
  uid INTEGER NOT NULL,
  octets INTEGER NOT NULL,         -- of its body
  PRIMARY KEY(source, key)
) WITHOUT ROWID;
