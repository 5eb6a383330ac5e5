//! Words ranked for a picture or a text: zero-shot labels.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, anyhow};

use super::failure::{Exit, Failure};
use super::search::{SearchArgs, warn_of_cut_texts};
use super::search_output as output;
use super::search_question::{self as parts, PartArg};
use super::search_template::{Template, sentences};
use crate::embed::{EmbedError, Runtime};
use crate::render::{LabelView, LabelsView};
use crate::search::{Embedder, rank_labels};

/// Model that ranks where none is named, as `ingest` has it.
const DEFAULT_MODEL: &str = "clip-vit-b-32";

pub(super) async fn run(args: SearchArgs) -> Result<Exit, Failure> {
    let path = args.labels.clone().unwrap_or_default();
    let question = parts::question(&args.parts.parts).await?;
    let labels = read(&path)?;
    let file = args.places.file()?;
    let named = args.model.clone().or_else(|| file.model.clone());
    let name = named.unwrap_or_else(|| DEFAULT_MODEL.to_owned());
    let model = args.places.model_dirs(&file).open(&name)?;
    let Some(text) = &model.manifest.text else {
        let model = model.manifest.name.clone();
        return Err(EmbedError::NoText { model }.into());
    };
    let templates = match (&args.template[..], &text.template) {
        ([], Some(_)) => sentences(&[Template::Own], &model)?,
        (given, _) => sentences(given, &model)?,
    };
    model.verify()?;
    let runtime = Arc::new(Runtime::load()?);
    let ranked = tokio::task::block_in_place(|| {
        // The question's own words stay as they are.
        let mut embedder = Embedder::new(model, Some(runtime), Vec::new());
        rank_labels(&mut embedder, &labels, &templates, &question)
    })?;
    let (ranked, truncated) = ranked;
    warn_of_cut_texts(&args, truncated);
    let limit = args.limit();
    let views: Vec<LabelView> = ranked
        .into_iter()
        .zip(1..)
        .take(limit)
        .map(|(label, rank)| LabelView {
            rank,
            score: label.score,
            probability: label.probability,
            label: label.label,
        })
        .collect();
    let view = LabelsView {
        query: &args
            .parts
            .parts
            .iter()
            .map(PartArg::view)
            .collect::<Vec<_>>(),
        model: &name,
        labels: &views,
    };
    output::show_labels(&view, &args.output)?;
    Ok(Exit::Done)
}

/// One label a line; blank lines and repeated labels do not count.
fn read(path: &Path) -> Result<Vec<String>, Failure> {
    let text = if path == Path::new("-") {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(path)
    };
    let text = text
        .with_context(|| format!("cannot read the labels in {}", path.display()))
        .map_err(|error| Failure::new(error, "give a text file in UTF-8, one label a line"))?;
    let mut seen = std::collections::HashSet::new();
    let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
    let labels = lines.filter(|line| !line.is_empty() && seen.insert(line.to_owned()));
    let labels: Vec<String> = labels.map(str::to_owned).collect();
    if labels.is_empty() {
        return Err(Failure::new(
            anyhow!("there are no labels in {}", path.display()),
            "write one label a line",
        ));
    }
    Ok(labels)
}
