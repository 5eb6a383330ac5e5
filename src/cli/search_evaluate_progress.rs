//! How far an evaluation is, on a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::terminal::is_watched;

/// A bar, or nothing where nobody watches.
#[derive(Debug)]
pub(super) struct Progress(Option<ProgressBar>);

impl Progress {
    /// Of a known number of queries.
    pub(super) fn new(quiet: bool, what: &'static str, queries: usize) -> Self {
        let template = "{msg} {bar:32} {human_pos} of {human_len}, {eta} left";
        Self::styled(quiet, what, (template, queries))
    }

    /// Of something whose end is not known.
    pub(super) fn spin(quiet: bool, what: &'static str) -> Self {
        Self::styled(quiet, what, ("{msg}, {elapsed}", 0))
    }

    fn styled(quiet: bool, what: &'static str, (template, length): (&str, usize)) -> Self {
        Self((!quiet && is_watched()).then(|| {
            let style = ProgressStyle::with_template(template)
                .expect("the template is a constant; this is a bug");
            let bar = ProgressBar::new(length as u64)
                .with_style(style)
                .with_message(what);
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        }))
    }

    /// So many more are done.
    pub(super) fn advance(&self, queries: usize) {
        if let Some(bar) = &self.0 {
            bar.inc(queries as u64);
        }
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
