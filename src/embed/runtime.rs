//! ONNX Runtime: finding the shared library, and opening graphs with it.

use std::path::{Path, PathBuf};

use ort::environment::Environment;
use ort::session::Session;

use super::cut::{CutError, cut};
use super::error::{EmbedError, Said};

/// Version that `make runtime` fetches.
pub const RUNTIME_VERSION: &str = "1.24.4";

/// Variable that names the library, as everywhere in the field.
const PATH_VARIABLE: &str = "ORT_DYLIB_PATH";

/// Setting of a session that names the folder of weights outside the graph.
const EXTERNAL_WEIGHTS_FOLDER: &str = "session.model_external_initializers_file_folder_path";

/// Setting of a session that names optimisers to leave out.
const DISABLED_OPTIMISERS: &str = "optimization.disable_specified_optimizers";

/// Makes 16-bit graphs that keep 32-bit inputs impossible to open on a CPU:
/// <https://github.com/microsoft/onnxruntime/issues/29153>. It looks for a
/// normalisation that no image model here has.
const BROKEN_OPTIMISER: &str = "SimplifiedLayerNormFusion";

/// The loaded library. One a process.
#[derive(Clone)]
pub struct Runtime {
    environment: Environment,
    path: PathBuf,
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runtime").finish_non_exhaustive()
    }
}

impl Runtime {
    /// Loads the library that `ORT_DYLIB_PATH` names; without it the one beside
    /// the executable, then the one that `make runtime` fetched.
    ///
    /// # Errors
    /// It is nowhere, is too old, or a runtime was loaded before.
    pub fn load() -> Result<Self, EmbedError> {
        let path = locate()?;
        let broken = |reason| EmbedError::RuntimeBroken {
            path: path.clone(),
            source: reason,
        };
        let environment = ort::init_from(&path)
            .map_err(|error| broken(Said::by(&error)))?
            .with_name("milvus-image-search")
            .with_telemetry(false)
            .build()
            .map_err(|error| broken(Said::by(&error)))?;
        tracing::debug!(path = %path.display(), "ONNX Runtime loaded");
        Ok(Self { environment, path })
    }

    /// The library's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Version in the name of the library's file, where it has one:
    /// `libonnxruntime.so.1.24.4`.
    pub fn version(&self) -> Option<String> {
        let file = self.path.canonicalize().ok()?;
        let name = file.file_name()?.to_str()?;
        let digits = name.find(|c: char| c.is_ascii_digit())?;
        let version = name[digits..].trim_end_matches(|c: char| !c.is_ascii_digit());
        version.contains('.').then(|| version.to_owned())
    }

    /// Opens a graph that runs on `threads` threads, cut down to the tensor
    /// `cut_to` where one is named. The threads do not spin while they wait:
    /// other sessions need the core.
    pub(super) fn open(
        &self,
        path: &Path,
        threads: usize,
        cut_to: Option<&str>,
    ) -> Result<Session, EmbedError> {
        let failed = |error: &dyn std::fmt::Display| EmbedError::Open {
            path: path.to_owned(),
            source: Said::by(error),
        };
        let builder = Session::builder(&self.environment).map_err(|error| failed(&error))?;
        let mut builder = builder
            .with_intra_threads(threads)
            .map_err(|error| failed(&error))?
            .with_inter_threads(1)
            .map_err(|error| failed(&error))?
            .with_intra_op_spinning(false)
            .map_err(|error| failed(&error))?
            .with_config_entry(DISABLED_OPTIMISERS, BROKEN_OPTIMISER)
            .map_err(|error| failed(&error))?;
        let Some(output) = cut_to else {
            return builder
                .commit_from_file(path)
                .map_err(|error| failed(&error));
        };
        let bytes = std::fs::read(path).map_err(|error| failed(&error))?;
        let small = cut(&bytes, output).map_err(|error| uncuttable(path, output, error))?;
        drop(bytes);
        // Weights beside the file are looked for there, as they are by path.
        let folder = path.parent().unwrap_or(Path::new(".")).to_string_lossy();
        builder
            .with_config_entry(EXTERNAL_WEIGHTS_FOLDER, folder)
            .map_err(|error| failed(&error))?
            .commit_from_memory(&small)
            .map_err(|error| failed(&error))
    }
}

fn uncuttable(path: &Path, output: &str, error: CutError) -> EmbedError {
    match error {
        CutError::Malformed => EmbedError::Cut {
            path: path.to_owned(),
        },
        CutError::NoSuchTensor(known) => EmbedError::NoSuchTensor {
            path: path.to_owned(),
            what: "tensor",
            name: output.to_owned(),
            known,
        },
    }
}

fn locate() -> Result<PathBuf, EmbedError> {
    if let Some(given) = std::env::var_os(PATH_VARIABLE).filter(|given| !given.is_empty()) {
        let path = PathBuf::from(given);
        return if path.is_file() {
            Ok(path)
        } else {
            Err(EmbedError::RuntimeElsewhere { path })
        };
    }
    let mut candidates = candidates();
    match candidates.iter().position(|path| path.is_file()) {
        Some(found) => Ok(candidates.swap_remove(found)),
        None => Err(EmbedError::RuntimeMissing {
            searched: candidates,
        }),
    }
}

/// Where the library may be, in the order in which it is looked for.
fn candidates() -> Vec<PathBuf> {
    let name = format!(
        "{}onnxruntime{}",
        std::env::consts::DLL_PREFIX,
        std::env::consts::DLL_SUFFIX
    );
    let fetched = format!("{name}.{RUNTIME_VERSION}");
    let mut places = Vec::new();
    if let Ok(executable) = std::env::current_exe()
        && let Some(folder) = executable.parent()
    {
        places.push(folder.join(&fetched));
        places.push(folder.join(&name));
    }
    for root in crate::config::installation_roots() {
        places.push(root.join(".local/onnxruntime").join(&fetched));
        places.push(root.join("lib").join(&fetched));
    }
    places.dedup();
    places
}
