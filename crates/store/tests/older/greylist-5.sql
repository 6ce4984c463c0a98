INSERT INTO greylist_pass VALUES('192.0.2.0/24 example.net', 5000);
