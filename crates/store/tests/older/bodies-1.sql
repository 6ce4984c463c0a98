INSERT INTO body VALUES
  (91, CAST('hello' AS BLOB)), (92, CAST('world!' AS BLOB)), (93, CAST('gone' AS BLOB)), (94, CAST('old' AS BLOB)),
  (95, CAST('waiting' AS BLOB));
