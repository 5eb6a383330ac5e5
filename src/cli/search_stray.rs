//! Words of a command line that belong to no flag.

use std::path::Path;

use anyhow::anyhow;

use super::failure::Failure;
use super::search_output::OutputArgs;
use super::search_question::PartsArgs;
use crate::catalog::AskedKind;

/// Words that stand alone: told of, never guessed at.
#[derive(Debug, clap::Args)]
pub(super) struct StrayArgs {
    #[arg(hide = true, value_name = "WORDS")]
    words: Vec<String>,
}

impl StrayArgs {
    /// Forgotten quotes, a flag that takes `=`, or a command line as others have
    /// it.
    pub(super) fn check(&self, parts: &PartsArgs, output: &OutputArgs) -> Result<(), Failure> {
        let [first, ..] = &self.words[..] else {
            return Ok(());
        };
        let all = self.words.join(" ");
        let hint = if output.is_way(first) {
            format!("write it behind the sign: --thumbnails={first}")
        } else if Path::new(first).exists() {
            format!("a picture goes behind --image: search --image {first:?}")
        } else {
            let before = parts.parts.last();
            let before = before.filter(|part| part.kind == AskedKind::Text);
            let words = before.map_or_else(|| all.clone(), |part| format!("{} {all}", part.value));
            format!("words go behind --text, in quotes: search --text {words:?}")
        };
        Err(Failure::usage(anyhow!("{all:?} belongs to no flag"), &hint))
    }
}
