-- What a message had where it was brought from when it was last looked at there, as the folder here spells it: what changes there
-- afterwards is brought too, as long as it is unchanged here. Null: brought before this was noted.

ALTER TABLE imported ADD COLUMN flags INTEGER;
ALTER TABLE imported ADD COLUMN keywords TEXT;
