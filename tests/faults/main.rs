//! The real `ingest` against a Milvus that fails on purpose, in ways that no
//! real server can be driven into. Needs no server and no model's files.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

#[path = "../support/mod.rs"]
#[expect(dead_code, unreachable_pub, reason = "shared by several suites")]
mod support;

#[path = "../hostile/bombs.rs"]
mod bombs;
mod fake;
mod faults;
mod files;
mod gone;
mod mixtures;
mod outages;
mod random;
mod relay;
mod scene;
mod signals;
mod sizes;
mod twins;
