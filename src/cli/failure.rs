//! Errors as a person reads them, and exit codes.

use std::process::ExitCode;

use crate::entity::Hint;
use crate::render::printable;

/// How a command ended. The codes are part of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done; a search without hits is done too.
    Done,
    /// Could not do it.
    Failed,
    /// Finished, but some pictures were rejected or failed, or a check found
    /// errors.
    Incomplete,
    /// Interrupted, drained, reported.
    Interrupted,
    /// Flags, environment and file do not make sense together.
    Usage,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            // clap's own code for bad usage.
            Exit::Usage => 2,
            Exit::Incomplete => 3,
            Exit::Interrupted => 130,
        })
    }
}

/// Why a command could not do what it was asked: what, why, and what to do.
#[derive(Debug)]
pub struct Failure {
    error: anyhow::Error,
    hint: Option<String>,
    exit: Exit,
}

impl<E> From<E> for Failure
where
    E: std::error::Error + Hint + Send + Sync + 'static,
{
    fn from(error: E) -> Self {
        let hint = error.hint();
        Self {
            error: error.into(),
            hint,
            exit: Exit::Failed,
        }
    }
}

impl Failure {
    /// A failure of the command line itself.
    pub(super) fn new(error: anyhow::Error, hint: &str) -> Self {
        Self {
            error,
            hint: Some(hint.to_owned()),
            exit: Exit::Failed,
        }
    }

    /// A failure of whoever typed the command.
    pub(super) fn usage(error: anyhow::Error, hint: &str) -> Self {
        Self {
            exit: Exit::Usage,
            ..Self::new(error, hint)
        }
    }

    /// What somebody interrupted.
    pub(super) fn interrupted(error: anyhow::Error) -> Self {
        Self {
            error,
            hint: None,
            exit: Exit::Interrupted,
        }
    }

    /// How the command ends.
    pub(super) fn exit(&self) -> Exit {
        self.exit
    }

    /// What went wrong, on one line, and what to do about it.
    pub(super) fn into_parts(self) -> (String, String) {
        (format!("{:#}", self.error), self.hint.unwrap_or_default())
    }

    /// Whether the reader of our output went away, which is no failure.
    pub(super) fn is_broken_pipe(&self) -> bool {
        self.error.chain().any(|cause| {
            cause
                .downcast_ref::<std::io::Error>()
                .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
        })
    }

    /// One line what, one line a cause, one line what to do.
    pub(super) fn to_text(&self) -> String {
        let mut text = format!("error: {}\n", printable(&self.error.to_string()));
        let mut said = self.error.to_string();
        for cause in self.error.chain().skip(1) {
            let cause = cause.to_string();
            // A transparent wrapper repeats its cause word for word.
            if cause != said {
                text = format!("{text}  caused by: {}\n", lines(&cause));
            }
            said = cause;
        }
        if let Some(hint) = &self.hint {
            text = format!("{text}hint: {}\n", printable(hint));
        }
        text
    }
}

/// Keeps the lines of a cause that has some (a manifest's excerpt), indented.
fn lines(cause: &str) -> String {
    let lines: Vec<String> = cause.lines().map(printable).collect();
    lines.join("\n    ")
}
