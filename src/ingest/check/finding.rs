//! What a check found, and what to do about it.

use std::error::Error;

use serde::Serialize;

use crate::entity::{Hint, chain};

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// The run would do its work, but somebody should know.
    Warning,
    /// The run would stop, or leave pictures out.
    Error,
}

impl Level {
    /// As people read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at, in one word.
    pub check: &'static str,
    /// How much it matters.
    pub level: Level,
    /// What was found.
    pub found: String,
    /// What to do about it; `None` where nothing needs doing.
    pub remedy: Option<String>,
}

/// All that was found, in the order in which it was looked at.
#[derive(Debug, Default)]
pub struct Findings {
    /// The findings.
    pub list: Vec<Finding>,
}

impl Findings {
    /// As it should be.
    pub fn ok(&mut self, check: &'static str, found: impl Into<String>) {
        self.add(check, Level::Ok, found.into(), None);
    }

    /// Not as it should be, and no obstacle.
    pub fn warning(&mut self, check: &'static str, found: impl Into<String>, remedy: &str) {
        self.add(check, Level::Warning, found.into(), Some(remedy.to_owned()));
    }

    /// An obstacle.
    pub fn error(&mut self, check: &'static str, found: impl Into<String>, remedy: &str) {
        self.add(check, Level::Error, found.into(), Some(remedy.to_owned()));
    }

    /// An obstacle, in the words of an error.
    pub fn fault<E: Error + Hint>(&mut self, check: &'static str, error: &E) {
        let remedy = error.hint();
        let remedy = remedy.unwrap_or_else(|| "check the path and its permissions".to_owned());
        self.error(check, chain(error), &remedy);
    }

    /// How many findings matter that much.
    pub fn count(&self, level: Level) -> usize {
        self.list.iter().filter(|f| f.level == level).count()
    }

    fn add(&mut self, check: &'static str, level: Level, found: String, remedy: Option<String>) {
        self.list.push(Finding {
            check,
            level,
            found,
            remedy,
        });
    }
}

/// Examples of something that was counted.
#[derive(Debug, Default)]
pub(super) struct Few {
    pub(super) count: u64,
    examples: Vec<String>,
}

impl Few {
    /// Examples that are kept.
    pub(super) const MOST: usize = 3;

    pub(super) fn add(&mut self, example: impl FnOnce() -> String) {
        self.count += 1;
        if self.examples.len() < Self::MOST {
            self.examples.push(example());
        }
    }

    /// The examples, and how many more there are.
    pub(super) fn list(&self) -> String {
        let more = self.count - self.examples.len() as u64;
        let shown = self.examples.join("; ");
        if more == 0 {
            shown
        } else {
            format!("{shown}; and {more} more")
        }
    }
}

/// `1 picture`, `2 pictures`.
pub(super) fn amount(count: u64, one: &str) -> String {
    if count == 1 {
        format!("1 {one}")
    } else {
        format!("{count} {one}s")
    }
}

/// Bytes in megabytes of 10^6.
#[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
pub(super) fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_of_many_are_named() {
        let mut few = Few::default();
        for name in ["a", "b", "c"] {
            few.add(|| name.to_owned());
        }
        assert_eq!(few.list(), "a; b; c");
        few.add(|| "d".to_owned());
        assert_eq!(few.list(), "a; b; c; and 1 more");
        assert_eq!(amount(1, "row") + " " + &amount(2, "row"), "1 row 2 rows");
    }
}
