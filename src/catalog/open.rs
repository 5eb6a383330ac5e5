//! Opening files and nothing else: a FIFO would block for ever, a device may
//! never end, and either may take the place of a picture that was found.

use std::fs::{File, FileType, Metadata, OpenOptions};
use std::io;
use std::path::Path;

/// Does not wait for the other end where a FIFO took a file's place after its
/// metadata were read. Of no effect on regular files.
#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
const O_NONBLOCK: i32 = 0o4000;

/// Opens a regular file, and says what is open.
///
/// # Errors
/// It cannot be opened, or is no regular file (any more).
pub(super) fn open_file(path: &Path) -> io::Result<(File, Metadata)> {
    let metadata = path.metadata()?;
    if let Some(kind) = kind_beside_file(metadata.file_type()) {
        return Err(no_file(kind));
    }
    let file = open(path)?;
    let metadata = file.metadata()?;
    match kind_beside_file(metadata.file_type()) {
        Some(kind) => Err(no_file(kind)),
        None => Ok((file, metadata)),
    }
}

#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
fn open(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    OpenOptions::new()
        .read(true)
        .custom_flags(O_NONBLOCK)
        .open(path)
}

#[cfg(not(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).open(path)
}

fn no_file(kind: &str) -> io::Error {
    io::Error::other(format!("it is {kind}, no regular file: not opened"))
}

/// What it is where it is no regular file; nothing where it is one.
pub(super) fn kind_beside_file(kind: FileType) -> Option<&'static str> {
    if kind.is_file() {
        return None;
    }
    if kind.is_dir() {
        return Some("a folder");
    }
    Some(special_kind(kind))
}

#[cfg(unix)]
fn special_kind(kind: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    if kind.is_fifo() {
        "a FIFO"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

#[cfg(not(unix))]
fn special_kind(_: FileType) -> &'static str {
    "something else"
}

/// Why a path cannot be used, with the remedy where there is one.
pub(super) fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            format!("{error}: let the user that runs ingest read it, and enter its folders")
        }
        io::ErrorKind::InvalidFilename => {
            format!("{error}: shorten the path, or move the folder nearer to the root")
        }
        _ => error.to_string(),
    }
}
