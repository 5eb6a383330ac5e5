//! The manifest of a model: `models/NAME/model.toml`.
//!
//! Everything that makes one model differ from another stands in this file and
//! nowhere in the code: graph inputs and outputs, resize rule, crop, scaling,
//! channel order, pooling, tokeniser. An unknown key is an error, because a
//! misspelt `mean` would otherwise give vectors that look right and are not.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::towers::{Text, Vision};
use super::{ManifestProblem, variant};

/// Manifest format that this build reads.
pub const MANIFEST_VERSION: u32 = 1;

/// A model, as its `model.toml` describes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Format of the file; [`MANIFEST_VERSION`].
    pub version: u32,
    /// Name that `--model` takes; equals the folder's name.
    pub name: String,
    /// One line that says what the model is.
    pub title: String,
    /// SPDX expression, or the licence's name.
    pub licence: String,
    /// Numbers in one embedding.
    pub dimension: usize,
    /// What is done to the pooled vector before it is stored.
    pub normalise: Normalise,
    /// Where missing files come from.
    pub source: Source,
    /// Every file that a run of the model needs.
    #[serde(default)]
    pub files: Vec<ModelFile>,
    /// Image side.
    pub vision: Vision,
    /// Text side; absent for models that only know images.
    pub text: Option<Text>,
    /// What the model's vectors were compared with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
    /// Other forms of the model, by name: the keys that differ.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variants: BTreeMap<String, toml::Table>,
}

/// What says that the model's vectors are right.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// Package, version and classes that define what is right.
    pub reference: String,
    /// Weights with which the project compared its vectors with them.
    pub weights: ProvenWith,
    /// Least cosine that `models doctor` accepts between this model's vectors
    /// and the reference's; a quantised model sets it below its default.
    pub least_cosine: Option<f64>,
}

/// Weights of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProvenWith {
    /// The model's own: vectors are equal to the reference's.
    Trained,
    /// Made-up ones in the same architecture: every step is equal, the
    /// published file itself was not at hand.
    MadeUp,
    /// Not compared.
    None,
}

/// Where a model's files come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Source {
    /// The files lie in the model's folder, or the model has none.
    Shipped,
    /// A model hub: `{base}/{repository}/resolve/{revision}/{remote}`.
    Hub {
        /// Repository on the hub, `owner/name`.
        repository: String,
        /// Commit that the hashes belong to.
        revision: String,
    },
    /// Built on the user's machine by the named command.
    Built {
        /// What to run, from the project's root.
        command: String,
    },
}

/// One file of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelFile {
    /// Path inside the model's folder.
    pub path: String,
    /// Path inside the hub's repository, where it differs from `path`.
    pub remote: Option<String>,
    /// Repository on the hub, where it is not the model's.
    pub repository: Option<String>,
    /// Commit in that repository.
    pub revision: Option<String>,
    /// Size in bytes.
    pub bytes: Option<u64>,
    /// SHA-256 as 64 lower-case hexadecimal digits; absent means unverified.
    pub sha256: Option<String>,
}

impl ModelFile {
    /// Repository and commit on the hub, where `source` is one.
    pub fn on_hub<'a>(&'a self, source: &'a Source) -> Option<(&'a str, &'a str)> {
        let Source::Hub {
            repository,
            revision,
        } = source
        else {
            return None;
        };
        Some(match &self.repository {
            Some(other) => (other, self.revision.as_deref().unwrap_or("main")),
            None => (repository, revision),
        })
    }

    /// Path of the file inside the hub's repository.
    pub fn remote_path(&self) -> &str {
        self.remote.as_deref().unwrap_or(&self.path)
    }
}

/// What is done to a pooled vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Normalise {
    /// Divided by its Euclidean length.
    L2,
    /// Stored as it comes.
    None,
}

impl Manifest {
    /// Parses and checks the text of a `model.toml`, its variants too.
    ///
    /// # Errors
    /// The first thing that is wrong: syntax or an unknown key with its line,
    /// or the field and what is wrong with its value.
    pub fn parse(text: &str) -> Result<Self, ManifestProblem> {
        super::questions::refuse_open(text)?;
        let manifest: Self = toml::from_str(text).map_err(ManifestProblem::Syntax)?;
        manifest.check()?;
        for name in manifest.variants.keys() {
            manifest.variant(text, name)?;
        }
        Ok(manifest)
    }

    /// The variant called `name` of the manifest that `text` is. Its name is
    /// `MODEL:VARIANT`.
    ///
    /// # Errors
    /// There is no such variant, or it is wrong.
    pub fn variant(&self, text: &str, name: &str) -> Result<Self, ManifestProblem> {
        let manifest = variant::resolve(text, name).and_then(|mut manifest: Self| {
            manifest.check()?;
            manifest.name = format!("{}:{name}", self.name);
            Ok(manifest)
        });
        manifest.map_err(|source| ManifestProblem::Variant {
            name: name.to_owned(),
            source: Box::new(source),
        })
    }

    /// Name of the model without its variant: the name of its folder.
    pub fn base_name(&self) -> &str {
        self.name.split(':').next().unwrap_or(&self.name)
    }

    /// Whether the model embeds text.
    pub fn knows_text(&self) -> bool {
        self.text.is_some()
    }

    /// What the model embeds, in words.
    pub fn kind(&self) -> &'static str {
        if self.knows_text() {
            "text-image"
        } else {
            "image"
        }
    }
}
