//! `models compare`: what it costs to use one model instead of another.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::{ValueEnum, ValueHint};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::oneshot;

use super::compare_report;
use crate::cli::failure::{Exit, Failure};
use crate::cli::pace::workers_and_threads;
use crate::cli::signals::signal;
use crate::cli::terminal::{self, is_watched, tell};
use crate::compare::{
    COMPANY, Compare, LEAST_IN_COMPANY, Observer, Pace, Question, Report, Step, Subject,
};
use crate::config::ImageLimits;
use crate::embed::Runtime;
use crate::entity::Problem;
use crate::model::{Model, ModelDirs};
use crate::render::printable;

/// Longest wait for the batch under way when somebody interrupts.
const LEAVE: Duration = Duration::from_secs(2);

/// Arguments of `models compare`.
#[derive(Debug, clap::Args)]
pub(super) struct CompareArgs {
    /// The model in use: a name or a folder
    #[arg(value_name = "A")]
    a: String,
    /// The model that would take its place
    #[arg(value_name = "B")]
    b: String,
    /// Folders of pictures, walked as ingest does; files
    #[arg(value_name = "FOLDER", required = true, value_hint = ValueHint::AnyPath)]
    paths: Vec<PathBuf>,

    /// Most pictures, evenly spread over all by path; 0 for all of them. Time
    /// grows with the square
    #[arg(long, value_name = "N", default_value_t = 1000)]
    sample: usize,
    /// Nearest neighbours that count: the K of recall@K
    #[arg(long, value_name = "K", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..))]
    limit: u16,
    /// Words to look the pictures up with; may be repeated
    #[arg(long, value_name = "WORDS")]
    text: Vec<String>,
    /// File of more texts, one a line
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    texts: Option<PathBuf>,
    /// Worker threads, each with a copy of both models [default: one a core, as far as memory goes]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// Pictures in one run of a model, as ingest --batch
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1024))]
    batch: u16,
    /// Form of the report
    #[arg(long, value_enum, default_value_t = ReportFormat::Human, value_name = "FORM")]
    format: ReportFormat,
}

/// Form of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ReportFormat {
    /// For people
    Human,
    /// For scripts, on one line
    Json,
}

/// Compares the two models.
pub(super) async fn compare(
    args: CompareArgs,
    dirs: &ModelDirs,
    quiet: bool,
) -> Result<Exit, Failure> {
    let texts = texts(&args)?;
    let models = [dirs.open(&args.a)?, dirs.open(&args.b)?];
    let jobs = args.jobs.map(usize::from);
    // Who names a number of workers means so many threads in all.
    let (workers, threads) = workers_and_threads(&[&models[0], &models[1]], jobs, jobs.map(|_| 1));
    let pace = Pace {
        workers,
        threads,
        batch: usize::from(args.batch),
    };
    let question = Question {
        paths: args.paths,
        sample: args.sample,
        limit: usize::from(args.limit),
        texts,
        limits: ImageLimits::default(),
    };
    let cancel = Arc::new(AtomicBool::new(false));
    let progress = Progress::new(quiet, Arc::clone(&cancel));
    let shown = progress.clone();
    let work = apart(move || {
        let report = report(models, &question, pace, &progress);
        progress.clear();
        report
    });
    tokio::pin!(work);
    let report = tokio::select! {
        // The signal is listened for before anything begins.
        biased;
        () = signal() => {
            cancel.store(true, Ordering::Relaxed);
            shown.clear();
            tell("interrupted: nothing was compared");
            let _late = tokio::time::timeout(LEAVE, work).await.is_err();
            return Ok(Exit::Interrupted);
        }
        report = &mut work => report?,
    };
    if !quiet {
        warn(&report);
    }
    terminal::print(|out| match args.format {
        ReportFormat::Human => compare_report::write_text(&report, out),
        ReportFormat::Json => compare_report::write_json(&report, out),
    })?;
    Ok(if report.rejected.is_empty() {
        Exit::Done
    } else {
        Exit::Incomplete
    })
}

/// Runs `work` on a thread that the end of the process does not wait for.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, finished) = oneshot::channel();
    let thread = std::thread::Builder::new()
        .name("compare".to_owned())
        .spawn(move || {
            let _nobody_waits = done.send(work()).is_err();
        })
        .expect("the system refuses a thread; nothing can be done");
    match finished.await {
        Ok(answer) => answer,
        // It ended without an answer: it panicked.
        Err(_) => match thread.join() {
            Ok(()) => unreachable!("a thread that ends has answered; this is a bug"),
            Err(panic) => std::panic::resume_unwind(panic),
        },
    }
}

fn report(
    models: [Model; 2],
    question: &Question,
    pace: Pace,
    progress: &Progress,
) -> Result<Report, Failure> {
    let subject = |model: Model| {
        let fingerprint = model.verify()?;
        Ok::<_, Failure>(Subject { model, fingerprint })
    };
    let [a, b] = models;
    let subjects = [subject(a)?, subject(b)?];
    let with_text = !question.texts.is_empty();
    let has_graph = |subject: &Subject| subject.model.manifest.vision.onnx.is_some();
    let runtime = if with_text || subjects.iter().any(has_graph) {
        Some(Runtime::load()?)
    } else {
        None
    };
    let compare = Compare::open(subjects, runtime.as_ref(), pace, with_text)?;
    Ok(compare.run(question, progress)?)
}

/// Texts of the command line, then those of the file.
fn texts(args: &CompareArgs) -> Result<Vec<String>, Failure> {
    let mut texts = args.text.clone();
    if let Some(path) = &args.texts {
        texts.extend(lines(path)?);
    }
    texts.retain(|text| !text.trim().is_empty());
    if texts.is_empty() && (args.texts.is_some() || !args.text.is_empty()) {
        return Err(Failure::usage(
            anyhow!("the texts are empty"),
            "give --text some words, --texts a file with one text a line, or leave them out",
        ));
    }
    Ok(texts)
}

fn lines(path: &Path) -> Result<Vec<String>, Failure> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the texts in {}", path.display()))
        .map_err(|error| Failure::new(error, "check the path; the file holds UTF-8 text"))?;
    let text = text.trim_start_matches('\u{feff}');
    Ok(text.lines().map(str::to_owned).collect())
}

/// What a person must know of the numbers.
fn warn(report: &Report) {
    for side in &report.sides {
        let Some(least) = side
            .least_in_company
            .filter(|least| *least < LEAST_IN_COMPANY)
        else {
            continue;
        };
        let name = printable(&side.subject.model.manifest.name);
        let count = report.compared.min(COMPANY);
        tell(&format!(
            "warning: `{name}` gives a picture other vectors in other company: worst cosine {least:.4} between {count} pictures one by one and in one batch"
        ));
        let graph = side.subject.model.manifest.vision.onnx.as_ref();
        if graph.is_some_and(|graph| graph.batch.is_none()) {
            tell(
                "hint: `batch = 1` under [vision.onnx] in its model.toml embeds pictures one by one; that changes its fingerprint, so ingest into a new collection",
            );
        }
    }
    if let Some(cut) = report.texts.map(|texts| texts.cut).filter(|cut| *cut > 0) {
        tell(&format!(
            "warning: {cut} texts are longer than a model reads, and were cut"
        ));
    }
}

/// A bar on a terminal; pictures that cannot be used are told everywhere.
#[derive(Clone)]
struct Progress {
    quiet: bool,
    bar: Option<ProgressBar>,
    cancel: Arc<AtomicBool>,
}

impl Progress {
    fn new(quiet: bool, cancel: Arc<AtomicBool>) -> Self {
        let bar = (!quiet && is_watched()).then(|| {
            let style = ProgressStyle::with_template("{msg} {human_pos}")
                .expect("the template is a constant; this is a bug");
            let bar = ProgressBar::new(0)
                .with_style(style)
                .with_message("pictures found:");
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Self { quiet, bar, cancel }
    }

    fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Observer for Progress {
    fn found(&self, pictures: usize) {
        if let Some(bar) = &self.bar {
            bar.set_position(pictures as u64);
        }
    }

    fn begins(&self, step: Step, parts: usize) {
        let Some(bar) = &self.bar else {
            return;
        };
        let style =
            ProgressStyle::with_template("{msg} {bar:32} {human_pos} of {human_len}, {eta} left")
                .expect("the template is a constant; this is a bug");
        bar.set_style(style);
        bar.set_message(match step {
            Step::Embed => "embedding",
            Step::Compare => "comparing",
        });
        bar.set_length(parts as u64);
        bar.reset();
    }

    fn advanced(&self) {
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
    }

    fn is_cancelled(&self) -> bool {
        self.cancel.load(Ordering::Relaxed)
    }

    fn rejected(&self, problem: &Problem) {
        if self.quiet {
            return;
        }
        let line = format!(
            "warning: {}: {}: {}",
            printable(&problem.path.to_string_lossy()),
            problem.stage,
            printable(&problem.reason)
        );
        match &self.bar {
            Some(bar) => bar.suspend(|| tell(&line)),
            None => tell(&line),
        }
    }
}
