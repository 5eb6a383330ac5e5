//! This side: the model's files and graphs, ONNX Runtime, memory, the file of
//! rejects.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::path::Path;

use super::collection::Looked;
use super::finding::{Findings, amount, megabytes};
use super::{Check, Memory};
use crate::embed::{Runtime, TextTower, VisionTower};
use crate::model::Model;
use crate::store::ModelMark;

/// A model whose manifest is right.
pub(super) struct Examined {
    pub(super) model: Model,
    /// `None` where its files are not right.
    pub(super) mark: Option<ModelMark>,
}

/// Finds the model, hashes its files, and opens its graphs.
pub(super) fn model(findings: &mut Findings, check: &Check, looked: &Looked) -> Option<Examined> {
    let filled_by = looked.shape().and_then(|shape| shape.mark.as_ref());
    let name = match (&check.model, filled_by, looked) {
        (Some(given), _, _) => given.as_str(),
        (None, Some(mark), _) => mark.model.as_str(),
        (None, None, Looked::Unknown) => {
            findings.warning(
                "model",
                format!(
                    "none is named, and the collection cannot be asked for its own: `{}` is looked at",
                    check.default_model
                ),
                "name one with --model",
            );
            check.default_model
        }
        (None, None, _) => check.default_model,
    };
    let model = match check.dirs.open(name) {
        Ok(model) => model,
        Err(error) => {
            findings.fault("model", &error);
            return None;
        }
    };
    let mark = files(findings, &model);
    let manifest = &model.manifest;
    let runtime = if manifest.vision.onnx.is_some() || manifest.knows_text() {
        runtime(findings)
    } else {
        findings.ok(
            "runtime",
            "ONNX Runtime is not needed: the model has no graph",
        );
        None
    };
    // What is not there is said already, and what differs is not to be trusted.
    if mark.is_some() && (runtime.is_some() || manifest.vision.onnx.is_none()) {
        graphs(findings, &model, runtime.as_ref());
    }
    Some(Examined { model, mark })
}

fn files(findings: &mut Findings, model: &Model) -> Option<ModelMark> {
    let name = &model.manifest.name;
    match model.verify() {
        Ok(fingerprint) => {
            let files = match model.manifest.files.len() {
                0 => "no files",
                1 => "1 file as the manifest names it",
                files => &format!("{files} files as the manifest names them"),
            };
            let found = format!("{name}: {files}, fingerprint {fingerprint}");
            findings.ok("model", found);
            Some(ModelMark {
                model: name.clone(),
                fingerprint: fingerprint.to_string(),
            })
        }
        Err(error) => {
            findings.fault("model", &error);
            None
        }
    }
}

fn runtime(findings: &mut Findings) -> Option<Runtime> {
    match Runtime::load() {
        Ok(runtime) => {
            let version = runtime.version().unwrap_or_default();
            let found = format!("ONNX Runtime {version} at {}", runtime.path().display());
            findings.ok("runtime", found.replace("  ", " "));
            Some(runtime)
        }
        Err(error) => {
            findings.fault("runtime", &error);
            None
        }
    }
}

fn graphs(findings: &mut Findings, model: &Model, runtime: Option<&Runtime>) {
    let dimension = model.manifest.dimension;
    if let Err(error) = VisionTower::open(model, runtime, 1) {
        findings.fault("graph", &error);
        return;
    }
    let words = match runtime {
        Some(runtime) if model.manifest.knows_text() => {
            if let Err(error) = TextTower::open(model, runtime, 1) {
                findings.fault("graph", &error);
                return;
            }
            "pictures and texts"
        }
        _ => "pictures",
    };
    findings.ok(
        "graph",
        format!("opens for {words}, {dimension}-d as the manifest says"),
    );
}

/// Whether the workers fit.
pub(super) fn memory(findings: &mut Findings, memory: Memory) {
    let needed = format!(
        "{} take{} about {}",
        amount(memory.workers as u64, "worker"),
        if memory.workers == 1 { "s" } else { "" },
        megabytes(memory.needed)
    );
    match memory.free {
        None => findings.ok(
            "memory",
            format!("{needed}; the system does not say what is free"),
        ),
        Some(free) if free < memory.needed => findings.warning(
            "memory",
            format!("{needed}, and {} are free", megabytes(free)),
            "run fewer --workers, take a smaller model, or end other programs",
        ),
        Some(free) => findings.ok(
            "memory",
            format!("{needed}, and {} are free", megabytes(free)),
        ),
    }
}

/// Whether the file of rejects can be written.
pub(super) fn rejects(findings: &mut Findings, path: &Path) {
    match writable(path) {
        Ok(()) => findings.ok("rejects", format!("{} can be written", path.display())),
        Err(error) => findings.error(
            "rejects",
            format!("cannot write {}: {error}", path.display()),
            "create the folder, or name another file with --rejects",
        ),
    }
}

/// Whether writers to a Milvus Lite can take turns, which they do by a file.
pub(super) fn turns(findings: &mut Findings) {
    let folder = std::env::temp_dir();
    let path = folder.join(format!("milvus-image-search-{}.check", std::process::id()));
    if let Err(error) = writable(&path) {
        findings.warning(
            "turns",
            format!(
                "cannot write in {}: {error}; two runs at once would not wait for each other, and Milvus Lite loses rows then",
                folder.display()
            ),
            "set TMPDIR to a folder that can be written, or run one ingest at a time",
        );
    }
}

/// Whether a file can be written; one that is there keeps what it holds, one
/// that is not is gone again.
fn writable(path: &Path) -> std::io::Result<()> {
    match File::create_new(path) {
        Ok(_) => std::fs::remove_file(path),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            OpenOptions::new().append(true).open(path).map(drop)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::check::Level;

    fn level(act: impl FnOnce(&mut Findings)) -> Level {
        let mut findings = Findings::default();
        act(&mut findings);
        findings.list[0].level
    }

    #[test]
    fn rejects_are_tried_without_a_trace() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rejects.jsonl");
        assert_eq!(level(|f| rejects(f, &path)), Level::Ok);
        assert!(!path.exists());
        std::fs::write(&path, "old").unwrap();
        assert_eq!(level(|f| rejects(f, &path)), Level::Ok);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
        let nowhere = dir.path().join("no/rejects.jsonl");
        assert_eq!(level(|f| rejects(f, &nowhere)), Level::Error);
        assert_eq!(level(|f| rejects(f, dir.path())), Level::Error);
    }

    #[test]
    fn too_little_memory_is_a_warning() {
        let of = |free| Memory {
            workers: 2,
            needed: 1000,
            free,
        };
        assert_eq!(level(|f| memory(f, of(Some(999)))), Level::Warning);
        assert_eq!(level(|f| memory(f, of(Some(1000)))), Level::Ok);
        assert_eq!(level(|f| memory(f, of(None))), Level::Ok);
    }
}
