//! What a person sees of a running ingest: a bar on a terminal, a line now and
//! then in a log, nothing when asked for quiet. Writes the file of rejects.

use std::fs::File;
use std::io::{BufWriter, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use indicatif::{HumanDuration, ProgressBar, ProgressStyle};

use super::failure::Failure;
use super::terminal::{is_watched, tell};
use crate::entity::{Outcome, Problem};
use crate::ingest::Observer;
use crate::render::printable;

/// Pause between two lines where there is no terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// Problems that are told one by one; a file of rejects takes them all.
const TOLD_PROBLEMS: u64 = 20;

/// Observer of one run.
pub(super) struct Progress {
    quiet: bool,
    bar: Option<ProgressBar>,
    state: Mutex<State>,
}

struct State {
    start: Instant,
    last_line: Instant,
    discovered: u64,
    complete: bool,
    ended: u64,
    problems: u64,
    /// The first of them, as they were told.
    told: Vec<String>,
    rejects: Option<Rejects>,
}

struct Rejects {
    path: PathBuf,
    out: BufWriter<File>,
    fault: Option<std::io::Error>,
}

impl Progress {
    /// Opens the file of rejects and, on a terminal, the bar.
    pub(super) fn start(quiet: bool, rejects: Option<&Path>) -> Result<Self, Failure> {
        let rejects = match rejects {
            None => None,
            Some(path) => {
                let file = File::create(path)
                    .with_context(|| format!("cannot write the rejects to {}", path.display()))
                    .map_err(|error| Failure::new(error, "check the path and its permissions"))?;
                Some(Rejects {
                    path: path.to_owned(),
                    out: BufWriter::new(file),
                    fault: None,
                })
            }
        };
        let bar = (!quiet && is_watched()).then(bar);
        let now = Instant::now();
        Ok(Self {
            quiet,
            bar,
            state: Mutex::new(State {
                start: now,
                last_line: now,
                discovered: 0,
                complete: false,
                ended: 0,
                problems: 0,
                told: Vec::new(),
                rejects,
            }),
        })
    }

    /// Counts from the start, for another walk over the same pictures: what was
    /// told of them is not told again, and rejects are written anew.
    pub(super) fn restart(&self) {
        let mut state = self.state();
        let now = Instant::now();
        (state.start, state.last_line) = (now, now);
        (state.discovered, state.ended, state.problems) = (0, 0, 0);
        state.complete = false;
        if let Some(rejects) = &mut state.rejects {
            rejects.restart();
        }
        if let Some(bar) = &self.bar {
            bar.reset();
        }
    }

    /// Takes the bar away and makes sure that every reject is on disk.
    pub(super) fn finish(&self) -> Result<(), Failure> {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let mut state = self.state();
        if !self.quiet && state.problems > TOLD_PROBLEMS {
            let more = state.problems - TOLD_PROBLEMS;
            let hint = if state.rejects.is_some() {
                ""
            } else {
                " (--rejects FILE lists them all)"
            };
            tell(&format!(
                "warning: {more} more pictures were rejected or failed{hint}"
            ));
        }
        let Some(rejects) = &mut state.rejects else {
            return Ok(());
        };
        let flushed = match rejects.fault.take() {
            Some(fault) => Err(fault),
            None => rejects.out.flush(),
        };
        flushed
            .with_context(|| format!("cannot write the rejects to {}", rejects.path.display()))
            .map_err(|error| {
                Failure::new(error, "the run itself went on to its end; free some space and run it again: stored pictures are not sent twice")
            })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn say(&self, line: &str) {
        if self.quiet {
            return;
        }
        match &self.bar {
            Some(bar) => bar.suspend(|| tell(line)),
            None => tell(line),
        }
    }
}

impl Observer for Progress {
    fn discovered(&self) {
        let mut state = self.state();
        state.discovered += 1;
        if let Some(bar) = &self.bar {
            bar.set_length(state.discovered);
        }
    }

    fn discovery_ended(&self) {
        self.state().complete = true;
    }

    fn ended(&self, outcome: &Outcome) {
        let mut state = self.state();
        state.ended += 1;
        if let Some(bar) = &self.bar {
            bar.set_position(state.ended);
        }
        if let Outcome::Rejected(problem) | Outcome::Failed(problem) = outcome {
            state.problems += 1;
            if let Some(rejects) = &mut state.rejects {
                rejects.write(problem);
            }
            if state.problems <= TOLD_PROBLEMS {
                let line = format!(
                    "warning: {}: {}: {}",
                    printable(&problem.path.to_string_lossy()),
                    problem.stage,
                    printable(&problem.reason)
                );
                if !state.told.contains(&line) {
                    self.say(&line);
                    state.told.push(line);
                }
            }
        }
        if self.bar.is_none() && state.last_line.elapsed() >= LINE_INTERVAL {
            state.last_line = Instant::now();
            self.say(&state.line());
        }
    }

    fn note(&self, message: &str) {
        self.say(&printable(message));
    }
}

impl Rejects {
    fn restart(&mut self) {
        let emptied = self.out.flush().and_then(|()| {
            let mut file = self.out.get_ref();
            file.rewind()?;
            file.set_len(0)
        });
        if let Err(fault) = emptied {
            self.fault.get_or_insert(fault);
        }
    }

    fn write(&mut self, problem: &Problem) {
        if self.fault.is_some() {
            return;
        }
        let mut line = serde_json::json!({
            "path": problem.path.to_string_lossy(),
            "stage": problem.stage,
            "reason": problem.reason,
        });
        if problem.path.to_str().is_none() {
            let bytes = problem.path.as_os_str().as_encoded_bytes();
            line["path_base64"] = STANDARD.encode(bytes).into();
        }
        let written = serde_json::to_writer(&mut self.out, &line)
            .map_err(std::io::Error::from)
            .and_then(|()| self.out.write_all(b"\n"));
        self.fault = written.err();
    }
}

impl State {
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    fn line(&self) -> String {
        let rate = self.ended as f64 / self.start.elapsed().as_secs_f64().max(0.001);
        let left = if self.complete {
            let seconds = (self.discovered - self.ended) as f64 / rate.max(0.001);
            format!(", {} left", HumanDuration(Duration::from_secs_f64(seconds)))
        } else {
            String::new()
        };
        let sign = if self.complete { "" } else { "+" };
        format!(
            "{} of {}{sign} pictures, {rate:.1}/s{left}",
            self.ended, self.discovered
        )
    }
}

fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template(
        "{bar:32} {human_pos} of {human_len} pictures, {per_sec}, {eta} left",
    )
    .expect("the template is a constant; this is a bug");
    let bar = ProgressBar::new(0).with_style(style);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
