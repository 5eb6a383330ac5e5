//! What a manifest may say, beyond its syntax.

use std::path::{Component, Path};

use super::ManifestProblem;
use super::manifest::{MANIFEST_VERSION, Manifest, Source};
use super::towers::{Pooling, Resize};

/// Largest dimension that Milvus stores in a float vector field.
/// <https://milvus.io/docs/limitations.md>
pub const MAX_DIMENSION: usize = 32_768;

impl Manifest {
    /// Refuses values that cannot be, by the name of their field.
    pub(super) fn check(&self) -> Result<(), ManifestProblem> {
        if self.version != MANIFEST_VERSION {
            return Err(ManifestProblem::Version {
                found: self.version,
                expected: MANIFEST_VERSION,
            });
        }
        require(
            (1..=MAX_DIMENSION).contains(&self.dimension),
            "dimension",
            "must be between 1 and 32768",
        )?;
        self.check_names()?;
        self.check_files()?;
        self.check_vision()?;
        self.check_text()?;
        let least = self.proof.as_ref().and_then(|proof| proof.least_cosine);
        require(
            least.is_none_or(|least| (-1.0..=1.0).contains(&least)),
            "proof.least_cosine",
            "must be between -1 and 1",
        )
    }

    fn check_names(&self) -> Result<(), ManifestProblem> {
        let expected = "must be letters, digits, `-`, `_` and `.`, and not start with a dot";
        require(is_name(&self.name), "name", expected)?;
        let mut variants = self.variants.keys();
        require(variants.all(|name| is_name(name)), "variants", expected)
    }

    fn check_files(&self) -> Result<(), ManifestProblem> {
        for file in &self.files {
            let inside = "must be a relative path without `..`";
            require(is_inside(&file.path), "files.path", inside)?;
            require(is_inside(file.remote_path()), "files.remote", inside)?;
            require(
                file.repository.is_none() || matches!(self.source, Source::Hub { .. }),
                "files.repository",
                "needs a [source] of kind `hub`",
            )?;
            require(
                file.revision.is_none() || file.repository.is_some(),
                "files.revision",
                "needs a repository",
            )?;
            if let Some(sha256) = &file.sha256 {
                let hex = sha256.len() == 64
                    && sha256
                        .bytes()
                        .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
                require(hex, "files.sha256", "must be 64 lower-case hex digits")?;
            }
        }
        Ok(())
    }

    fn check_vision(&self) -> Result<(), ManifestProblem> {
        let vision = &self.vision;
        require(
            (1..=4096).contains(&vision.width) && (1..=4096).contains(&vision.height),
            "vision.width, vision.height",
            "must be between 1 and 4096",
        )?;
        if let Resize::ShortestEdge { edge, .. } = vision.resize {
            require(
                (vision.width.max(vision.height)..=8192).contains(&edge),
                "vision.resize.edge",
                "must be at least as long as the crop's longer side, and at most 8192",
            )?;
        }
        let finite = |values: &[f32; 3]| values.iter().all(|v| v.is_finite());
        require(
            vision.divide_by.is_finite() && vision.divide_by > 0.0,
            "vision.divide_by",
            "must be above 0",
        )?;
        require(finite(&vision.mean), "vision.mean", "must be finite")?;
        require(
            finite(&vision.std) && vision.std.iter().all(|v| *v > 0.0),
            "vision.std",
            "must be above 0",
        )?;
        if let Some(graph) = &vision.onnx {
            require(
                graph.batch != Some(0),
                "vision.onnx.batch",
                "must be above 0",
            )?;
            if let Some(dense) = &vision.dense {
                self.check_listed("vision.dense.file", &dense.file)?;
            }
            return self.check_listed("vision.onnx.file", &graph.file);
        }
        require(
            vision.dense.is_none(),
            "vision.dense",
            "needs a [vision.onnx]",
        )?;
        require(
            self.dimension == vision.width as usize * vision.height as usize * 3,
            "dimension",
            "must be width x height x 3 where there is no [vision.onnx]",
        )
    }

    fn check_text(&self) -> Result<(), ManifestProblem> {
        let Some(text) = &self.text else {
            return Ok(());
        };
        require(
            (2..=8192).contains(&text.context_length),
            "text.context_length",
            "must be between 2 and 8192",
        )?;
        require(
            text.onnx.pooling != Pooling::GlobalAverage,
            "text.onnx.pooling",
            "must be `none`, `cls` or `mean`",
        )?;
        require(
            text.onnx.batch != Some(0),
            "text.onnx.batch",
            "must be above 0",
        )?;
        require(
            text.template.as_ref().is_none_or(|t| t.contains("{}")),
            "text.template",
            "must hold {} where the label goes",
        )?;
        require(
            text.logit_scale.is_none_or(|s| s.is_finite() && s > 0.0),
            "text.logit_scale",
            "must be above 0",
        )?;
        if let Some(dense) = &text.dense {
            self.check_listed("text.dense.file", &dense.file)?;
        }
        self.check_listed("text.tokenizer", &text.tokenizer)?;
        self.check_listed("text.onnx.file", &text.onnx.file)
    }

    fn check_listed(&self, field: &'static str, path: &str) -> Result<(), ManifestProblem> {
        if self.files.iter().any(|file| file.path == path) {
            return Ok(());
        }
        Err(ManifestProblem::NotListed {
            field,
            path: path.to_owned(),
        })
    }
}

/// Whether a model or a variant can be called that: letters, digits, `-`, `_`
/// and `.`, and no dot in front.
pub fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !name.is_empty() && !name.starts_with('.') && name.chars().all(allowed)
}

fn require(
    holds: bool,
    field: &'static str,
    expected: &'static str,
) -> Result<(), ManifestProblem> {
    if holds {
        Ok(())
    } else {
        Err(ManifestProblem::Value { field, expected })
    }
}

fn is_inside(path: &str) -> bool {
    !path.is_empty()
        && Path::new(path)
            .components()
            .all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIXELS: &str = include_str!("../../models/pixels/model.toml");

    fn problem(from: &str, to: &str) -> String {
        assert!(PIXELS.contains(from), "the fixture holds {from:?}");
        Manifest::parse(&PIXELS.replace(from, to))
            .expect_err("refused")
            .to_string()
    }

    #[test]
    fn parses_the_shipped_manifest_without_onnx() {
        let manifest = Manifest::parse(PIXELS).unwrap();
        assert_eq!(manifest.dimension, 80 * 60 * 3);
        assert_eq!(manifest.vision.onnx, None);
        assert_eq!(manifest.kind(), "image");
    }

    #[test]
    fn refuses_an_unknown_key_by_name_and_line() {
        let said = problem("divide_by", "devide_by");
        assert!(said.contains("devide_by"), "{said}");
        assert!(said.contains("line"), "{said}");
    }

    #[test]
    fn refuses_values_that_cannot_be() {
        for (from, to, field) in [
            ("dimension = 14400", "dimension = 14401", "dimension"),
            ("dimension = 14400", "dimension = 0", "dimension"),
            ("version = 1", "version = 2", "version"),
            ("divide_by = 255.0", "divide_by = 0.0", "vision.divide_by"),
            ("std = [1.0,", "std = [0.0,", "vision.std"),
            ("name = \"pixels\"", "name = \"../pixels\"", "name"),
        ] {
            let said = problem(from, to);
            assert!(said.contains(field), "{to}: {said}");
        }
    }

    #[test]
    fn refuses_files_outside_the_folder_and_unlisted_graphs() {
        let file = "[[files]]\npath = \"../secret\"\n\n[vision]";
        assert!(problem("[vision]", file).contains("files.path"));
        let graph = "[vision.onnx]\nfile = \"a.onnx\"\ninput = \"x\"\ndtype = \"float32\"\noutput = \"y\"\n\n[vision.resize]";
        assert!(problem("[vision.resize]", graph).contains("a.onnx"));
    }
}
