INSERT INTO signing_key(domain, selector, pem, stage, since) VALUES('example.org', 's1', 'the key', 2, 400);
