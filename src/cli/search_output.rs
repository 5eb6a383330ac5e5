//! What `search` writes: the form of its answer.
use anyhow::anyhow;
use clap::ValueEnum;

use super::failure::Failure;
use super::terminal;
use crate::render::{self, AnswerView, LabelsView};

/// The form of the answer.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Answer")]
pub(super) struct OutputArgs {
    /// Form of the answer
    #[arg(long, value_enum, default_value_t = AnswerFormat::Table, value_name = "FORM")]
    format: AnswerFormat,

    /// With --format paths: end each path with NUL instead of a newline
    #[arg(long, short = '0')]
    null: bool,

    /// With each hit, its vector (--format json)
    #[arg(long)]
    with_vectors: bool,

    /// Say where the milliseconds went, and how each collection was searched
    /// (--format json)
    #[arg(long)]
    explain: bool,
}

/// Form of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum AnswerFormat {
    /// Rank, score, name and path, for people
    Table,
    /// One object on one line, for scripts
    Json,
    /// One path a hit, for pipes
    Paths,
}

impl OutputArgs {
    /// Whether hits need their vectors.
    pub(super) fn with_vectors(&self) -> bool {
        self.with_vectors
    }

    /// Whether times are shown.
    pub(super) fn explain(&self) -> bool {
        self.explain
    }

    /// Whether the question's pictures are shown.
    #[expect(clippy::unused_self, reason = "no form of the answer shows it yet")]
    pub(super) fn shows_query(&self) -> bool {
        false
    }

    /// Whether the flags make sense together.
    pub(super) fn check(&self) -> Result<(), Failure> {
        if self.null && self.format != AnswerFormat::Paths {
            return Err(Failure::usage(
                anyhow!("--null is of no use with this format"),
                "add --format paths",
            ));
        }
        Ok(())
    }
}

/// Writes the answer. `_pictures` has, for each part of the question, the bytes
/// of its picture, where it has one.
pub(super) fn show(
    view: &AnswerView<'_>,
    _pictures: &[Option<Vec<u8>>],
    args: &OutputArgs,
) -> Result<(), Failure> {
    terminal::print(|out| match args.format {
        AnswerFormat::Table => render::write_table(view, out),
        AnswerFormat::Json => render::write_json(view, out),
        AnswerFormat::Paths => render::write_paths(view, if args.null { 0 } else { b'\n' }, out),
    })
}

/// Writes ranked labels to standard output.
pub(super) fn show_labels(view: &LabelsView<'_>, args: &OutputArgs) -> Result<(), Failure> {
    terminal::print(|out| match args.format {
        AnswerFormat::Table => render::write_labels_table(view, out),
        AnswerFormat::Json => render::write_labels_json(view, out),
        AnswerFormat::Paths => render::write_labels(view, out),
    })
}
