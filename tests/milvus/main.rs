//! The real binaries against real servers: Milvus Lite and Milvus 2.3.5, with
//! the trained models. `make test` starts both and says where they are.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

#[path = "../support/mod.rs"]
#[expect(dead_code, unreachable_pub, reason = "shared by three suites")]
mod support;

#[macro_use]
mod servers;

mod check;
mod complete;
mod errors;
mod evaluate;
mod gallery;
mod interrupt;
mod rare;
mod search;
mod seeing;
mod sync;
mod verify;
