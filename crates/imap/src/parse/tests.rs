//! Commands as clients write them.
