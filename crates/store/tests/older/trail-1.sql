-- Of a day far ahead: what is old is pruned.
INSERT INTO event(message, at, sequence, detail) VALUES
  (7000000000000000000, 5000, 1, '{"event":"attempt","recipients":["a@example.com"],"host":"mx.example","tls":"TLSv1.3","outcome":"deferred","reply":"421 later","next":6000}');
INSERT INTO party VALUES('a@example.com', 7000000000000000000);
