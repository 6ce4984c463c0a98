-- MTA-STS policies of other domains, kept for as long as they say.

CREATE TABLE sts_policy(
  domain TEXT PRIMARY KEY,
  id TEXT NOT NULL,                -- of the record that announced it
  text TEXT NOT NULL,              -- as it was served
  fetched INTEGER NOT NULL,        -- seconds since 1970
  until INTEGER NOT NULL           -- seconds since 1970
) WITHOUT ROWID;

-- The policy that a domain of ours serves.
CREATE TABLE sts_own(
  domain TEXT PRIMARY KEY,
  mode TEXT NOT NULL,
  since INTEGER NOT NULL           -- seconds since 1970: its id
) WITHOUT ROWID;
