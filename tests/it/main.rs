//! What can be tested with this checkout alone: the command lines, their
//! errors, and the arrows between the rooms.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

#[path = "../support/mod.rs"]
#[expect(dead_code, unreachable_pub, reason = "shared by three suites")]
mod support;

mod architecture;
mod check;
mod command_line;
mod evaluate;
mod export;
mod offline_errors;
mod proxy;
mod seeing;
