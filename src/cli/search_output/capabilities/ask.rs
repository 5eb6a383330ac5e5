//! Questions to the terminal itself.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use rustix::process::getpgrp;
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr,
};

use super::Answers;
use crate::render::terminal::CellPixels;

/// The size of a character, then the device attributes: every terminal answers
/// the second, and so ends the wait.
const QUESTIONS: &[u8] = b"\x1b[16t\x1b[c";

/// Longest wait for the answers: a terminal behind a slow line needs 300 ms.
const PATIENCE: Duration = Duration::from_millis(500);

/// Longest wait of one read, in tenths of a second.
const READ_TENTHS: u8 = 1;

/// Asks, where this process may: one in the background would be stopped. Keys
/// that are pressed meanwhile are lost.
pub(super) fn terminal() -> io::Result<Answers> {
    let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
    if tcgetpgrp(&terminal)? != getpgrp() {
        return Ok(Answers::default());
    }
    let mut raw = Raw::enter(&terminal)?;
    raw.terminal.write_all(QUESTIONS)?;
    let start = Instant::now();
    let mut said = Vec::new();
    while start.elapsed() < PATIENCE {
        let mut bytes = [0; 256];
        let count = raw.terminal.read(&mut bytes)?;
        said.extend_from_slice(&bytes[..count]);
        if let Some(answers) = parse(&said) {
            return Ok(answers);
        }
    }
    Ok(Answers::default())
}

/// A terminal that hands on every byte at once and echoes none. Put back when
/// dropped; signals are held off so that nothing ends the process before.
struct Raw<'a> {
    terminal: &'a File,
    before: Termios,
}

impl<'a> Raw<'a> {
    fn enter(terminal: &'a File) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut raw = before.clone();
        raw.local_modes
            .remove(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG);
        raw.special_codes[SpecialCodeIndex::VMIN] = 0;
        raw.special_codes[SpecialCodeIndex::VTIME] = READ_TENTHS;
        tcsetattr(terminal, OptionalActions::Now, &raw)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Raw<'_> {
    fn drop(&mut self) {
        let _gone = tcsetattr(self.terminal, OptionalActions::Now, &self.before).is_err();
    }
}

/// The answers, once the last of them is there whole.
fn parse(said: &[u8]) -> Option<Answers> {
    let text = String::from_utf8_lossy(said);
    let mut answers = Answers::default();
    for sequence in text.split("\x1b[").skip(1) {
        let end = sequence.find(|c: char| c.is_ascii_alphabetic())?;
        let (numbers, kind) = (&sequence[..end], &sequence[end..=end]);
        match (numbers.strip_prefix('?'), kind) {
            (Some(attributes), "c") => {
                answers.sixel = attributes.split(';').any(|number| number == "4");
                return Some(answers);
            }
            (None, "t") => answers.cell = cell(numbers),
            _ => {}
        }
    }
    None
}

/// `6;HEIGHT;WIDTH`.
fn cell(numbers: &str) -> Option<CellPixels> {
    let mut numbers = numbers.split(';').map(str::parse::<u32>);
    let (kind, height, width) = (numbers.next()?, numbers.next()?, numbers.next()?);
    let sane = |side: &u32| (1..=1000).contains(side);
    let (height, width) = (height.ok().filter(sane)?, width.ok().filter(sane)?);
    (kind == Ok(6)).then_some(CellPixels { width, height })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_once_they_are_whole() {
        let whole = b"x\x1b[6;26;13t\x1b[?63;1;2;4;6;9;15;22c";
        for end in 0..whole.len() {
            assert_eq!(parse(&whole[..end]), None, "{end}");
        }
        let cell = Some(CellPixels {
            width: 13,
            height: 26,
        });
        assert_eq!(parse(whole), Some(Answers { sixel: true, cell }));
    }

    #[test]
    fn what_is_not_said_is_not_known() {
        let none = Some(Answers::default());
        assert_eq!(parse(b"\x1b[?64;1;2;6;40c"), none, "40 and 64 are no 4");
        assert_eq!(parse(b"\x1b[6;0;0t\x1b[?1;2c"), none);
        assert_eq!(parse(b"\x1b[8;24;80t\x1b[?1;2c"), none);
        assert_eq!(parse(b"\x1b[6;9999999999;1t\x1b[?1;2c"), none);
        assert_eq!(parse(b""), None);
    }
}
