-- Who came back when greylisting asked it to.

CREATE TABLE greylist_pass(
  key TEXT PRIMARY KEY,            -- who, as the policy names it
  until INTEGER NOT NULL           -- milliseconds since 1970
) WITHOUT ROWID;
