//! What is due when: routes, schedule, retries, notifications.
