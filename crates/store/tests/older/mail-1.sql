INSERT INTO mailbox(id, account, name, role, uidvalidity, uidnext, modseq, subscribed) VALUES
  (11, 7, 'INBOX', NULL, 4000000000, 9, 12, 1),
  (12, 7, 'Sent', '\Sent', 100, 2, 2, 0);
INSERT INTO message(mailbox, uid, id, body, body_size, prefix, received, flags, modseq) VALUES
  (11, 2, 201, 91, 5, CAST('A: 1' AS BLOB), 5000, 0, 3),
  (11, 3, 202, 91, 5, CAST('B: 2' AS BLOB), 6000, 1, 12),
  (11, 8, 203, 92, 6, x'', 7000, 9, 11),
  (12, 1, 204, 92, 6, CAST('C: 3' AS BLOB), 8000, 1, 2);
