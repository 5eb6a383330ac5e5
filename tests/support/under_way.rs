//! A command under way, whose standard error is read as it comes.

use std::io::Read;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{Ran, Run};

/// Longest wait for anything that a command does.
const LIMIT: Duration = Duration::from_secs(60);

pub struct UnderWay {
    child: Child,
    stdout: JoinHandle<String>,
    stderr: Arc<Mutex<String>>,
    reading: JoinHandle<()>,
}

impl Run {
    /// Starts it, with nothing on its standard input.
    pub fn start(&self) -> UnderWay {
        let mut child = self.command().spawn().unwrap();
        drop(child.stdin.take());
        let mut out = child.stdout.take().unwrap();
        let stdout = std::thread::spawn(move || {
            let mut text = String::new();
            out.read_to_string(&mut text).unwrap();
            text
        });
        let mut from = child.stderr.take().unwrap();
        let stderr = Arc::new(Mutex::new(String::new()));
        let into = Arc::clone(&stderr);
        let reading = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = from.read(&mut buffer) {
                let text = String::from_utf8_lossy(&buffer[..read]).into_owned();
                into.lock().unwrap().push_str(&text);
            }
        });
        UnderWay {
            child,
            stdout,
            stderr,
            reading,
        }
    }
}

impl UnderWay {
    /// What it has said on standard error so far.
    pub fn said(&self) -> String {
        self.stderr.lock().unwrap().clone()
    }

    #[track_caller]
    pub fn wait_for(&mut self, what: &str, holds: impl Fn(&str) -> bool) {
        let begun = Instant::now();
        while !holds(&self.said()) {
            let over = self.has_ended() || begun.elapsed() > LIMIT;
            let said = self.said();
            assert!(!over || holds(&said), "{what} does not come: {said}");
            nap();
        }
    }

    /// Sends a signal, such as `-TERM`.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([name, &pid]).status();
        assert!(sent.unwrap().success());
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits until it has ended, at most `limit`.
    #[track_caller]
    pub fn end_within(mut self, limit: Duration) -> Ran {
        let begun = Instant::now();
        while !self.has_ended() {
            let goes_on = begun.elapsed() > limit;
            if goes_on {
                self.child.kill().unwrap();
            }
            assert!(!goes_on, "it goes on after {limit:?}: {}", self.said());
            nap();
        }
        self.finish()
    }

    /// Kills it, as `kill -9` does; one that has ended has its exit code.
    pub fn kill(mut self) -> Ran {
        self.child.kill().unwrap();
        self.finish()
    }

    /// Waits until it has ended.
    pub fn finish(mut self) -> Ran {
        let code = self.child.wait().unwrap().code();
        self.reading.join().unwrap();
        Ran {
            code,
            stdout: self.stdout.join().unwrap(),
            stderr: self.stderr.lock().unwrap().clone(),
        }
    }
}

fn nap() {
    std::thread::park_timeout(Duration::from_millis(5));
}
