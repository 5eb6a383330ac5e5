//! The trained models against their reference implementation in Python, and
//! manifests that contradict their graphs. Needs ONNX Runtime and resnet50,
//! which `make test` brings.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

#[path = "../support/mod.rs"]
#[expect(dead_code, unreachable_pub, reason = "shared by three suites")]
mod support;

mod compare;
mod contradictions;
mod doctor;
mod golden;
mod graphs;
mod init;
mod labels;
mod made_graphs;
