INSERT INTO expunged(id, account, mailbox, folder, uid, message, body, body_size, prefix, prefix_size, received, saved, flags, keywords, modseq, read_only) VALUES
  (401, 7, 11, 'INBOX', 5, 205, 93, 4, 304, 4, 4000, 4500, 1, 'work', 8, 0);
INSERT INTO expunged(id, account, mailbox, folder, uid, message, body, body_size, prefix, prefix_size, received, saved, flags, keywords, modseq, read_only) VALUES
  (9000000000000000000, 7, 11, 'INBOX', 6, 207, 91, 5, 0, 0, 4000, 4600, 0, '', 9, 1);
