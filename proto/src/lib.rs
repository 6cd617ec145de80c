//! Placeholder until its first noun arrives.
