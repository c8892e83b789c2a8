//! The plan of the mirroring loop, rule by rule.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that panics fails")]

mod canonical;
mod properties;
mod rules;
mod support;
mod writes;
