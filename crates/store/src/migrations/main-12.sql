-- Senders of mail that went on to other servers, who are too long for the address that stands for them there (SRS).

CREATE TABLE rewritten_sender(
  token TEXT PRIMARY KEY,          -- as it is in that address
  sender TEXT NOT NULL,
  until INTEGER NOT NULL           -- seconds since 1970
) WITHOUT ROWID;
CREATE INDEX rewritten_sender_until ON rewritten_sender(until);
