-- Texts have the header fields of parts too, and say whether they are cut. Everything here is made again from the bodies.

DROP TABLE owner;
DROP TABLE followed;
DROP TABLE document;
DROP TABLE gram;
DROP TABLE text;
DROP TABLE parsed;

-- The accounts, each with a number, so that its documents lie together: cost follows one's own mail.
CREATE TABLE owner(
  number INTEGER PRIMARY KEY,
  account INTEGER NOT NULL UNIQUE,
  next INTEGER NOT NULL DEFAULT 1  -- document of it; never used again
);
-- How far a folder was read: all its copies up to this UID have a document.
CREATE TABLE followed(
  mailbox INTEGER PRIMARY KEY,
  uid INTEGER NOT NULL
);
-- A body that an account has, in however many folders.
CREATE TABLE document(
  id INTEGER PRIMARY KEY,          -- the owner's number << 32 | which of its documents
  body INTEGER NOT NULL,
  cut INTEGER NOT NULL             -- whether its text is not all in the index
);
CREATE UNIQUE INDEX document_body ON document(body, id);
-- What the index narrows to: the sequences of three characters in a document's text. It finds too much, never too little.
CREATE VIRTUAL TABLE gram USING fts5(
  text, content='', contentless_delete=1, columnsize=1, detail=none, tokenize='trigram case_sensitive 1'
);
-- What search compares with, folded; once however many accounts have the body.
CREATE TABLE text(
  body INTEGER PRIMARY KEY,
  header TEXT NOT NULL,            -- a line a field of the message's own header; after a CR, those of its parts
  content TEXT NOT NULL,           -- a line a field of messages in it; after a CR, the text of its parts
  cut INTEGER NOT NULL             -- what is not all there: 1 the header, 2 the content
);
-- What a message consists of, as `message` writes it, and its first words (RFC 8970).
CREATE TABLE parsed(
  body INTEGER PRIMARY KEY,
  data BLOB NOT NULL,
  preview TEXT NOT NULL
);
