//! RFC 5322 and MIME: read, edit header fields, build trace fields and notifications.
