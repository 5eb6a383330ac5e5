//! Reading a picture's file, within a limit.

use std::fs::Metadata;
use std::io::{self, Read};
use std::path::Path;

use super::open::{open_file, reason};
use super::source::modified_micros;

/// Said of a file whose bytes may be of two contents.
pub const CHANGED: &str = "it changed while it was read: run the same command again";

/// A file as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileContent {
    /// All of it.
    pub bytes: Vec<u8>,
    /// Modification time, in microseconds since 1970 (UTC), the same before
    /// and after.
    pub modified: i64,
}

/// The whole file. The limit holds for what is read, not for what the file's
/// size was when it was found.
///
/// # Errors
/// It is gone, cannot be read, is no regular file, has more than `most` bytes,
/// or changed meanwhile; the text says so.
pub fn read_file(path: &Path, most: u64) -> io::Result<FileContent> {
    read(path, most).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => io::Error::other(format!("it went away: {error}")),
        _ => io::Error::other(reason(&error)),
    })
}

fn read(path: &Path, most: u64) -> io::Result<FileContent> {
    let (mut file, before) = open_file(path)?;
    let mut bytes = Vec::with_capacity(usize::try_from(before.len().min(most)).unwrap_or(0));
    let read = (&mut file)
        .take(most.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if read as u64 > most {
        let reason = format!("it has more than {most} bytes (--max-file-bytes)");
        return Err(io::Error::other(reason));
    }
    let seen = |metadata: &Metadata| (metadata.len(), modified_micros(metadata));
    if seen(&before) != seen(&file.metadata()?) || before.len() != read as u64 {
        return Err(io::Error::other(CHANGED));
    }
    Ok(FileContent {
        bytes,
        modified: modified_micros(&before),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_at_the_limit_is_read_and_one_above_is_not() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), [1; 10]).unwrap();
        let content = read_file(file.path(), 10).unwrap();
        assert_eq!(content.bytes, [1; 10]);
        let metadata = file.path().metadata().unwrap();
        assert_eq!(content.modified, modified_micros(&metadata));
        let error = read_file(file.path(), 9).expect_err("too large");
        assert!(error.to_string().contains("more than 9 bytes"));
    }
}
