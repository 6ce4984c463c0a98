INSERT INTO report_post VALUES(41, 'example.net', 'https://web.example/r', 500, 2, 900, x'1f8b');
