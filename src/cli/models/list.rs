//! `models list`: what there is.

use serde::Serialize;

use super::Form;
use crate::cli::failure::{Exit, Failure};
use crate::cli::terminal;
use crate::model::{FileState, Model, ModelDirs, ModelError, ProvenWith, Source};
use crate::render::{Align, Table};

/// One line of the list.
#[derive(Debug, Serialize)]
struct Listed {
    name: String,
    kind: &'static str,
    dimension: usize,
    text: bool,
    files: &'static str,
    reference: Option<String>,
    proof: &'static str,
    title: String,
}

/// Lists the models and their variants.
pub(super) fn list(dirs: &ModelDirs, format: Form) -> Result<Exit, Failure> {
    let mut models = Vec::new();
    let mut broken = 0;
    let mut note = |model: Result<Model, ModelError>| match model {
        Ok(model) => models.push(describe(&model)),
        Err(error) => {
            terminal::complain(&error.into());
            broken += 1;
        }
    };
    for (_, model) in dirs.list() {
        let variants = model.as_ref().map(Model::variants).unwrap_or_default();
        note(model);
        variants.into_iter().for_each(&mut note);
    }
    terminal::print(|out| match format {
        Form::Json => {
            let document = serde_json::json!({ "version": 1, "models": models });
            serde_json::to_writer(&mut *out, &document)?;
            std::io::Write::write_all(out, b"\n")
        }
        Form::Table => {
            let mut table = Table::new(&[
                ("name", Align::Left),
                ("kind", Align::Left),
                ("dimension", Align::Right),
                ("text", Align::Left),
                ("files", Align::Left),
                ("vectors", Align::Left),
                ("what", Align::Left),
            ]);
            for model in &models {
                table.row([
                    model.name.clone(),
                    model.kind.to_owned(),
                    model.dimension.to_string(),
                    if model.text { "yes" } else { "no" }.to_owned(),
                    model.files.to_owned(),
                    model.proof.to_owned(),
                    model.title.clone(),
                ]);
            }
            table.write(out)
        }
    })?;
    Ok(if broken == 0 {
        Exit::Done
    } else {
        Exit::Incomplete
    })
}

fn describe(model: &Model) -> Listed {
    let manifest = &model.manifest;
    let files = match (model.state(), &manifest.source) {
        _ if manifest.files.is_empty() => "none needed",
        (FileState::Present, _) => "present",
        (FileState::Partial, _) => "some missing",
        (FileState::Missing, Source::Built { .. }) => "to be built",
        (FileState::Missing, _) => "missing",
    };
    let proof = manifest.proof.as_ref();
    Listed {
        name: manifest.name.clone(),
        kind: manifest.kind(),
        dimension: manifest.dimension,
        text: manifest.knows_text(),
        files,
        reference: proof.map(|proof| proof.reference.clone()),
        proof: match proof.map(|proof| proof.weights) {
            Some(ProvenWith::Trained) => "equal",
            Some(ProvenWith::MadeUp) => "equal, made-up weights",
            Some(ProvenWith::None) | None => "not compared",
        },
        title: manifest.title.clone(),
    }
}
