CREATE TABLE event(
  message INTEGER NOT NULL,        -- a message's id, or one made for a refusal before there was a message
  at INTEGER NOT NULL,             -- milliseconds since 1970
  sequence INTEGER NOT NULL,
  detail TEXT NOT NULL,            -- JSON
  PRIMARY KEY(message, at, sequence)
) WITHOUT ROWID;
CREATE TABLE party(
  address TEXT NOT NULL,           -- folded
  message INTEGER NOT NULL,
  PRIMARY KEY(address, message)
) WITHOUT ROWID;
CREATE INDEX party_message ON party(message);
