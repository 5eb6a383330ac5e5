//! A model's folder: which files are there, and whether they are the right ones.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{Fingerprint, Manifest, ModelError, ModelFile, recorded};

/// A parsed manifest and the folder that it lies in.
#[derive(Debug, Clone)]
pub struct Model {
    /// What the model is.
    pub manifest: Manifest,
    /// The folder of the manifest and its files.
    pub folder: PathBuf,
}

/// State of a model's files on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileState {
    /// All there, with the sizes that the manifest names.
    Present,
    /// Some are there.
    Partial,
    /// None is there.
    Missing,
}

impl Model {
    /// Reads `model.toml` in `folder`.
    ///
    /// # Errors
    /// The file cannot be read, is wrong, or names another model than its folder.
    pub fn open(folder: &Path) -> Result<Self, ModelError> {
        Self::read(folder).map(|(model, _)| model)
    }

    /// The variant called `name` of the model in `folder`.
    ///
    /// # Errors
    /// As [`open`](Self::open), and where there is no such variant.
    pub fn open_variant(folder: &Path, name: &str) -> Result<Self, ModelError> {
        let (model, text) = Self::read(folder)?;
        if !model.manifest.variants.contains_key(name) {
            return Err(ModelError::NoVariant {
                name: model.manifest.name,
                variant: name.to_owned(),
                known: model.manifest.variants.into_keys().collect(),
            });
        }
        let manifest = model.manifest.variant(&text, name);
        let mut manifest = manifest.map_err(|source| ModelError::Manifest {
            path: folder.join("model.toml"),
            source,
        })?;
        recorded::fill_in(folder, &mut manifest)?;
        Ok(Self {
            manifest,
            folder: folder.to_owned(),
        })
    }

    /// Every variant of the model, in the order of their names.
    pub fn variants(&self) -> Vec<Result<Self, ModelError>> {
        let names = self.manifest.variants.keys();
        names
            .map(|name| Self::open_variant(&self.folder, name))
            .collect()
    }

    fn read(folder: &Path) -> Result<(Self, String), ModelError> {
        let path = folder.join("model.toml");
        let text = std::fs::read_to_string(&path).map_err(|source| ModelError::Read {
            path: path.clone(),
            source,
        })?;
        let mut manifest = Manifest::parse(&text).map_err(|source| ModelError::Manifest {
            path: path.clone(),
            source,
        })?;
        let named = folder
            .canonicalize()
            .ok()
            .and_then(|folder| Some(folder.file_name()?.to_string_lossy().into_owned()));
        if let Some(folder) = named
            && folder != manifest.name
        {
            return Err(ModelError::Misnamed {
                path,
                found: manifest.name,
                folder,
            });
        }
        recorded::fill_in(folder, &mut manifest)?;
        let folder = folder.to_owned();
        Ok((Self { manifest, folder }, text))
    }

    /// Path of one of the model's files.
    pub fn path_of(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }

    /// Which files are there, by name and size alone.
    pub fn state(&self) -> FileState {
        let here = |file: &&ModelFile| {
            std::fs::metadata(self.path_of(&file.path)).is_ok_and(|found| {
                found.is_file() && file.bytes.is_none_or(|bytes| bytes == found.len())
            })
        };
        let present = self.manifest.files.iter().filter(here).count();
        match present {
            n if n == self.manifest.files.len() => FileState::Present,
            0 => FileState::Missing,
            _ => FileState::Partial,
        }
    }

    /// Hashes every file and returns the model's fingerprint.
    ///
    /// # Errors
    /// A file is missing, unreadable, or not the one that the manifest names.
    pub fn verify(&self) -> Result<Fingerprint, ModelError> {
        self.verify_only(|_| true)
    }

    /// As [`verify`](Self::verify), but of the files that the manifest pins
    /// only those that `wanted` names are read: a text search need not hash
    /// the image graph that it never opens.
    ///
    /// # Errors
    /// As [`verify`](Self::verify), for the files that were read.
    pub fn verify_only(&self, wanted: impl Fn(&str) -> bool) -> Result<Fingerprint, ModelError> {
        let mut hashes = Vec::with_capacity(self.manifest.files.len());
        for file in &self.manifest.files {
            let hash = match &file.sha256 {
                Some(pinned) if !wanted(&file.path) => pinned.clone(),
                _ => self.verify_file(file)?,
            };
            hashes.push(hash);
        }
        Ok(Fingerprint::new(&self.manifest, &hashes))
    }

    fn verify_file(&self, file: &ModelFile) -> Result<String, ModelError> {
        let path = self.path_of(&file.path);
        let read_error = |source| ModelError::Read {
            path: path.clone(),
            source,
        };
        let found = match std::fs::metadata(&path) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(ModelError::Missing {
                    name: self.manifest.name.clone(),
                    missing: path,
                    source_kind: self.manifest.source.clone(),
                });
            }
            Err(error) => return Err(read_error(error)),
        };
        let different = |what, found, expected| ModelError::Different {
            path: path.clone(),
            what,
            found,
            expected,
            name: self.manifest.name.clone(),
        };
        if let Some(bytes) = file.bytes
            && bytes != found.len()
        {
            return Err(different(
                "size",
                found.len().to_string(),
                bytes.to_string(),
            ));
        }
        let sha256 = hash_file(&path).map_err(read_error)?;
        match &file.sha256 {
            Some(expected) if *expected != sha256 => {
                Err(different("sha256", sha256, expected.clone()))
            }
            _ => Ok(sha256),
        }
    }
}

/// SHA-256 of bytes, as 64 lower-case hexadecimal digits.
pub fn hash_bytes(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// SHA-256 of a file, as 64 lower-case hexadecimal digits.
///
/// # Errors
/// The file cannot be read.
pub fn hash_file(path: &Path) -> io::Result<String> {
    /// Large enough that system calls vanish beside hashing, small enough for
    /// the second-level cache.
    const BLOCK_BYTES: usize = 256 * 1024;
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut block = vec![0; BLOCK_BYTES];
    loop {
        match file.read(&mut block)? {
            0 => break,
            read => hasher.update(&block[..read]),
        }
    }
    Ok(format!("{:x}", hasher.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::Hint;

    fn model_with(sha256: &str, content: &[u8]) -> (tempfile::TempDir, Model) {
        let dir = tempfile::tempdir().unwrap();
        let text = include_str!("../../models/pixels/model.toml").replace(
            "[vision]",
            &format!("[[files]]\npath = \"a.bin\"\nbytes = 3\nsha256 = \"{sha256}\"\n\n[vision]"),
        );
        let folder = dir.path().join("pixels");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("model.toml"), text).unwrap();
        std::fs::write(folder.join("a.bin"), content).unwrap();
        let model = Model::open(&folder).unwrap();
        (dir, model)
    }

    // `printf abc | sha256sum`
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn verifies_size_and_hash() {
        let (_dir, right) = model_with(ABC, b"abc");
        assert_eq!(right.state(), FileState::Present);
        assert!(right.verify().is_ok());

        let (_dir, short) = model_with(ABC, b"ab");
        assert_eq!(short.state(), FileState::Missing);
        let error = short.verify().expect_err("size");
        assert!(error.to_string().contains("size is 2, expected 3"));

        let (_dir, other) = model_with(ABC, b"abd");
        let error = other.verify().expect_err("hash");
        assert!(error.to_string().contains("sha256"));
        assert!(error.hint().unwrap().contains("models pull pixels"));
    }

    #[test]
    fn a_pinned_file_that_is_not_wanted_is_not_read() {
        let (_dir, model) = model_with(ABC, b"abc");
        let whole = model.verify().unwrap();
        std::fs::remove_file(model.path_of("a.bin")).unwrap();
        assert_eq!(model.verify_only(|_| false).unwrap(), whole);
        assert!(matches!(model.verify(), Err(ModelError::Missing { .. })));
    }
}
