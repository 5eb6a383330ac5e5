//! Standard output, standard error, logs, and the way into every command.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use clap_complete::Shell;

use super::failure::{Exit, Failure};

/// Flags that every command has.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Talk")]
pub(super) struct CommonArgs {
    /// Say nothing but errors, and the answer of search, list or --format json
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub(super) quiet: bool,

    /// Say more: -v what is done, -vv every request
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,

    /// Print a completion script for a shell and leave
    ///
    /// For bash: `ingest --completions bash > ~/.local/share/bash-completion/completions/ingest`.
    #[arg(long, value_name = "SHELL")]
    pub(super) completions: Option<Shell>,
}

/// Parses the command line, starts logging and the runtime, runs, and turns
/// the result into an exit code.
pub(super) fn main<A, F>(common: impl Fn(&A) -> &CommonArgs, run: impl FnOnce(A) -> F) -> ExitCode
where
    A: Parser + CommandFactory,
    F: Future<Output = Result<Exit, Failure>>,
{
    let args = A::parse();
    if let Some(shell) = common(&args).completions {
        return print_completions::<A>(shell).into();
    }
    start_logging(common(&args));
    quieten_decoder_panics();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(run(args)),
        Err(error) => Err(Failure::new(
            error.into(),
            "the system refuses threads: raise its limits",
        )),
    };
    match result {
        Ok(exit) => exit.into(),
        Err(failure) if failure.is_broken_pipe() => Exit::Done.into(),
        Err(failure) => {
            complain(&failure);
            failure.exit().into()
        }
    }
}

/// clap writes to a pipe that is closed by panicking: so to memory first.
fn print_completions<A: CommandFactory>(shell: Shell) -> Exit {
    let mut command = A::command();
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    match print(|out| out.write_all(&script)) {
        Err(failure) if !failure.is_broken_pipe() => {
            complain(&failure);
            Exit::Failed
        }
        _ => Exit::Done,
    }
}

/// Writes a failure to standard error.
pub(super) fn complain(failure: &Failure) {
    tell(failure.to_text().trim_end());
}

/// Writes a line to standard error. Where nobody listens, nothing is lost.
pub(super) fn tell(line: &str) {
    let _gone = writeln!(io::stderr().lock(), "{line}").is_err();
}

/// Whether a person may be watching standard error.
pub(super) fn is_watched() -> bool {
    io::stderr().is_terminal()
}

/// Runs `write` on buffered standard output, and flushes it.
pub(super) fn print(
    write: impl FnOnce(&mut io::BufWriter<io::StdoutLock<'static>>) -> io::Result<()>,
) -> Result<(), Failure> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    write(&mut out).and_then(|()| out.flush()).map_err(|error| {
        Failure::new(
            anyhow::Error::from(error).context("cannot write to standard output"),
            "free some space, or write it elsewhere",
        )
    })
}

fn start_logging(common: &CommonArgs) {
    use tracing_subscriber::EnvFilter;
    let level = match (common.quiet, common.verbose) {
        (true, _) => "error",
        (false, 0) => "warn",
        (false, 1) => "milvus_image_search=debug,warn",
        (false, _) => "milvus_image_search=trace,info",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let colour = is_watched() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(colour)
        .with_target(false);
    if common.verbose == 0 {
        lines.without_time().init();
    } else {
        lines.init();
    }
}

/// A decoder that panics on a hostile file is caught and rejects that file;
/// the panic's own message would only alarm.
fn quieten_decoder_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if crate::imaging::is_decoding() {
            tracing::debug!(%info, "a decoder panicked");
        } else {
            usual(info);
        }
    }));
}
