//! Thumbnails of an answer's pictures: read, decoded and made small on several
//! cores, and given out in order.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::catalog;
use crate::config::ImageLimits;
use crate::entity::chain;
use crate::imaging::{Thumbnailer, decode, to_jpeg, to_png};
use crate::ingest::Cancel;
use crate::render::terminal::Protocol;
use crate::render::{Shown, Thumbnail};

/// Most threads: more would wait for the disk.
const MOST_WORKERS: usize = 8;

/// Thumbnails that a worker may be ahead of who shows them: with 8 workers and
/// 500 KB each (a grid's pixels) 12 MB.
const AHEAD: usize = 3;

/// Longest wait for one picture: a person waits too.
const MAX_DECODE: Duration = Duration::from_secs(10);

/// Files of more bytes are decoded one at a time: they may take 600 MB each.
const LARGE_BYTES: usize = 8 << 20;

/// How soon an interruption is noticed.
const POLL: Duration = Duration::from_millis(50);

/// Where a picture's bytes are.
#[derive(Debug, Clone)]
pub(in crate::cli) enum Source {
    /// Here.
    Bytes(Vec<u8>),
    /// In a file, which may be gone by now.
    File(PathBuf),
}

/// What a thumbnail's bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Rgb,
    Png,
    Jpeg,
}

impl Form {
    /// What a terminal takes. iTerm2's takes every file: JPEGs are smallest.
    pub(super) fn of(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Kitty => Self::Png,
            Protocol::Iterm2 => Self::Jpeg,
            Protocol::Sixel | Protocol::Blocks { .. } => Self::Rgb,
        }
    }
}

/// How large a thumbnail may be, and of what form.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) form: Form,
}

/// Calls `show` with a thumbnail of each source, in order. They end early where
/// the run is interrupted.
pub(super) fn in_order<R>(
    sources: &[Source],
    size: Size,
    cancel: &Cancel,
    show: impl FnOnce(&mut dyn Iterator<Item = Shown>) -> R,
) -> R {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let workers = cores.min(MOST_WORKERS).min(sources.len());
    let large = Mutex::new(());
    thread::scope(|scope| {
        // Each worker has every n-th picture, so taking from them by turns
        // gives the order back.
        let receivers = (0..workers).map(|worker| {
            let (sender, receiver) = sync_channel(AHEAD);
            let large = &large;
            let mine = sources.iter().skip(worker).step_by(workers);
            scope.spawn(move || work(mine, size, large, &sender));
            receiver
        });
        let receivers: Vec<Receiver<Shown>> = receivers.collect();
        let mut turns =
            (0..sources.len()).map_while(|index| take(&receivers[index % workers], cancel));
        show(&mut turns)
        // The receivers go here, and with them every worker that sends.
    })
}

fn take(receiver: &Receiver<Shown>, cancel: &Cancel) -> Option<Shown> {
    loop {
        if cancel.is_cancelled() {
            return None;
        }
        match receiver.recv_timeout(POLL) {
            Ok(shown) => return Some(shown),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
}

fn work<'a>(
    sources: impl Iterator<Item = &'a Source>,
    size: Size,
    large: &Mutex<()>,
    sender: &SyncSender<Shown>,
) {
    let mut thumbnailer = Thumbnailer::default();
    for source in sources {
        let shown = thumbnail(source, size, large, &mut thumbnailer);
        if sender.send(shown).is_err() {
            return;
        }
    }
}

fn thumbnail(
    source: &Source,
    size: Size,
    large: &Mutex<()>,
    thumbnailer: &mut Thumbnailer,
) -> Shown {
    let limits = ImageLimits {
        max_decode: MAX_DECODE,
        ..ImageLimits::default()
    };
    let read;
    let bytes = match source {
        Source::Bytes(bytes) => bytes,
        Source::File(path) => {
            read = read_file(path, &limits)?;
            &read
        }
    };
    let alone =
        (bytes.len() > LARGE_BYTES).then(|| large.lock().unwrap_or_else(PoisonError::into_inner));
    let image = decode(bytes, &limits).map_err(|error| chain(&error))?;
    let small = thumbnailer.fit(image, size.width, size.height);
    drop(alone);
    Ok(Thumbnail {
        width: small.width,
        height: small.height,
        bytes: match size.form {
            Form::Rgb => small.pixels,
            Form::Png => to_png(&small),
            Form::Jpeg => to_jpeg(&small),
        },
    })
}

fn read_file(path: &Path, limits: &ImageLimits) -> Result<Vec<u8>, String> {
    catalog::read_file(path, limits.max_file_bytes)
        .map(|content| content.bytes)
        .map_err(|error| match path.try_exists() {
            Ok(false) => "the file is gone".to_owned(),
            _ => error.to_string(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size {
        width: 20,
        height: 20,
        form: Form::Rgb,
    };

    fn fixture(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/fixtures/images")
            .join(name)
    }

    #[test]
    fn thumbnails_come_in_order_and_faults_are_told() {
        let names = ["rgb.jpg", "gone.jpg", "rgb.png", "truncated.jpg"];
        let sources: Vec<Source> = (0..40)
            .map(|index| Source::File(fixture(names[index % 4])))
            .collect();
        let shown = in_order(&sources, SIZE, &Cancel::default(), |pictures| {
            pictures.collect::<Vec<Shown>>()
        });
        assert_eq!(shown.len(), 40);
        for (index, shown) in shown.into_iter().enumerate() {
            match (index % 4, shown) {
                (0 | 2, Ok(picture)) => {
                    assert!(picture.width.max(picture.height) == 20, "{picture:?}");
                    let pixels = (picture.width * picture.height * 3) as usize;
                    assert_eq!(picture.bytes.len(), pixels);
                }
                (1, Err(reason)) => assert_eq!(reason, "the file is gone"),
                (3, Err(reason)) => assert!(reason.contains("JPEG"), "{reason}"),
                (place, other) => panic!("{place}: {other:?}"),
            }
        }
    }

    #[test]
    fn the_question_has_its_bytes_with_it() {
        let bytes = std::fs::read(fixture("rgb.jpg")).unwrap();
        let size = Size {
            form: Form::Png,
            ..SIZE
        };
        let shown = in_order(
            &[Source::Bytes(bytes)],
            size,
            &Cancel::default(),
            |pictures| pictures.next().unwrap().unwrap(),
        );
        assert!(shown.bytes.starts_with(b"\x89PNG"));
    }

    #[test]
    fn who_stops_looking_and_who_interrupts_ends_it() {
        let sources = vec![Source::File(fixture("rgb.jpg")); 1000];
        let first = in_order(&sources, SIZE, &Cancel::default(), |pictures| {
            pictures.take(3).count()
        });
        assert_eq!(first, 3);
        let cancel = Cancel::default();
        let seen = in_order(&sources, SIZE, &cancel, |pictures| {
            let pictures = pictures.inspect(|_| cancel.cancel());
            pictures.count()
        });
        assert_eq!(seen, 1);
        let none = in_order(&[], SIZE, &cancel, |pictures| pictures.count());
        assert_eq!(none, 0);
    }
}
