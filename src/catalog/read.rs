//! Reading a picture's file, within a limit.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The whole file. The limit holds for what is read, not for what the file's
/// size was when it was found.
///
/// # Errors
/// It cannot be read, or has more than `most` bytes.
pub fn read_file(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    if read as u64 > most {
        let reason = format!("it has more than {most} bytes (--max-file-bytes)");
        return Err(io::Error::other(reason));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_at_the_limit_is_read_and_one_above_is_not() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), [1; 10]).unwrap();
        assert_eq!(read_file(file.path(), 10).unwrap(), [1; 10]);
        let error = read_file(file.path(), 9).expect_err("too large");
        assert!(error.to_string().contains("more than 9 bytes"));
    }
}
