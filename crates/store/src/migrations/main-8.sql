-- Messages that left a folder can be read there, as they were, by those who have not been told. Those that went to another folder, or
-- that nobody shall bring back, are kept for that alone.

ALTER TABLE expunged ADD COLUMN read_only INTEGER NOT NULL DEFAULT 0;
ALTER TABLE expunged ADD COLUMN saved INTEGER NOT NULL DEFAULT 0;     -- milliseconds since 1970; 0: not known
ALTER TABLE expunged ADD COLUMN modseq INTEGER NOT NULL DEFAULT 0;    -- 0: not known
CREATE INDEX expunged_read_only ON expunged(id) WHERE read_only = 1;
