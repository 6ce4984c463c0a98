INSERT INTO meta VALUES('uidvalidity', 4000000000);
INSERT INTO mailbox(id, account, name, role, uidvalidity, uidnext, modseq, messages, unseen, deleted, octets, vanished, remembered) VALUES
  (11, 7, 'INBOX', NULL, 4000000000, 9, 12, 3, 1, 1, 24, 2, 4),
  (12, 7, 'Sent', '\Sent', 100, 2, 2, 1, 0, 0, 10, 0, 2);
INSERT INTO subscription VALUES(7, 'INBOX');
INSERT INTO prefix VALUES
  (301, CAST('A: 1' AS BLOB)), (302, CAST('B: 2' AS BLOB)), (303, CAST('C: 3' AS BLOB)), (304, CAST('D: 4' AS BLOB));
INSERT INTO message(mailbox, uid, id, body, body_size, prefix, prefix_size, received, saved, flags, keywords, modseq) VALUES
  (11, 2, 201, 91, 5, 301, 4, 5000, NULL, 0, '', 3),
  (11, 3, 202, 91, 5, 302, 4, 6000, NULL, 1, '', 12),
  (11, 8, 203, 92, 6, 0, 0, 7000, NULL, 9, '', 11),
  (12, 1, 204, 92, 6, 303, 4, 8000, 8500, 1, '$Forwarded work', 2),
  (14, 1, 206, 94, 3, 0, 0, 3000, NULL, 1, '', 1);
INSERT INTO keyword VALUES(12, 'work'), (12, '$Forwarded');
INSERT INTO vanished(mailbox, modseq, first, last) VALUES(11, 6, 1, 1), (11, 9, 4, 7);
INSERT INTO emptied VALUES(14, 7, 'Old', 1);
INSERT INTO acl VALUES(11, 'you@example.org', 'lrs');
INSERT INTO annotation VALUES
  (0, 7, '/private/comment', CAST('mine' AS BLOB)), (11, 0, '/shared/comment', CAST('ours' AS BLOB));
