//! `models pull`: fetching a model's files.

use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::failure::{Exit, Failure};
use crate::cli::terminal::{self, is_watched, tell};
use crate::config::Secret;
use crate::model::Model;
use crate::model::fetch::{FetchOptions, FetchProgress, Fetched, Origin, fetch};
use crate::render::printable;

/// Fetches what is missing of `model`.
pub(super) async fn pull(
    model: &Model,
    from: Option<String>,
    force: bool,
    quiet: bool,
) -> Result<Exit, Failure> {
    let variable = |name| {
        std::env::var(name)
            .ok()
            .filter(|text: &String| !text.is_empty())
    };
    let named = from.is_some();
    let origin = match from.or_else(|| variable("HF_ENDPOINT")) {
        None => Origin::Hub,
        Some(from) => from.parse().unwrap_or(Origin::Hub),
    };
    // A token goes to the hub alone, and never in the clear.
    let in_the_clear = matches!(&origin, Origin::Url(url) if url.starts_with("http://"));
    let token = variable("HF_TOKEN").filter(|_| !named && !in_the_clear);
    let options = FetchOptions {
        origin,
        token: token.map(Secret::new),
        force,
        ..FetchOptions::default()
    };
    let progress = PullProgress::new(quiet);
    let fetched = tokio::select! {
        fetched = fetch(model, &options, &progress) => fetched?,
        _ = tokio::signal::ctrl_c() => {
            tell("interrupted: run the same command again to go on where it stopped");
            return Ok(Exit::Interrupted);
        }
    };
    progress.clear();
    if !quiet {
        let here = |file: &&Fetched| matches!(file, Fetched::AlreadyThere { .. });
        let already = fetched.iter().filter(here).count();
        let name = &model.manifest.name;
        terminal::print(|out| {
            use std::io::Write as _;
            writeln!(
                out,
                "{name}: {} fetched, {already} here already",
                fetched.len() - already
            )
        })?;
    }
    Ok(Exit::Done)
}

/// A bar a file on a terminal, a line a file elsewhere.
struct PullProgress {
    quiet: bool,
    bar: Option<ProgressBar>,
}

impl PullProgress {
    fn new(quiet: bool) -> Self {
        let style = ProgressStyle::with_template(
            "{msg} {bar:32} {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}, {eta} left",
        )
        .expect("the template is a constant; this is a bug");
        let bar = (!quiet && is_watched()).then(|| ProgressBar::new(0).with_style(style));
        Self { quiet, bar }
    }

    fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl FetchProgress for PullProgress {
    fn start(&self, file: &str, total: Option<u64>, already: u64) {
        if let Some(bar) = &self.bar {
            bar.set_message(printable(file));
            bar.set_length(total.unwrap_or(0));
            bar.set_position(already);
        } else if !self.quiet {
            let total = total.map_or_else(|| "unknown size".to_owned(), |t| format!("{t} bytes"));
            tell(&format!("{}: {already} of {total}", printable(file)));
        }
    }

    fn advance(&self, bytes: u64) {
        if let Some(bar) = &self.bar {
            bar.inc(bytes);
        }
    }

    fn finish(&self, file: &str) {
        if self.bar.is_none() && !self.quiet {
            tell(&format!("{}: done", printable(file)));
        }
    }

    fn note(&self, message: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| tell(&printable(message))),
            None if self.quiet => {}
            None => tell(&printable(message)),
        }
    }
}
