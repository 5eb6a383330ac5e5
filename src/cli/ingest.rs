//! `ingest`: pictures into a collection.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};

use super::failure::{Exit, Failure};
use super::ingest_args::{IngestArgs, NamesArgs, PaceArgs, SummaryFormat, index};
use super::progress::Progress;
use super::settings;
use super::signals::cancel_on_signal;
use super::terminal::{self, complain, tell};
use super::{ingest_check, ingest_report, ingest_verify};
use crate::catalog::{Entries, NamesOptions, NamesTable, Roots};
use crate::config::ImageLimits;
use crate::embed::Runtime;
use crate::ingest::{Cancel, Ingest, Observer, Pace, Pictures, Prune, Report, Target};
use crate::model::Model;
use crate::render::printable;
use crate::store::{ModelMark, Store, Watch};

/// The model where nothing says otherwise.
pub(super) const DEFAULT_MODEL: &str = "clip-vit-b-32";

/// How long transient faults of the server are waited out: a run of hours
/// survives a restart or an upgrade of the server.
const RETRY: Duration = Duration::from_secs(3600);

/// Runs the command.
pub fn main() -> ExitCode {
    terminal::main(|args: &IngestArgs| &args.common, run)
}

async fn run(args: IngestArgs) -> Result<Exit, Failure> {
    let file = args.places.file()?;
    let settings = Settings::new(&args, &file)?;
    if args.check {
        return ingest_check::run(args, &file, settings).await;
    }
    let pictures = settings.pictures(&args, args.common.quiet)?;
    let session = Session::open(&args, &file, &settings.target.collection).await?;
    if args.comparing.verify {
        Box::pin(ingest_verify::run(&args, session, &settings, pictures)).await
    } else {
        ingest(&args, session, settings, pictures).await
    }
}

/// Everything that a run needs, open.
pub(super) struct Session {
    pub(super) ingest: Ingest,
    pub(super) model: String,
    pub(super) observer: Arc<Progress>,
    pub(super) cancel: Cancel,
}

impl Session {
    async fn open(
        args: &IngestArgs,
        file: &settings::File,
        collection: &str,
    ) -> Result<Self, Failure> {
        // What can be wrong here is found before anything is asked over there.
        let dirs = args.places.model_dirs(file);
        let wanted = args.model.as_ref().or(file.model.as_ref());
        let wanted = wanted
            .map(|name| Ready::new(dirs.open(name)?))
            .transpose()?;
        let store = Store::connect(&args.milvus.connection(file, RETRY)?).await?;
        let ready = match wanted {
            Some(ready) => ready,
            None => Ready::new(dirs.open(&usual_model(&store, collection).await?)?)?,
        };
        let model = ready.mark.model.clone();
        let cancel = Cancel::default();
        let observer = Arc::new(Progress::start(args.common.quiet, args.rejects.as_deref())?);
        let watch = Waiting {
            cancel: cancel.clone(),
            progress: Arc::clone(&observer),
        };
        let store = store.with_watch(Arc::new(watch)).with_reloads();
        let ingest = ready.open(&args.pace, store)?;
        cancel_on_signal(cancel.clone());
        Ok(Self {
            ingest,
            model,
            observer,
            cancel,
        })
    }

    /// Runs to the end.
    pub(super) async fn ingest(
        &mut self,
        target: Target,
        pictures: Pictures,
    ) -> Result<Report, Failure> {
        let observer = Arc::<Progress>::clone(&self.observer);
        let cancel = self.cancel.clone();
        let run = self.ingest.run(target, pictures, observer, cancel);
        Ok(run.await?)
    }
}

async fn ingest(
    args: &IngestArgs,
    mut session: Session,
    settings: Settings,
    pictures: Pictures,
) -> Result<Exit, Failure> {
    let collection = settings.target.collection.clone();
    let names = pictures.names.as_ref().map(ingest_report::NamesFacts::new);
    let report = session.ingest(settings.target, pictures).await?;
    let rejects = session.observer.finish();
    let printed = print_summary(
        args,
        &ingest_report::View {
            collection: &collection,
            model: &session.model,
            dry_run: args.dry_run,
            report: &report,
            names,
        },
    );
    let exit = exit(report);
    rejects.and(unless_unread(printed)).map(|()| exit)
}

/// Whoever stopped reading the summary still gets the exit code.
pub(super) fn unless_unread(printed: Result<(), Failure>) -> Result<(), Failure> {
    printed.or_else(|f| if f.is_broken_pipe() { Ok(()) } else { Err(f) })
}

/// Bounds on a single file.
pub(super) fn limits(args: &PaceArgs) -> ImageLimits {
    ImageLimits {
        max_file_bytes: args.max_file_bytes,
        max_pixels: args.max_pixels,
        max_decode: Duration::from_secs(args.max_decode_seconds),
    }
}

fn print_summary(args: &IngestArgs, view: &ingest_report::View<'_>) -> Result<(), Failure> {
    match args.format {
        SummaryFormat::Json => terminal::print(|out| ingest_report::write_json(view, out)),
        SummaryFormat::Text if args.common.quiet => Ok(()),
        SummaryFormat::Text => terminal::print(|out| ingest_report::write_text(view, out)),
    }
}

fn exit(report: Report) -> Exit {
    let counts = report.counts;
    match report.fatal {
        Some(error) => {
            complain(&error.into());
            Exit::Failed
        }
        None if counts.cancelled > 0 || report.interrupted => Exit::Interrupted,
        None if counts.rejected + counts.failed > 0 => Exit::Incomplete,
        None => Exit::Done,
    }
}

/// Tells of outages, which an interrupted run does not wait out.
struct Waiting {
    cancel: Cancel,
    progress: Arc<Progress>,
}

impl Watch for Waiting {
    fn gives_up(&self) -> bool {
        self.cancel.is_cancelled()
    }

    fn paused(&self, message: &str) {
        self.progress.note(message);
    }

    fn resumed(&self, message: &str) {
        self.progress.note(message);
    }
}

/// What can be checked before anything is opened.
pub(super) struct Settings {
    pub(super) target: Target,
    pub(super) roots: Roots,
}

impl Settings {
    fn new(args: &IngestArgs, file: &settings::File) -> Result<Self, Failure> {
        let given = args.collection.clone().filter(|name| !name.is_empty());
        let collection = given.or_else(|| file.collection.clone());
        let collection = collection.ok_or_else(|| {
            Failure::usage(
                anyhow!("no collection is named"),
                "name one with --collection, MILVUS_COLLECTION, or `collection` in the configuration file",
            )
        })?;
        if args.paths.is_empty() && args.files_from.is_none() {
            return Err(Failure::usage(
                anyhow!("no pictures are named"),
                "name folders or files, or a list with --files-from",
            ));
        }
        let root = args
            .identity
            .root
            .as_ref()
            .map(|root| {
                root.canonicalize()
                    .with_context(|| format!("cannot use --root {}", root.display()))
            })
            .transpose()
            .map_err(|error| Failure::new(error, "check the path and its permissions"))?;
        if args.prune || args.comparing.verify {
            require_whole_folders(&args.paths, root.as_deref())?;
        }
        Ok(Self {
            target: Target {
                collection,
                index: index(&args.index, &file.index)?,
                dry_run: args.dry_run,
                prune: (args.prune || args.comparing.repair).then_some(Prune {
                    limit_percent: args.prune_limit,
                }),
            },
            roots: Roots {
                root,
                name: args.identity.source.clone(),
            },
        })
    }
}

impl Settings {
    /// The pictures that the command line names. Says of the names table what
    /// cannot be used, unless it is to be `quiet`.
    pub(super) fn pictures(&self, args: &IngestArgs, quiet: bool) -> Result<Pictures, Failure> {
        Ok(Pictures {
            names: read_names(&args.names, quiet)?,
            entries: entries(args)?,
            roots: self.roots.clone(),
            limits: limits(&args.pace),
        })
    }
}

/// Only of a folder that is walked whole can be said what is gone.
fn require_whole_folders(paths: &[PathBuf], root: Option<&Path>) -> Result<(), Failure> {
    for path in paths {
        let folder = path
            .canonicalize()
            .with_context(|| format!("cannot look at {}", path.display()))
            .map_err(|error| Failure::new(error, "check the path, and that its disk is mounted"))?;
        if !folder.is_dir() || root.is_some_and(|root| root != folder) {
            return Err(Failure::usage(
                anyhow!(
                    "{} is no whole source, so that it cannot be told what is gone",
                    path.display()
                ),
                "name the folder that the pictures' paths count from, and no single files",
            ));
        }
    }
    Ok(())
}

fn read_names(args: &NamesArgs, quiet: bool) -> Result<Option<NamesTable>, Failure> {
    /// Bad rows that are told one by one.
    const TOLD: usize = 10;
    let Some(path) = &args.names else {
        return Ok(None);
    };
    let options = NamesOptions {
        key_column: args.names_key.clone(),
        name_column: args.names_column.clone(),
    };
    let table = NamesTable::read(path, &options)?;
    if !quiet {
        for row in table.bad_rows.iter().take(TOLD) {
            let place = format!("{}:{}", path.display(), row.line);
            tell(&printable(&format!("warning: {place}: {}", row.reason)));
        }
        if table.bad_rows.len() > TOLD {
            let more = table.bad_rows.len() - TOLD;
            let path = path.display();
            tell(&printable(&format!(
                "warning: {path}: {more} more rows cannot be used"
            )));
        }
    }
    Ok(Some(table))
}

pub(super) fn entries(args: &IngestArgs) -> Result<Entries, Failure> {
    let list: Option<Box<dyn BufRead + Send>> = match &args.files_from {
        None => None,
        Some(path) if path == Path::new("-") => Some(Box::new(BufReader::new(std::io::stdin()))),
        Some(path) => {
            let file = File::open(path)
                .with_context(|| format!("cannot read the list {}", path.display()))
                .map_err(|error| Failure::new(error, "check the path and its permissions"))?;
            Some(Box::new(BufReader::new(file)))
        }
    };
    Ok(Entries::new(args.paths.clone(), list))
}

/// The model that filled the collection, else the default one.
async fn usual_model(store: &Store, collection: &str) -> Result<String, Failure> {
    let found = store.find_collection(collection).await?;
    let mark = found.and_then(|found| found.mark);
    Ok(mark.map_or_else(|| DEFAULT_MODEL.to_owned(), |mark| mark.model))
}

/// A model whose files are right, and the runtime that it needs.
struct Ready {
    model: Model,
    mark: ModelMark,
    runtime: Option<Runtime>,
}

impl Ready {
    fn new(model: Model) -> Result<Self, Failure> {
        let fingerprint = model.verify()?;
        let runtime = match &model.manifest.vision.onnx {
            Some(_) => Some(Runtime::load()?),
            None => None,
        };
        Ok(Self {
            mark: ModelMark {
                model: model.manifest.name.clone(),
                fingerprint: fingerprint.to_string(),
            },
            model,
            runtime,
        })
    }

    fn open(self, args: &PaceArgs, store: Store) -> Result<Ingest, Failure> {
        let (workers, threads) = super::pace::workers_and_threads(
            &[&self.model],
            args.workers.map(usize::from),
            args.threads.map(usize::from),
        );
        let pace = Pace {
            workers,
            threads,
            batch_images: usize::from(args.batch),
            batch_bytes: usize::try_from(args.upsert_bytes).unwrap_or(usize::MAX),
            upserts_in_flight: usize::from(args.upserts_in_flight),
            linger: Duration::from_secs(2),
        };
        tracing::debug!(?pace, "pace");
        let runtime = self.runtime.as_ref();
        Ok(Ingest::open(store, self.model, self.mark, runtime, pace)?)
    }
}
