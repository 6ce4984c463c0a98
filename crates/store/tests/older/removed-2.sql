INSERT INTO expunged(id, account, mailbox, folder, uid, message, body, body_size, prefix, prefix_size, received, flags, keywords) VALUES
  (401, 7, 11, 'INBOX', 5, 205, 93, 4, 304, 4, 4000, 1, 'work');
