//! kill -9 of `ingest`, of Milvus and of both, at random moments: after the
//! next run the collection holds what it does after an undisturbed one, to the
//! bit.
//!
//! `CRASH_KILLS` says how often `ingest` is killed, `CRASH_SEED` draws the same
//! moments again: `make test-crash N=1000 SEED=7`. What is killed is only what
//! these tests started: the servers that are killed are their own.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]
#![expect(clippy::print_stderr, reason = "a long run tells how far it is")]

#[path = "../support/mod.rs"]
#[expect(dead_code, unreachable_pub, reason = "shared by several suites")]
mod support;

#[path = "../milvus/servers.rs"]
#[expect(dead_code, reason = "shared with the suite on servers")]
#[macro_use]
mod servers;

mod chance;
mod kills;
mod outages;
mod own;
mod rows;
mod shop;
