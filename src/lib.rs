//! Image search with Milvus: pictures in, vectors stored, answers out.
//!
//! ```text
//! ingest: catalog -> plan (what changed) -> decode -> preprocess -> embed -> upsert -> report
//! search: text  -> tokenize ------------+
//!         image -> decode -> preprocess +-> embed -> search -> render
//! ```
//!
//! # Rooms
//! Arrows point down; rooms on one floor never use each other
//! (`tests/it/architecture.rs` fails on a wrong `use`):
//!
//! | floor | rooms |
//! |---|---|
//! | 1 | [`cli`]: flags, environment and file become settings; output, exit codes |
//! | 2 | [`evaluate`]: how good a search is |
//! | 3 | [`ingest`], [`search`], [`doctor`] (a model and its reference), [`compare`] (two models on one's own pictures): the use-cases |
//! | 4 | [`store`]: Milvus; [`embed`]: ONNX Runtime and tokenisers; [`imaging`]: bytes to tensors |
//! | 5 | [`catalog`]: where pictures and names come from; [`model`]: manifests and files; [`render`]: what people and scripts see |
//! | 6 | [`config`]: plain settings |
//! | 7 | [`entity`]: the nouns that all share |
//!
//! The binaries in `src/bin/` only call [`cli`]. Each heavy crate has one owner.
//!
//! # Invariants
//! - A vector equals the one that the model's reference pipeline gives. All that
//!   a model needs stands in its manifest; nothing about one is in the code.
//! - Each discovered picture ends in exactly one [`entity::Outcome`], and the
//!   counts balance whatever happens.
//! - A picture's key depends on its source's name and its relative path alone,
//!   so every write may be repeated.
//! - A collection belongs to one model, by fingerprint; no other is let near it.
//! - Every queue is bounded; memory does not grow with the number of pictures,
//!   apart from the names table and 100 bytes a picture that tell repeated ones.

pub mod catalog;
pub mod cli;
pub mod compare;
pub mod config;
pub mod doctor;
pub mod embed;
pub mod entity;
pub mod evaluate;
pub mod imaging;
pub mod ingest;
pub mod model;
pub mod render;
pub mod search;
pub mod store;
