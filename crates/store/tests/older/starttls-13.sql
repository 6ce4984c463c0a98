INSERT INTO starttls_host(host, seen) VALUES('mx.example.net', 100);
