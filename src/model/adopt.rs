//! Putting files into a model's folder, and its manifest beside them.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{ModelFile, hash_file};
use crate::entity::Hint;

/// Why a file is not put into a model's folder.
#[derive(Debug, thiserror::Error)]
pub enum AdoptError {
    /// It cannot be read or written.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// `read`, `create` or `write`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another file has its place.
    #[error("{} is there already, and is another file", path.display())]
    Taken {
        /// The place.
        path: PathBuf,
    },
    /// A path that is no text cannot stand in a manifest.
    #[error("the name of {} is no text", path.display())]
    Name {
        /// The file.
        path: PathBuf,
    },
}

impl Hint for AdoptError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Io { action: "read", .. } => "check the path and its permissions".to_owned(),
            Self::Io { .. } => {
                "check the permissions and the free space, or name another folder with --out"
                    .to_owned()
            }
            Self::Taken { .. } => {
                "rename one of the two, or replace the one that is there with --force".to_owned()
            }
            Self::Name { .. } => "rename the file".to_owned(),
        })
    }
}

/// A file as a model has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adopted {
    /// Where it lies now.
    pub from: PathBuf,
    /// Its entry in the manifest.
    pub entry: ModelFile,
}

impl Adopted {
    /// Describes the file `from` in `folder`: by its path inside, or by its
    /// bare name where it lies elsewhere. Nothing is written.
    ///
    /// # Errors
    /// It cannot be read, or its name is no text.
    pub fn plan(from: &Path, folder: &Path) -> Result<Self, AdoptError> {
        let read = |source| io_error("read", from, source);
        let name = || AdoptError::Name {
            path: from.to_owned(),
        };
        // The file itself may be a link into a cache; its place counts.
        let parent = match from.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let place = parent.canonicalize().map_err(read)?;
        let place = place.join(from.file_name().ok_or_else(name)?);
        let inside = folder.canonicalize().ok();
        let inside = inside.and_then(|folder| Some(place.strip_prefix(folder).ok()?.to_owned()));
        let path = inside.unwrap_or_else(|| place.file_name().unwrap_or_default().into());
        let parts: Option<Vec<&str>> = path.iter().map(|part| part.to_str()).collect();
        let bytes = std::fs::metadata(from).map_err(read)?.len();
        Ok(Self {
            from: from.to_owned(),
            entry: ModelFile {
                path: parts.ok_or_else(name)?.join("/"),
                remote: None,
                repository: None,
                revision: None,
                bytes: Some(bytes),
                sha256: Some(hash_file(from).map_err(read)?),
            },
        })
    }
}

/// Puts the file into `folder`: as a hard link, or as a copy where there can
/// be none. A file that is there already is left if it is the same, and
/// replaced only by `force`.
///
/// # Errors
/// Another file has its place, or the folder cannot be written.
pub fn adopt(file: &Adopted, folder: &Path, force: bool) -> Result<(), AdoptError> {
    let place = folder.join(&file.entry.path);
    if place.exists() {
        let here = hash_file(&place).map_err(|source| io_error("read", &place, source))?;
        if file.entry.sha256.as_deref() == Some(here.as_str()) {
            return Ok(());
        }
        if !force {
            return Err(AdoptError::Taken { path: place });
        }
    }
    let part = beside(&place);
    let write = |source| io_error("write", &place, source);
    // A hard link to a symbolic link would be one, with a path of elsewhere.
    let from = file
        .from
        .canonicalize()
        .map_err(|source| io_error("read", &file.from, source))?;
    remove(&part).map_err(write)?;
    if std::fs::hard_link(&from, &part).is_err() {
        std::fs::copy(&from, &part).map_err(write)?;
    }
    std::fs::rename(&part, &place).map_err(write)
}

/// Writes `model.toml` in `folder`, whole or not at all. Returns its path.
///
/// # Errors
/// The folder cannot be written.
pub fn write_manifest(folder: &Path, text: &str) -> Result<PathBuf, AdoptError> {
    let place = folder.join("model.toml");
    let part = beside(&place);
    let write = || {
        let mut file = std::fs::File::create(&part)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&part, &place)
    };
    write().map_err(|source| io_error("write", &place, source))?;
    Ok(place)
}

fn beside(place: &Path) -> PathBuf {
    let mut part = place.as_os_str().to_owned();
    part.push(".part");
    part.into()
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn io_error(action: &'static str, path: &Path, source: io::Error) -> AdoptError {
    AdoptError::Io {
        action,
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_from_elsewhere_gets_a_place_and_keeps_others() {
        let dir = tempfile::tempdir().unwrap();
        let (there, folder) = (dir.path().join("there"), dir.path().join("model"));
        std::fs::create_dir_all(folder.join("onnx")).unwrap();
        std::fs::create_dir(&there).unwrap();
        std::fs::write(there.join("a.onnx"), "abc").unwrap();
        let plan = Adopted::plan(&there.join("a.onnx"), &folder).unwrap();
        assert_eq!(
            (plan.entry.path.as_str(), plan.entry.bytes),
            ("a.onnx", Some(3))
        );
        adopt(&plan, &folder, false).unwrap();
        adopt(&plan, &folder, false).unwrap();
        assert_eq!(std::fs::read(folder.join("a.onnx")).unwrap(), b"abc");

        std::fs::write(there.join("other"), "abcd").unwrap();
        std::fs::rename(there.join("other"), there.join("a.onnx")).unwrap();
        let other = Adopted::plan(&there.join("a.onnx"), &folder).unwrap();
        let taken = adopt(&other, &folder, false).expect_err("taken");
        assert!(matches!(taken, AdoptError::Taken { .. }) && taken.hint().is_some());
        adopt(&other, &folder, true).unwrap();
        assert_eq!(std::fs::read(folder.join("a.onnx")).unwrap(), b"abcd");
    }

    #[test]
    fn a_file_inside_keeps_its_path() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("onnx")).unwrap();
        let file = dir.path().join("onnx/a.onnx");
        std::fs::write(&file, "abc").unwrap();
        let plan = Adopted::plan(&file, dir.path()).unwrap();
        assert_eq!(plan.entry.path, "onnx/a.onnx");
        adopt(&plan, dir.path(), false).unwrap();
        let manifest = write_manifest(dir.path(), "version = 1\n").unwrap();
        assert_eq!(std::fs::read_to_string(manifest).unwrap(), "version = 1\n");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
    }
}
