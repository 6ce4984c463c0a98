-- Reports that are to be posted to a web server (RFC 8460 §5.4), until it takes them or their time is over.

CREATE TABLE report_post(
  id INTEGER PRIMARY KEY,
  domain TEXT NOT NULL,            -- that it is about
  uri TEXT NOT NULL,
  due INTEGER NOT NULL,            -- the next attempt, in seconds since 1970
  attempts INTEGER NOT NULL,       -- that failed
  until INTEGER NOT NULL,          -- seconds since 1970; 0: no attempt yet
  content BLOB NOT NULL
);
