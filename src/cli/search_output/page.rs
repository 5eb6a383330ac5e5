//! The answer as a page: into a file, onto standard output, into the browser.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, anyhow};

use super::Show;
use super::pictures::{self, Form, Size};
use crate::cli::failure::Failure;
use crate::cli::terminal::{self, tell};
use crate::render::html::{self, FileUri};

/// A page's thumbnails: sharp on a screen of two pixels a point.
const THUMBNAIL: Size = Size {
    width: 400,
    height: 400,
    form: Form::Jpeg,
};

/// A browser that has not failed by then has started.
const OPENER_PATIENCE: Duration = Duration::from_secs(3);

impl Show<'_> {
    pub(super) fn page_to_stdout(&self) -> Result<(), Failure> {
        terminal::print(|out| self.write_page(out))?;
        self.not_interrupted()
    }

    /// The file appears whole or not at all.
    pub(super) fn page_to_file(&self, file: &Path) -> Result<(), Failure> {
        self.page_through_neighbour(file)?;
        self.tell_of(file);
        if self.args.open { open(file) } else { Ok(()) }
    }

    pub(super) fn page_to_temporary_file(&self) -> Result<(), Failure> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let stamp = since.unwrap_or_default().as_nanos();
        let name = format!("search-{}-{stamp:x}.html", std::process::id());
        let file = std::env::temp_dir().join(name);
        let written = create_private(&file).and_then(|mut page| {
            self.write_page(&mut page)?;
            page.flush()
        });
        written.map_err(|error| cannot_write(error, &file))?;
        self.not_interrupted().inspect_err(|_| remove(&file))?;
        self.tell_of(&file);
        open(&file)
    }

    fn write_page(&self, out: &mut impl Write) -> io::Result<()> {
        let question = self.question_pictures(THUMBNAIL);
        let hits = self.hit_sources();
        pictures::in_order(&hits, THUMBNAIL, &self.cancel, |pictures| {
            html::write_answer(self.view, &question, pictures, out)
        })
    }

    fn page_through_neighbour(&self, file: &Path) -> Result<(), Failure> {
        // Through links to what they name; a device or a FIFO is written to.
        let target = file.canonicalize().unwrap_or_else(|_| file.to_owned());
        let is_special = target.metadata().is_ok_and(|metadata| !metadata.is_file());
        let written = if is_special {
            File::create(&target).and_then(|page| {
                let mut page = BufWriter::new(page);
                self.write_page(&mut page)?;
                page.flush()
            })
        } else {
            self.write_and_rename(&target)
        };
        written.map_err(|error| cannot_write(error, file))?;
        self.not_interrupted()
    }

    fn write_and_rename(&self, target: &Path) -> io::Result<()> {
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let neighbour = target.with_file_name(format!(".{name}.{}", std::process::id()));
        let written = create_new(&neighbour).and_then(|mut page| {
            self.write_page(&mut page)?;
            page.flush()
        });
        if self.cancel.is_cancelled() {
            remove(&neighbour);
            return Ok(());
        }
        written
            .and_then(|()| std::fs::rename(&neighbour, target))
            .inspect_err(|_| remove(&neighbour))
    }

    fn tell_of(&self, file: &Path) {
        if self.quiet {
            return;
        }
        let bytes = file.metadata().map_or(0, |metadata| metadata.len());
        let pictures = match self.view.hits.len() {
            1 => "1 picture".to_owned(),
            several => format!("{several} pictures"),
        };
        let kilobytes = bytes.div_ceil(1000);
        tell(&format!(
            "wrote {}: {pictures}, {kilobytes} kB",
            crate::render::printable(&file.to_string_lossy())
        ));
    }
}

/// A file that was not there.
fn create_new(file: &Path) -> io::Result<BufWriter<File>> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    Ok(BufWriter::new(options.open(file)?))
}

/// One that others may not read: it shows pictures, in a folder of everybody's.
fn create_private(file: &Path) -> io::Result<BufWriter<File>> {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.write(true).create_new(true);
    Ok(BufWriter::new(options.open(file)?))
}

/// What is left of a page; whoever wrote it is on the way out.
fn remove(file: &Path) {
    let _gone = std::fs::remove_file(file).is_err();
}

fn cannot_write(error: io::Error, file: &Path) -> Failure {
    Failure::new(
        anyhow::Error::from(error).context(format!("cannot write the page {}", file.display())),
        "check that its folder is there, may be written and has room",
    )
}

/// Opens the page as the system opens pages.
fn open(file: &Path) -> Result<(), Failure> {
    let path = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let uri = FileUri(&path.to_string_lossy()).to_string();
    let hint = format!("open it yourself: {uri}");
    let opener = if cfg!(target_os = "macos") {
        "open"
    } else {
        "xdg-open"
    };
    start(opener, &path).map_err(|error| Failure::new(error, &hint))
}

/// Starts a browser, and waits for it to fail: one that runs in the foreground
/// never says that it succeeded.
fn start(opener: &'static str, page: &PathBuf) -> anyhow::Result<()> {
    let mut child = Command::new(opener)
        .arg(page)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot open the page: `{opener}` does not start"))?;
    let (sender, receiver) = mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let _nobody_waits = sender.send(child.wait()).is_err();
    });
    match receiver.recv_timeout(OPENER_PATIENCE) {
        Ok(Ok(status)) if !status.success() => Err(anyhow!(
            "cannot open the page: `{opener}` found no browser ({status})"
        )),
        Ok(Err(error)) => Err(anyhow::Error::from(error).context("cannot open the page")),
        _ => Ok(()),
    }
}
