//! Tensors and texts to vectors: the only room that uses ONNX Runtime and the
//! tokenisers.
//!
//! [`Runtime`] loads the shared library, [`VisionTower`] and [`TextTower`] hold
//! one open graph each. A tower is checked against the manifest when it is
//! opened, so that a wrong name, type or dimension is found before the first
//! picture is read. A tower belongs to one thread at a time.

mod clean;
mod cut;
mod dense;
mod error;
mod graph;
mod inspect;
mod runtime;
mod text;
mod tokens;
mod vector;
mod vision;

pub use error::{BadVector, EmbedError, Said};
pub use inspect::{before_last_layer, inspect, weights_outside};
pub use runtime::{RUNTIME_VERSION, Runtime};
pub use text::{EmbeddedText, TextTimes, TextTower};
pub use tokens::Tokeniser;
pub use vector::{cosine, dot, norm};
pub use vision::VisionTower;
