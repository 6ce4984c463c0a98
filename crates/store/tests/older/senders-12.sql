INSERT INTO rewritten_sender VALUES('AAAABBBBCCCCDDDD', 'a.long.name@example.net', 5000);
