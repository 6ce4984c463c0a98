INSERT INTO sts_policy(domain, id, text, fetched, until) VALUES('example.net', 'id1', 'version: STSv1', 100, 200);
INSERT INTO sts_own VALUES('example.org', 'enforce', 300);
