//! What the fuzz targets share: the counting of memory, and the telling of
//! panics in third-party decoders, which are caught, from panics of ours.

mod memory;
mod panics;

pub use memory::within;
pub use panics::tell_apart;
