//! The text of a manifest while it is written, and what it says and asks.

use serde::Serialize;

use super::known::Told;
use crate::model::OPEN;

/// Longest line of a comment.
const WIDTH: usize = 88;

/// A manifest in the making.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    pub(super) text: String,
    pub(super) told: Vec<String>,
    pub(super) asked: Vec<String>,
    table: &'static str,
}

impl Sheet {
    /// Begins a table.
    pub(super) fn table(&mut self, name: &'static str) {
        self.table = name;
        self.line("");
        self.line(&format!("[{name}]"));
    }

    /// Begins one entry of a list.
    pub(super) fn entry(&mut self, name: &str) {
        self.line("");
        self.line(&format!("[[{name}]]"));
    }

    /// Writes a comment, broken into lines.
    pub(super) fn comment(&mut self, comment: &str) {
        let mut line = "#".to_owned();
        for word in words(comment) {
            if line.chars().count() + 1 + word.chars().count() > WIDTH {
                self.line(&line);
                "#".clone_into(&mut line);
            }
            line.push(' ');
            line.push_str(&word);
        }
        self.line(&line);
    }

    /// Writes a key that needs no origin.
    pub(super) fn plain<T: Serialize>(&mut self, key: &str, value: &T) {
        self.line(&format!("{key} = {}", literal(value)));
    }

    /// Writes a key with its origin.
    pub(super) fn tell<T: Serialize>(&mut self, key: &str, value: &T, from: &str) {
        let value = literal(value);
        self.line(&format!("{key} = {value} # {from}"));
        let key = self.path(key);
        self.told.push(format!("{key} = {value} ({from})"));
    }

    /// Writes a key whose value the user must say.
    pub(super) fn ask(&mut self, key: &str, question: &str) {
        self.comment(question);
        self.line(&format!("{key} = \"{OPEN}\""));
        let line = self.text.lines().count();
        let key = self.path(key);
        self.asked.push(format!("line {line}: {key}: {question}"));
    }

    /// Writes what is known, or asks.
    pub(super) fn put<T: Serialize>(&mut self, key: &str, known: Option<&Told<T>>, question: &str) {
        match known {
            Some(told) => self.tell(key, &told.value, &told.from),
            None => self.ask(key, question),
        }
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn path(&self, key: &str) -> String {
        if self.table.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.table)
        }
    }
}

/// Words, but a list in brackets as one, so that it can be copied.
fn words(comment: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in comment.split_whitespace() {
        match words.last_mut() {
            Some(last) if last.matches('[').count() > last.matches(']').count() => {
                last.push(' ');
                last.push_str(word);
            }
            _ => words.push(word.to_owned()),
        }
    }
    words
}

fn literal<T: Serialize>(value: &T) -> String {
    toml::Value::try_from(value)
        .expect("a manifest's values are TOML; this is a bug")
        .to_string()
}
