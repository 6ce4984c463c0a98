//! What to think of a message: limits and rates, each step a verdict.
