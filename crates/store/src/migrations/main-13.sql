-- Hosts that have offered STARTTLS, so that one that does not any more is noticed.

CREATE TABLE starttls_host(
  host TEXT PRIMARY KEY,
  seen INTEGER NOT NULL            -- the last time, to a day; seconds since 1970
) WITHOUT ROWID;
