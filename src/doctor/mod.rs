//! Use-case: is this copy of a model, on this machine, equal to its reference?
//!
//! A model's folder may hold a `reference.json`: what the reference
//! implementation makes of a few golden pictures and texts, after every stage.
//! [`examine`] sends the same pictures and texts through the program, compares
//! stage by stage, and so tells not only that vectors differ but where.
//!
//! A stage is judged on its own: the resize only on pictures that were decoded
//! alike, the graph only on tensors that are alike. What cannot be judged, for
//! want of a file or of a reference, is [`Verdict::Unknown`] and never passes for
//! equal.

mod measure;
mod pictures;
mod reference;
mod texts;

use std::path::PathBuf;

use serde::Serialize;

pub use reference::{REFERENCE_VERSION, Reference};

use crate::embed::{EmbedError, Runtime, TextTower, Tokeniser, VisionTower};
use crate::entity::Hint;
use crate::model::{Model, ModelError, Pooling, Source};

/// Least cosine to the reference's vector where both saw the same pixels or
/// tokens, unless the manifest sets another.
pub const LEAST_COSINE: f64 = 0.9999;

/// How far lengths of vectors may be apart, of 1, for the rounding of a graph.
const LENGTH_APART: f64 = 1e-3;

/// Why a model cannot be examined.
#[derive(Debug, thiserror::Error)]
pub enum DoctorError {
    /// The folder holds no reference.
    #[error("the model `{name}` has no reference: {} is missing", path.display())]
    NoReference {
        /// The model.
        name: String,
        /// Where it would lie.
        path: PathBuf,
    },
    /// The reference cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The reference is damaged.
    #[error("the reference {} is wrong: {what}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A file of the model is not the right one.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The model does not run.
    #[error(transparent)]
    Embed(#[from] EmbedError),
}

impl Hint for DoctorError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::NoReference { name, .. } => Some(format!(
                "make one with the reference package: `python models/export/reference.py {name}` (models/export/README.md)"
            )),
            Self::Malformed { .. } => Some(
                "restore it from the project's repository, or make it anew with models/export/reference.py".to_owned(),
            ),
            Self::Read { .. } => None,
            Self::Model(error) => error.hint(),
            Self::Embed(error) => error.hint(),
        }
    }
}

/// What became of one stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// As the reference: to the bit, or within what `detail` names.
    Equal,
    /// Not as the reference.
    Differs,
    /// Not judged.
    Unknown,
}

/// One stage of the way from a picture or a text to its vector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stage {
    /// `decode`, `resize`, `normalise`, `tokenise`, `graph`, `pooling`,
    /// `normalisation` or `batch`.
    pub name: &'static str,
    /// What went through it: `pictures` or `texts`.
    pub of: &'static str,
    /// How many of them were judged.
    pub judged: usize,
    /// What came out.
    pub verdict: Verdict,
    /// By how much, or why not.
    pub detail: String,
}

impl Stage {
    fn new(name: &'static str, of: &'static str, judged: usize, found: (Verdict, String)) -> Self {
        let (verdict, detail) = found;
        Self {
            name,
            of,
            judged,
            verdict,
            detail,
        }
    }

    fn unknown(name: &'static str, of: &'static str, why: impl Into<String>) -> Self {
        Self::new(name, of, 0, (Verdict::Unknown, why.into()))
    }
}

/// What the examination found, in the order of the stages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The model.
    pub model: String,
    /// What defines right.
    pub reference: String,
    /// Versions that made the reference.
    pub made_with: String,
    /// Every stage.
    pub stages: Vec<Stage>,
}

impl Report {
    /// [`Verdict::Differs`] if one stage does, else [`Verdict::Unknown`] if one
    /// is not judged, else [`Verdict::Equal`].
    pub fn verdict(&self) -> Verdict {
        let any = |verdict| self.stages.iter().any(|stage| stage.verdict == verdict);
        if any(Verdict::Differs) {
            Verdict::Differs
        } else if any(Verdict::Unknown) {
            Verdict::Unknown
        } else {
            Verdict::Equal
        }
    }
}

/// A tower, or why there is none.
type Tower<T> = Result<T, String>;

/// Compares `model` with the reference in its folder. `runtime` is asked for
/// only where the model has a graph and its files are here.
///
/// # Errors
/// There is no reference, or it is damaged; a file is not the one that the
/// manifest names; the model does not run.
pub fn examine(
    model: &Model,
    runtime: impl FnOnce() -> Result<Runtime, EmbedError>,
) -> Result<Report, DoctorError> {
    let reference = Reference::open(model)?;
    let manifest = &model.manifest;
    let here = match model.verify() {
        Ok(_) => Ok(()),
        Err(ModelError::Missing { source_kind, .. }) => Err(match source_kind {
            Source::Hub { .. } => format!("not here: `models pull {}`", manifest.name),
            Source::Built { command } => format!("not here: `{command}`"),
            Source::Shipped => "not here: restore it from the repository".to_owned(),
        }),
        Err(error) => return Err(error.into()),
    };
    let needs_runtime = manifest.vision.onnx.is_some() || manifest.knows_text();
    let runtime = match &here {
        Ok(()) if needs_runtime => Some(runtime()?),
        _ => None,
    };
    let vision = match &here {
        Err(why) => Err(why.clone()),
        Ok(()) => Ok(VisionTower::open(model, runtime.as_ref(), 1)?),
    };
    let mut stages = pictures::examine(model, vision, &reference)?;
    blame_pooling(&mut stages, model, |model| {
        let tower = VisionTower::open(model, runtime.as_ref(), 1)?;
        pictures::examine(model, Ok(tower), &reference)
    })?;
    if let Some(text) = &manifest.text {
        let tower = match (&here, &runtime) {
            (Ok(()), Some(runtime)) => Ok(TextTower::open(model, runtime, 1)?),
            (Ok(()), None) => Err("no runtime".to_owned()),
            (Err(why), _) => Err(why.clone()),
        };
        let tokeniser = if model.path_of(&text.tokenizer).is_file() {
            Some(Tokeniser::open(model)?)
        } else {
            None
        };
        let mut of_texts = texts::examine(model, tower, tokeniser.as_ref(), &reference)?;
        if let Some(runtime) = &runtime {
            blame_pooling(&mut of_texts, model, |model| {
                let tower = TextTower::open(model, runtime, 1)?;
                texts::examine(model, Ok(tower), tokeniser.as_ref(), &reference)
            })?;
        }
        stages.extend(of_texts);
    }
    Ok(Report {
        model: manifest.name.clone(),
        reference: reference.reference,
        made_with: reference.made_with,
        stages,
    })
}

/// Where the graph's vectors differ, tries the other poolings: one that makes
/// them equal shows that the manifest names the wrong one.
fn blame_pooling(
    stages: &mut [Stage],
    model: &Model,
    examine: impl Fn(&Model) -> Result<Vec<Stage>, DoctorError>,
) -> Result<(), DoctorError> {
    let differs = |stage: &&mut Stage| stage.name == "graph" && stage.verdict == Verdict::Differs;
    let Some(graph) = stages.iter_mut().find(differs) else {
        return Ok(());
    };
    for pooling in [
        Pooling::None,
        Pooling::Cls,
        Pooling::Mean,
        Pooling::GlobalAverage,
    ] {
        let mut other = model.clone();
        let manifest = &mut other.manifest;
        match (graph.of, &mut manifest.vision.onnx, &mut manifest.text) {
            ("pictures", Some(onnx), _) => onnx.pooling = pooling,
            ("texts", _, Some(text)) => text.onnx.pooling = pooling,
            _ => return Ok(()),
        }
        // A pooling that the output has no room for is none to try.
        let tried = match examine(&other) {
            Err(DoctorError::Embed(_)) => continue,
            tried => tried?,
        };
        let agrees = |stage: &Stage| stage.name == "graph" && stage.verdict == Verdict::Equal;
        if tried.iter().any(agrees) {
            graph.name = "pooling";
            let word = serde_json::to_string(&pooling).unwrap_or_default();
            graph.detail = format!("{}; with `pooling = {word}` they are equal", graph.detail);
            return Ok(());
        }
    }
    Ok(())
}

/// The stage after the pooling, judged by the lengths of the program's and the
/// reference's vectors, where both saw the same.
fn normalisation(of: &'static str, norms: &[(f64, f64, bool)]) -> Stage {
    let judged: Vec<f64> = norms
        .iter()
        .filter(|(.., same)| *same)
        .map(|(ours, reference, _)| (ours / reference - 1.0).abs())
        .collect();
    let worst = judged.iter().copied().fold(0.0, f64::max);
    let found = if judged.is_empty() {
        (
            Verdict::Unknown,
            "the reference holds no vectors".to_owned(),
        )
    } else if worst <= LENGTH_APART {
        (Verdict::Equal, format!("lengths equal within {worst:.0e}"))
    } else {
        let advice = "compare `normalise` with the reference";
        (
            Verdict::Differs,
            format!("lengths {worst:.2} apart: {advice}"),
        )
    };
    Stage::new("normalisation", of, judged.len(), found)
}

/// Least cosine that `model` may have to its reference.
fn least_cosine(model: &Model) -> f64 {
    let proof = model.manifest.proof.as_ref();
    proof
        .and_then(|proof| proof.least_cosine)
        .unwrap_or(LEAST_COSINE)
}

/// The stage between the graph's input and its pooled output, from cosines and
/// distances to the reference's.
fn graph(of: &'static str, model: &Model, found: &[(f64, f64)], least: f64) -> Stage {
    let worst = found.iter().map(|(cosine, _)| *cosine).fold(1.0, f64::min);
    let apart = found.iter().map(|(_, apart)| *apart).fold(0.0, f64::max);
    let verdict = if found.is_empty() {
        let name = model.manifest.base_name();
        let how = format!("`python models/export/reference.py {name}` makes them");
        (
            Verdict::Unknown,
            format!("the reference holds no vectors for these weights; {how}"),
        )
    } else if worst >= least {
        (
            Verdict::Equal,
            format!("cosine {worst:.6} or more, at most {apart:.0e} apart"),
        )
    } else {
        let advice = "compare output and pooling with the reference";
        (
            Verdict::Differs,
            format!("cosine {worst:.6}, {apart:.2} apart: {advice}"),
        )
    };
    Stage::new("graph", of, found.len(), verdict)
}
