//! Running the real binaries and comparing what they say.

pub mod under_way;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The checkout.
pub fn repo() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The gallery of pictures that is ingested.
pub fn gallery() -> PathBuf {
    repo().join("tests/gallery")
}

/// One of the three binaries under test, away from the user's own settings.
#[derive(Debug, Clone)]
pub struct Run {
    binary: &'static str,
    /// A program that runs it, with its own arguments.
    under: Vec<String>,
    args: Vec<OsString>,
    env: BTreeMap<String, String>,
    folder: PathBuf,
    stdin: Vec<u8>,
}

/// What a run said.
#[derive(Debug, Clone)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

pub fn ingest() -> Run {
    Run::new(env!("CARGO_BIN_EXE_ingest"))
}

pub fn search() -> Run {
    Run::new(env!("CARGO_BIN_EXE_search"))
}

pub fn models() -> Run {
    Run::new(env!("CARGO_BIN_EXE_models"))
}

impl Run {
    fn new(binary: &'static str) -> Self {
        Self {
            binary,
            under: Vec::new(),
            args: Vec::new(),
            env: BTreeMap::new(),
            folder: std::env::temp_dir(),
            stdin: Vec::new(),
        }
    }

    pub fn arg(mut self, arg: impl AsRef<Path>) -> Self {
        self.args.push(arg.as_ref().as_os_str().to_owned());
        self
    }

    /// Words separated by spaces.
    pub fn args(mut self, args: &str) -> Self {
        self.args
            .extend(args.split_whitespace().map(OsString::from));
        self
    }

    /// Words separated by spaces: a program that runs it.
    pub fn under(mut self, words: &str) -> Self {
        self.under
            .extend(words.split_whitespace().map(str::to_owned));
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    pub fn folder(mut self, folder: &Path) -> Self {
        folder.clone_into(&mut self.folder);
        self
    }

    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// The command, for tests that drive it themselves.
    pub fn command(&self) -> Command {
        let mut words = self.under.iter().map(String::as_str).chain([self.binary]);
        let mut command = Command::new(words.next().unwrap());
        command.args(words);
        for name in std::env::vars_os().map(|(name, _)| name) {
            let ours = ["MILVUS_", "HF_", "RUST_LOG", "XDG_CONFIG_HOME", "NO_COLOR"];
            if ours
                .iter()
                .any(|prefix| name.to_string_lossy().starts_with(prefix))
            {
                command.env_remove(name);
            }
        }
        command
            .args(&self.args)
            .env("HOME", "/nonexistent")
            .envs(&self.env)
            .current_dir(&self.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub fn run(&self) -> Ran {
        use std::io::Write;
        let mut child = self.command().spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let bytes = self.stdin.clone();
        let writing = std::thread::spawn(move || {
            // A command that does not read its input closes it.
            let _closed = stdin.write_all(&bytes).is_err();
        });
        let output = child.wait_with_output().unwrap();
        writing.join().unwrap();
        Ran {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    /// Fails with everything that was said, unless the code is this one.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.text(&[]));
        self
    }

    /// The one JSON document on standard output.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        assert_eq!(self.stdout.lines().count(), 1, "{}", self.text(&[]));
        serde_json::from_str(&self.stdout).unwrap()
    }

    /// Exit code and both streams, with each `hidden.0` written as `hidden.1`.
    pub fn text(&self, hidden: &[(&str, &str)]) -> String {
        let mut text = format!(
            "exit code: {}\n----- stdout -----\n{}----- stderr -----\n{}",
            self.code.map_or("none".to_owned(), |code| code.to_string()),
            self.stdout,
            self.stderr
        );
        let repo = repo();
        let always = [(repo.to_str().unwrap(), "[REPO]")];
        for (what, name) in hidden.iter().chain(&always) {
            text = text.replace(what, name);
        }
        hide_seconds(&text)
    }
}

/// `, 1.2 s` differs from run to run.
fn hide_seconds(text: &str) -> String {
    let lines = text.lines().map(|line| match line.rsplit_once(", ") {
        Some((before, after)) if after.ends_with(" s") => format!("{before}, [TIME]"),
        _ => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}
