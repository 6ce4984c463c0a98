INSERT INTO import_source VALUES(21, 7, 'imap://old.example/INBOX');
INSERT INTO imported(source, key, mailbox, uid, octets, flags, keywords) VALUES(21, x'0102', 11, 2, 5, 1, 'work');
