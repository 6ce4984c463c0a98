//! HTTP pages of captured mail, health and metrics.
