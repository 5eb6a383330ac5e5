//! Hashes of files that no manifest pins, recorded when they are first fetched.
//!
//! They lie in [`RECORDED`] in the model's folder, one `HASH  PATH` a line, the
//! form that `sha256sum --check` reads. From then on they count as pinned: a
//! file that changes on the hub, or on disk, is noticed. Deleting a line accepts
//! whatever is fetched next.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{Manifest, ModelError};

/// Name of the file, inside a model's folder.
pub const RECORDED: &str = "recorded.sha256";

/// Gives the files that `manifest` does not pin the hashes that were recorded.
pub(super) fn fill_in(folder: &Path, manifest: &mut Manifest) -> Result<(), ModelError> {
    let path = folder.join(RECORDED);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(ModelError::Read { path, source }),
    };
    for file in &mut manifest.files {
        if file.sha256.is_none() {
            let mut lines = text.lines().filter_map(|line| line.split_once("  "));
            file.sha256 = lines
                .find(|(hash, path)| *path == file.path && hash.len() == 64)
                .map(|(hash, _)| hash.to_owned());
        }
    }
    Ok(())
}

/// Records the hash of a file that was just fetched. Returns where.
///
/// # Errors
/// The folder cannot be written.
pub(super) fn record(folder: &Path, file: &str, sha256: &str) -> io::Result<PathBuf> {
    let path = folder.join(RECORDED);
    let mut out = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)?;
    writeln!(out, "{sha256}  {file}")?;
    out.sync_all()?;
    Ok(path)
}
