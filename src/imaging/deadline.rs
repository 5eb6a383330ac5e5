//! How long one picture may keep a decoder.
//!
//! Threads cannot be stopped, and one left behind would go on taking memory
//! and a core. So the decoders' own reading is what breaks off: between two
//! reads, as between two scans of a JPEG, the work is bounded by the pixels
//! that the header may ask for.

use std::io::{self, BufRead, Cursor, Read, Seek, SeekFrom};
use std::time::{Duration, Instant};

/// When a decoder has to be done.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    start: Instant,
    allowed: Duration,
}

impl Deadline {
    pub(super) fn after(allowed: Duration) -> Self {
        let start = Instant::now();
        Self { start, allowed }
    }

    pub(super) fn has_passed(&self) -> bool {
        self.start.elapsed() >= self.allowed
    }
}

/// The bytes of a file, until the deadline.
#[derive(Debug)]
pub(super) struct TimedReader<'a> {
    inner: Cursor<&'a [u8]>,
    deadline: Deadline,
}

impl<'a> TimedReader<'a> {
    pub(super) fn new(bytes: &'a [u8], deadline: Deadline) -> Self {
        let inner = Cursor::new(bytes);
        Self { inner, deadline }
    }

    fn check(&self) -> io::Result<()> {
        if self.deadline.has_passed() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }
}

impl Read for TimedReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.check()?;
        self.inner.read(buffer)
    }
}

impl BufRead for TimedReader<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.check()?;
        // Slices: who takes all at once would not look at the clock again.
        let rest = self.inner.fill_buf()?;
        Ok(&rest[..rest.len().min(1 << 16)])
    }

    fn consume(&mut self, amount: usize) {
        self.inner.consume(amount);
    }
}

impl Seek for TimedReader<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.check()?;
        self.inner.seek(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_ends_with_the_time() {
        let mut whole = Vec::new();
        let bytes = vec![7; 100_000];
        let long = Deadline::after(Duration::from_secs(3600));
        let read = TimedReader::new(&bytes, long).read_to_end(&mut whole);
        assert_eq!(read.unwrap(), 100_000);
        let mut late = TimedReader::new(&bytes, Deadline::after(Duration::ZERO));
        assert_eq!(late.fill_buf().unwrap_err().kind(), io::ErrorKind::TimedOut);
        let error = late.read_to_end(&mut whole).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
