-- What no session has been told of yet (RFC 3501 §2.3.2, \Recent). Where nobody noted that, it is all recent, as the RFC asks.

ALTER TABLE mailbox ADD COLUMN recent_from INTEGER NOT NULL DEFAULT 1;   -- the lowest UID of those messages
