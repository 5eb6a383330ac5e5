//! The command lines: flags, environment and configuration file become
//! validated settings, a use-case runs, and its result becomes output and an
//! exit code. The only room that knows clap, terminals and the environment.

pub mod ingest;
pub mod models;
pub mod search;

mod failure;
mod ingest_args;
mod ingest_check;
mod ingest_report;
mod ingest_verify;
mod ingest_verify_report;
mod pace;
mod progress;
mod search_answer;
mod search_batch;
mod search_evaluate;
mod search_evaluate_args;
mod search_evaluate_exact;
mod search_evaluate_files;
mod search_evaluate_progress;
mod search_evaluate_queries;
mod search_labels;
mod search_output;
mod search_places;
mod search_question;
mod search_stray;
mod search_template;
mod settings;
mod signals;
mod terminal;

pub use failure::{Exit, Failure};
