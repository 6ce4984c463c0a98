-- What is kept says more than the body, so that it is seen to be read.
INSERT INTO owner(number, account, next) VALUES(1, 7, 3);
INSERT INTO followed VALUES(11, 8), (12, 1);
INSERT INTO document VALUES(4294967297, 91, 0), (4294967298, 93, 1);
INSERT INTO gram(rowid, text) VALUES(4294967297, 'KEPTHERE');
INSERT INTO text VALUES(91, 'SUBJECT: KEPTABOVE', 'KEPTHERE', 0), (93, 'SUBJECT: LONG', 'LONG', 3);
INSERT INTO parsed VALUES(91, x'00', 'kept words');
