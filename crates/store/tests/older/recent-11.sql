UPDATE mailbox SET recent_from = 8 WHERE id = 11;
