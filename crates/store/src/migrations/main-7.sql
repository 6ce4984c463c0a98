-- Signing keys are rotated in stages: 0 waiting for its record in the DNS, 1 signing, 2 retiring, 3 its record may be removed.

ALTER TABLE signing_key ADD COLUMN stage INTEGER NOT NULL DEFAULT 1;
ALTER TABLE signing_key ADD COLUMN since INTEGER NOT NULL DEFAULT 0;  -- milliseconds since 1970; 0: not known
