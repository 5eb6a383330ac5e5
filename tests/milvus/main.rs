//! The real binaries against real servers: Milvus Lite and Milvus 2.3.5, with
//! the trained models. `make test` starts both and says where they are.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

#[path = "../support/mod.rs"]
#[expect(dead_code, unreachable_pub, reason = "shared by three suites")]
mod support;

/// Makes each function a test on both servers.
macro_rules! on_both_servers {
    ($($(#[$meta:meta])* fn $name:ident($server:ident: &Server) $body:block)*) => {
        mod on_lite {
            $(#[test] fn $name() { super::$name(&crate::servers::Server::lite()); })*
        }
        mod on_standalone {
            $(#[test] fn $name() { super::$name(&crate::servers::Server::standalone()); })*
        }
        $($(#[$meta])* fn $name($server: &Server) $body)*
    };
}

mod check;
mod complete;
mod errors;
mod evaluate;
mod gallery;
mod interrupt;
mod rare;
mod search;
mod seeing;
mod servers;
mod sync;
mod verify;
