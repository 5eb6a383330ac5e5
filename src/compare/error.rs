//! What ends a comparison.

use crate::embed::EmbedError;
use crate::entity::Hint;

/// A comparison that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// A model.
    #[error(transparent)]
    Embed(#[from] EmbedError),
    /// Texts were given, and one of the models reads none.
    #[error("the model `{model}` does not understand text")]
    NoText {
        /// The model.
        model: String,
    },
    /// Somebody asked it to stop.
    #[error("interrupted")]
    Interrupted,
    /// Too few pictures for neighbours.
    #[error("too few pictures: {found} found, {usable} can be compared, two are needed")]
    TooFew {
        /// Pictures in the sample.
        found: usize,
        /// Those that both models embedded.
        usable: usize,
    },
}

impl Hint for CompareError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Embed(error) => error.hint(),
            Self::Interrupted => None,
            Self::NoText { .. } => Some(
                "leave --text and --texts out, or compare models that know text (`models list` shows which do)".to_owned(),
            ),
            Self::TooFew { .. } => Some(
                "name a folder with at least two JPEG, PNG, WebP, GIF, BMP or TIFF pictures".to_owned(),
            ),
        }
    }
}
