//! `ingest --check`: what stands between these arguments and a run that ends
//! well.

use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;

use super::failure::{Exit, Failure};
use super::ingest::{DEFAULT_MODEL, Settings, entries, limits, unless_unread};
use super::ingest_args::{IngestArgs, SummaryFormat};
use super::{pace, settings, terminal};
use crate::catalog::NamesOptions;
use crate::config::Connection;
use crate::ingest::check::{Check, Finding, Findings, Level};
use crate::render::printable;

/// How long a server that does not answer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Columns before a finding's text.
const INDENT: usize = 20;

/// The findings, as scripts read them.
#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    collection: &'a str,
    model: Option<&'a str>,
    errors: usize,
    warnings: usize,
    findings: &'a [Finding],
}

/// Looks at everything, and says what was found.
pub(super) async fn run(
    args: IngestArgs,
    file: &settings::File,
    settings: Settings,
) -> Result<Exit, Failure> {
    let mut findings = Findings::default();
    let found = match &file.path {
        Some(path) => format!("{}, under flags and environment", path.display()),
        None => "no configuration file; flags and environment alone".to_owned(),
    };
    findings.ok("settings", found);
    let connection = noted(&mut findings, "login", connection(&args, file));
    let entries = noted(&mut findings, "pictures", entries(&args));
    let collection = settings.target.collection.clone();
    let metric = args.index.metric.is_some() || file.index.metric.is_some();
    let index = args.index.index_type.is_some() || file.index.kind.is_some();
    let wanted = (args.pace.workers, args.pace.threads);
    let check = Check {
        metric: metric.then_some(settings.target.index.metric),
        index: index.then_some(settings.target.index.kind.as_str()),
        target: settings.target,
        connection,
        dirs: args.places.model_dirs(file),
        model: args.model.clone().or_else(|| file.model.clone()),
        default_model: DEFAULT_MODEL,
        memory: Box::new(move |model| {
            let (workers, threads) = (wanted.0.map(usize::from), wanted.1.map(usize::from));
            let (workers, _) = pace::workers_and_threads(&[model], workers, threads);
            pace::memory(model, workers)
        }),
        entries,
        roots: settings.roots,
        limits: limits(&args.pace),
        names: args.names.names.map(|path| {
            let options = NamesOptions {
                key_column: args.names.names_key,
                name_column: args.names.names_column,
            };
            (path, options)
        }),
        rejects: args.rejects,
    };
    let model = check.run(&mut findings).await;
    let errors = findings.count(Level::Error);
    let document = Document {
        version: 1,
        collection: &collection,
        model: model.as_deref(),
        errors,
        warnings: findings.count(Level::Warning),
        findings: &findings.list,
    };
    let quiet = args.common.quiet;
    unless_unread(terminal::print(|out| match args.format {
        SummaryFormat::Json => write_json(&document, out),
        SummaryFormat::Text => write_text(&document, quiet, out),
    }))?;
    Ok(match errors {
        0 => Exit::Done,
        _ => Exit::Incomplete,
    })
}

/// The connection of a run, with less patience.
fn connection(args: &IngestArgs, file: &settings::File) -> Result<Connection, Failure> {
    let connection = args.milvus.connection(file, PATIENCE)?;
    Ok(Connection {
        request_timeout: connection.request_timeout.min(PATIENCE),
        retry_deadline: connection.retry_deadline.min(PATIENCE),
        ..connection
    })
}

/// What failed is a finding, and the check goes on without it.
fn noted<T>(findings: &mut Findings, check: &'static str, result: Result<T, Failure>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(failure) => {
            let (found, remedy) = failure.into_parts();
            findings.error(check, found, &remedy);
            None
        }
    }
}

fn write_json(document: &Document<'_>, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, document)?;
    out.write_all(b"\n")
}

fn write_text(document: &Document<'_>, quiet: bool, out: &mut impl Write) -> io::Result<()> {
    let told = |finding: &&Finding| !quiet || finding.level == Level::Error;
    for finding in document.findings.iter().filter(told) {
        let level = finding.level.as_str();
        let (check, found) = (finding.check, printable(&finding.found));
        writeln!(out, "{level:<8} {check:<10} {found}")?;
        if let Some(remedy) = &finding.remedy {
            writeln!(out, "{:INDENT$}remedy: {}", "", printable(remedy))?;
        }
    }
    if quiet {
        return Ok(());
    }
    let number = |count: usize, one: &str| match count {
        1 => format!("1 {one}"),
        count => format!("{count} {one}s"),
    };
    let (errors, warnings) = (document.errors, document.warnings);
    writeln!(
        out,
        "{}, {}: {}",
        number(errors, "error"),
        number(warnings, "warning"),
        match (errors, warnings) {
            (0, 0) => "ready to run",
            (0, _) => "the run would go through",
            _ => "the run would stop, or leave pictures out",
        }
    )
}
