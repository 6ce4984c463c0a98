INSERT INTO signing_key(domain, selector, pem) VALUES('example.org', 's1', 'the key');
