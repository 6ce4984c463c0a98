INSERT INTO report_tally VALUES('dmarc', 20000, 'example.net', 'what is counted', 3);
INSERT INTO report_sent VALUES('tls', 20001, 'example.net', 2);
INSERT INTO report(id, kind, domain, organization, name, start, stop, received, total, failed, content) VALUES
  (31, 'tls', 'example.org', 'other.example', 'r1', 100, 200, 3000, 10, 4, x'7b7d');
INSERT INTO report_folder VALUES(11, 4000000000, 3);
