INSERT INTO meta VALUES('of-the-test', x'0102');
INSERT INTO domain(name, kind, target, recipients, catch_all, language, quota, created) VALUES
  ('example.org', 'local', NULL, NULL, 'me@example.org', 'de', 9000000, 1000),
  ('relay.example', 'relay', 'smtp://inside.example', 'listed', NULL, NULL, NULL, 1000),
  ('alias.example', 'alias', 'example.org', NULL, NULL, NULL, NULL, 1000);
INSERT INTO relay_recipient VALUES('relay.example', 'joe');
INSERT INTO account(id, domain, local, name, language, quota, disabled, used_bytes, used_messages) VALUES
  (7, 'example.org', 'me', 'Me Myself', 'de', 5000000, 0, 45, 4),
  (8, 'example.org', 'gone', NULL, NULL, NULL, 1, 0, 0);
INSERT INTO credential(id, account, kind, label, verifier) VALUES
  (71, 7, 'password', '', '{"argon2id":"$argon2id$v=19$m=19456,t=2,p=1$5yj8yataMPglxV6sJsXC0w$PpMXIUIu9s/kdAQyoalRAxFnjBEHmEUlRlH5bsXDKGk","scram":["SCRAM-SHA-256$10000:H9fuWobNfePSNU2b6DcjbA==$855hZVDaU09dRUyjjlD4VbnGlKOQ6ucBheglU+gKpck=:/v8/QpTeVdy9clEdTITITv8gi4Mx4bZeJz3Hd1AjopY="]}'),
  (72, 7, 'app', 'phone', '{"app":["c2FsdA==","aGFzaA=="]}'),
  (73, 7, 'certificate', 'fingerprint', '{}');
INSERT INTO alias VALUES('example.org', 'info', 'me@example.org');
