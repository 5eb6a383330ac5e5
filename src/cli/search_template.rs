//! `--template`: sentences around words.

use std::str::FromStr;

use anyhow::anyhow;

use super::failure::Failure;
use crate::model::Model;
use crate::search::PLACEHOLDER;

/// What stands for the sentence in a model's manifest.
const OWN: &str = "model";

/// A sentence around each text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Template {
    /// The one that the model was trained with.
    Own,
    /// One with `{}` in the place of the text.
    Sentence(String),
}

impl FromStr for Template {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            OWN => Ok(Self::Own),
            text if text.contains(PLACEHOLDER) => Ok(Self::Sentence(text.to_owned())),
            _ => Err(format!(
                "it has no {PLACEHOLDER}: put {PLACEHOLDER} where the words go, as in 'a photo of a {PLACEHOLDER}', or write {OWN} for the model's own"
            )),
        }
    }
}

/// The sentences for that model. A model without a text side needs none: it is
/// asked no words.
///
/// # Errors
/// Its own is asked for, and its manifest has none.
pub(super) fn sentences(templates: &[Template], model: &Model) -> Result<Vec<String>, Failure> {
    let Some(text) = &model.manifest.text else {
        return Ok(Vec::new());
    };
    let sentence = |template: &Template| match (template, &text.template) {
        (Template::Sentence(sentence), _) | (Template::Own, Some(sentence)) => Ok(sentence.clone()),
        (Template::Own, None) => Err(Failure::usage(
            anyhow!(
                "the model {} has no template of its own",
                model.manifest.name
            ),
            "write the sentence: --template 'a photo of a {}'; or put it as text.template into its model.toml",
        )),
    };
    templates.iter().map(sentence).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn of(model: &str, templates: &[&str]) -> Result<Vec<String>, String> {
        let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
        let model = Model::open(&models.join(model)).unwrap();
        let templates: Vec<Template> = templates.iter().map(|t| t.parse().unwrap()).collect();
        sentences(&templates, &model).map_err(|failure| failure.to_text())
    }

    #[test]
    fn the_models_own_stands_where_it_is_asked_for() {
        let given = ["{}, a film still", "model"];
        let clip = of("clip-vit-b-32", &given).unwrap();
        assert_eq!(clip, ["{}, a film still", "a photo of a {}"]);
        let siglip = of("siglip-b-16", &given).unwrap();
        assert_eq!(siglip[1], "This is a photo of {}.");
        assert!(of("clip-vit-b-32", &[]).unwrap().is_empty());
        // No words reach a model without a text side.
        assert!(of("pixels", &given).unwrap().is_empty());
        let none = of("lit-b0", &given).unwrap_err();
        assert!(none.contains("lit-b0 has no template"), "{none}");
        assert_eq!(of("lit-b0", &given[..1]).unwrap(), given[..1]);
    }
}
