//! Every administrative operation, typed, authorised and audited in one place.
