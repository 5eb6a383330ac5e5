//! What `search` writes: the form of its answer, with pictures and without.
#![expect(
    clippy::doc_markdown,
    reason = "the doc comments of arguments are their --help"
)]

mod capabilities;
mod page;
mod pictures;

use std::io;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use clap::{ValueEnum, ValueHint};

use super::failure::Failure;
use super::signals;
use super::terminal::{self, tell};
use crate::ingest::Cancel;
use crate::render::terminal::Gallery;
use crate::render::{self, AnswerView, LabelsView, Screen};
use capabilities::Thumbnails;
use pictures::{Form, Size, Source};

/// A picture of the question.
#[derive(Debug)]
pub(super) struct QueryPicture {
    /// Place of its part in the question.
    pub(super) part: usize,
    /// Where its bytes are.
    pub(super) source: Source,
}

pub(super) use pictures::Source as PictureSource;

/// The form of the answer.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
#[command(next_help_heading = "Answer")]
pub(super) struct OutputArgs {
    /// Form of the answer [default: table]
    #[arg(long, value_enum, value_name = "FORM")]
    format: Option<AnswerFormat>,

    /// With --format json, jsonl or csv: the stored vectors too
    #[arg(long)]
    with_vectors: bool,

    /// Say where the time went, and how each collection was searched
    ///
    /// Below the table, as `explain` in JSON and on the page, else on standard
    /// error.
    #[arg(long)]
    explain: bool,

    /// Show the pictures in the terminal [default way: auto]
    ///
    /// `auto` takes what the terminal knows, and half blocks where it knows
    /// nothing better; in a pipe it gives the plain table. The other ways are
    /// taken as they are named. tmux mislays the pictures of kitty and iterm2, so
    /// inside it `auto` takes sixels where tmux says that it shows them, else half
    /// blocks.
    #[arg(long, value_enum, value_name = "WAY", num_args = 0..=1, require_equals = true, default_missing_value = "auto")]
    thumbnails: Option<Thumbnails>,

    /// Show the pictures in a grid, several a line
    #[arg(long)]
    grid: bool,

    /// Write a page with the question, the pictures and all that is known of
    /// them to FILE; `-` is standard output
    ///
    /// One file that needs nothing else and no network: thumbnails are in it.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    html: Option<PathBuf>,

    /// Open the page in the browser; without --html it is a file in the
    /// temporary folder
    #[arg(long)]
    open: bool,
}

/// Form of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum AnswerFormat {
    /// Rank, score, name and path, for people
    Table,
    /// One object on one line, for scripts
    Json,
    /// One object a hit, each on a line
    Jsonl,
    /// A header and a record a hit, with a column for each attribute
    Csv,
    /// One path a line, for pipes
    Paths,
    /// One path a hit, each ended by NUL, for `xargs -0`
    Paths0,
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

    /// Refuses what has no place where the answer is not one list of hits.
    ///
    /// `what` is `--queries` or `--labels`.
    pub(super) fn check_without_hits(
        &self,
        what: &str,
        is_form: fn(AnswerFormat) -> bool,
    ) -> Result<(), Failure> {
        let shown = self.draws() || self.html.is_some() || self.open || self.explain;
        if !shown && self.format.is_none_or(is_form) {
            return Ok(());
        }
        Err(Failure::usage(
            anyhow!("{what} gives no single list of hits"),
            "leave out --explain, --html, --open, --thumbnails, --grid, and that --format",
        ))
    }

    /// Whether the question's pictures are shown.
    pub(super) fn shows_query(&self) -> bool {
        self.draws() || self.html.is_some() || self.open
    }

    /// Whether the flags make sense together.
    ///
    /// `many`: whether there are many answers, each a line of JSON.
    pub(super) fn check(&self, many: bool) -> Result<(), Failure> {
        let format = self.format();
        let carries_vectors = matches!(
            format,
            AnswerFormat::Json | AnswerFormat::Jsonl | AnswerFormat::Csv
        );
        let is_page_alone = self.is_page_alone();
        let faults = [
            (
                self.draws() && format != AnswerFormat::Table,
                "--thumbnails and --grid go with the table alone",
                "leave out --format, or write the pictures to a page with --html FILE",
            ),
            (
                self.grid && self.thumbnails == Some(Thumbnails::None),
                "--grid shows pictures, and --thumbnails=none shows none",
                "leave one of them out",
            ),
            (
                self.thumbnails
                    .is_some_and(capabilities::is_swallowed_by_tmux),
                "tmux mislays the pictures of kitty and iterm2",
                "leave out the way: --thumbnails alone takes what tmux can show",
            ),
            (
                is_page_alone && (self.format.is_some() || self.draws()),
                "--html - writes the page to standard output, where the answer would go too",
                "give --html a file, or leave out --format, --thumbnails and --grid",
            ),
            (
                self.with_vectors && (!carries_vectors || is_page_alone) && !many,
                "--with-vectors is of no use with this format",
                "add --format json, jsonl or csv",
            ),
            (
                is_page_alone && self.open,
                "--open needs a file, and --html - writes none",
                "give --html a file, or leave it out",
            ),
        ];
        match faults.into_iter().find(|(is_so, ..)| *is_so) {
            Some((_, fault, hint)) => Err(Failure::usage(anyhow!(fault), hint)),
            None => Ok(()),
        }
    }

    fn format(&self) -> AnswerFormat {
        self.format.unwrap_or(AnswerFormat::Table)
    }

    /// Whether that word is a way of the `--thumbnails` that stands without one.
    pub(super) fn is_way(&self, word: &str) -> bool {
        self.thumbnails.is_some() && Thumbnails::from_str(word, false).is_ok()
    }

    fn draws(&self) -> bool {
        self.grid || self.thumbnails.is_some_and(|way| way != Thumbnails::None)
    }

    fn is_page_alone(&self) -> bool {
        self.html.as_deref() == Some(Path::new("-"))
    }
}

/// Writes the answer to where it was asked for.
pub(super) fn show(
    view: &AnswerView<'_>,
    question: &[QueryPicture],
    args: &OutputArgs,
    quiet: bool,
) -> Result<(), Failure> {
    let cancel = Cancel::default();
    if args.shows_query() {
        signals::cancel_on_signal(cancel.clone());
    }
    let show = Show {
        view,
        question,
        args,
        cancel,
        quiet,
    };
    if !args.is_page_alone() {
        show.answer()?;
    }
    match &args.html {
        Some(_) if args.is_page_alone() => show.page_to_stdout(),
        Some(file) => show.page_to_file(file),
        None if args.open => show.page_to_temporary_file(),
        None => Ok(()),
    }
}

/// An answer on its way out.
struct Show<'a> {
    view: &'a AnswerView<'a>,
    question: &'a [QueryPicture],
    args: &'a OutputArgs,
    cancel: Cancel,
    quiet: bool,
}

impl Show<'_> {
    /// The answer on standard output, and on standard error what its form has
    /// no place for.
    fn answer(&self) -> Result<(), Failure> {
        let view = self.view;
        let format = self.args.format();
        if format == AnswerFormat::Table {
            return self.table();
        }
        terminal::print(|out| match format {
            AnswerFormat::Table | AnswerFormat::Json => render::write_json(view, out),
            AnswerFormat::Jsonl => render::write_jsonl(view, out),
            AnswerFormat::Csv => render::write_csv(view, out),
            AnswerFormat::Paths => render::write_paths(view, b'\n', out),
            AnswerFormat::Paths0 => render::write_paths(view, 0, out),
        })?;
        if format == AnswerFormat::Json {
            return Ok(());
        }
        if !self.quiet {
            for line in view.collections.iter().filter_map(render::left_out) {
                tell(&format!("warning: {}", render::printable(&line)));
            }
        }
        if let Some(explain) = view.explain {
            let mut text = Vec::new();
            let written = render::write_explain(explain, Screen::default(), &mut text);
            debug_assert!(written.is_ok(), "memory takes all");
            tell(String::from_utf8_lossy(&text).trim_end());
        }
        Ok(())
    }

    fn table(&self) -> Result<(), Failure> {
        let way = self.args.thumbnails.unwrap_or(Thumbnails::Auto);
        let way = if self.args.draws() {
            way
        } else {
            Thumbnails::None
        };
        let (screen, drawing) = capabilities::find(way);
        let view = self.view;
        let Some(drawing) = drawing else {
            return terminal::print(|out| {
                render::write_table(view, screen, out)?;
                explain_below(view, screen, out)
            });
        };
        let gallery = Gallery::new(drawing, self.args.grid);
        let (width, height) = gallery.pixels();
        let form = Form::of(drawing.protocol);
        let size = Size {
            width,
            height,
            form,
        };
        let question = self.question_pictures(size);
        terminal::print(|out| {
            let hits = self.hit_sources();
            pictures::in_order(&hits, size, &self.cancel, |pictures| {
                gallery.write(view, &question, pictures, out)
            })?;
            explain_below(view, screen, out)
        })?;
        self.not_interrupted()
    }

    /// The question's pictures, by part.
    fn question_pictures(&self, size: Size) -> Vec<(usize, render::Shown)> {
        let sources = self.question.iter().map(|picture| picture.source.clone());
        let sources: Vec<Source> = sources.collect();
        let parts = self.question.iter().map(|picture| picture.part);
        pictures::in_order(&sources, size, &self.cancel, |pictures| {
            parts.zip(pictures).collect()
        })
    }

    fn hit_sources(&self) -> Vec<Source> {
        let hits = self.view.hits.iter();
        hits.map(|hit| Source::File(PathBuf::from(&hit.path)))
            .collect()
    }

    fn not_interrupted(&self) -> Result<(), Failure> {
        if self.cancel.is_cancelled() {
            let error = anyhow!("interrupted before every picture was shown");
            return Err(Failure::interrupted(error));
        }
        Ok(())
    }
}

/// Where the time went, where that was asked for.
fn explain_below(
    view: &AnswerView<'_>,
    screen: Screen,
    out: &mut impl io::Write,
) -> io::Result<()> {
    let Some(explain) = view.explain else {
        return Ok(());
    };
    writeln!(out)?;
    render::write_explain(explain, screen, out)
}

/// Writes ranked labels to standard output.
pub(super) fn show_labels(view: &LabelsView<'_>, args: &OutputArgs) -> Result<(), Failure> {
    terminal::print(|out| match args.format() {
        AnswerFormat::Table => render::write_labels_table(view, out),
        AnswerFormat::Json => render::write_labels_json(view, out),
        AnswerFormat::Jsonl => render::write_labels_jsonl(view, out),
        AnswerFormat::Csv => render::write_labels_csv(view, out),
        AnswerFormat::Paths | AnswerFormat::Paths0 => render::write_labels(view, out),
    })
}
