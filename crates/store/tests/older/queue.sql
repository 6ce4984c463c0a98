INSERT INTO queued(id, body, body_size, reverse_path, parameters, trace, origin) VALUES
  (51, 95, 7, 'sender@example.net', 'RET=HDRS', CAST('Received: x' AS BLOB),
   '{"session":"s1","via":"smtp","client":"192.0.2.9:25","helo":"client.example","protocol":"ESMTPS","tls":"TLSv1.3","message_id":"<m@x>"}');
INSERT INTO recipient(message, position, address, parameters, due, held, attempts, delay_told, last) VALUES
  (51, 0, 'a@example.com', 'NOTIFY=NEVER', 600000, 0, 2, 1, '421 4.7.0 later'),
  (51, 1, 'b@example.com', '', 700000, 1, 0, 0, NULL);
INSERT INTO unreferenced VALUES(96);
