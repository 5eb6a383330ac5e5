//! What a picture is called: its source, relative path and id.

use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::entity::ImageId;

/// A file that was changed twice within one tick of its file system's clock
/// shows one time for two contents, so a young one is read when the tick is
/// over. The clock of Linux's file systems ticks each 10 ms at the slowest.
const TICK: Duration = Duration::from_millis(20);

/// As [`TICK`], where times have no fraction of a second: FAT keeps 2 s.
const COARSE_TICK: Duration = Duration::from_secs(2);

/// A folder of pictures under a name of its own. The name and the relative
/// path make the id, so a folder may move without its pictures becoming others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Name; the folder's own, unless one was given.
    pub name: SourceName,
    /// Absolute path of the folder.
    pub root: PathBuf,
}

/// A picture that discovery found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Primary key.
    pub id: ImageId,
    /// Absolute path.
    pub path: PathBuf,
    /// `path` as text.
    pub path_text: String,
    /// Path below the source's root, with `/` between its parts.
    pub relative: String,
    /// Size in bytes when it was found.
    pub bytes: u64,
    /// Modification time, in microseconds since 1970 (UTC).
    pub modified: i64,
    /// Source that it belongs to.
    pub source: SourceName,
}

/// A source as its pictures refer to it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SourceName {
    /// Its name.
    pub name: Arc<str>,
    /// Whether the run is about all of the source, or about single files of it.
    pub whole: bool,
}

impl Source {
    /// The folder `root`, called `name` or after itself; `whole` where the run
    /// is about all of it.
    ///
    /// # Errors
    /// The folder cannot be resolved.
    pub fn new(root: &Path, name: Option<&str>, whole: bool) -> std::io::Result<Self> {
        let root = root.canonicalize()?;
        let own_name = || match root.file_name() {
            Some(name) => name.to_string_lossy().into_owned(),
            None => "root".to_owned(),
        };
        Ok(Self {
            name: SourceName {
                name: name.map_or_else(own_name, str::to_owned).into(),
                whole,
            },
            root,
        })
    }

    /// The picture at `path`; `None` where the path is not below the root, or
    /// is not UTF-8, which neither Milvus nor JSON can hold.
    pub fn candidate(&self, path: PathBuf, metadata: &Metadata) -> Option<Candidate> {
        let path_text = path.to_str()?.to_owned();
        let relative = relative_text(path.strip_prefix(&self.root).ok()?)?;
        Some(Candidate {
            id: ImageId::new(&self.name.name, &relative),
            bytes: metadata.len(),
            modified: modified_micros(metadata),
            source: self.name.clone(),
            path,
            path_text,
            relative,
        })
    }
}

fn relative_text(path: &Path) -> Option<String> {
    let parts: Option<Vec<&str>> = path.iter().map(|part| part.to_str()).collect();
    Some(parts?.join("/"))
}

/// Microseconds since 1970; 0 where the file system keeps no time. Finer than
/// any kernel's clock for files, and exact as a JSON number.
pub(super) fn modified_micros(metadata: &Metadata) -> i64 {
    let Ok(modified) = metadata.modified() else {
        return 0;
    };
    match modified.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_micros()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |us| -us),
    }
}

/// The time now, in microseconds since 1970 (UTC).
pub fn now_micros() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| i64::try_from(now.as_micros()).unwrap_or(i64::MAX))
}

/// How long until a change of a file would show in its time `modified`, seen
/// at the time `now`: nothing for a time in the future. Microseconds since 1970.
pub fn until_settled(modified: i64, now: i64) -> Duration {
    let tick = match modified % 1_000_000 {
        0 => COARSE_TICK,
        _ => TICK,
    };
    match u64::try_from(now - modified) {
        Ok(age) => tick.saturating_sub(Duration::from_micros(age)),
        Err(_) => Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn young_files_are_waited_for() {
        let now = 1_700_000_000_000_000;
        let wait = |age: i64| until_settled(now - age, now).as_micros();
        assert_eq!(wait(5_001), 14_999);
        assert_eq!(wait(20_001), 0);
        assert_eq!(wait(0), 2_000_000);
        assert_eq!(wait(1_000_000), 1_000_000);
        assert_eq!(wait(-70), 0, "from the future: compared by content");
    }

    #[test]
    fn a_moved_folder_keeps_its_ids() {
        let dir = tempfile::tempdir().unwrap();
        let ids: Vec<ImageId> = ["a/shop", "b/shop"]
            .into_iter()
            .map(|root| {
                let root = dir.path().join(root);
                std::fs::create_dir_all(root.join("dress")).unwrap();
                let file = root.join("dress/1.jpg");
                std::fs::write(&file, "x").unwrap();
                let source = Source::new(&root, None, true).unwrap();
                assert_eq!(&*source.name.name, "shop");
                let file = file.canonicalize().unwrap();
                let candidate = source
                    .candidate(file.clone(), &file.metadata().unwrap())
                    .unwrap();
                assert_eq!(candidate.relative, "dress/1.jpg");
                candidate.id
            })
            .collect();
        assert_eq!(ids[0], ids[1]);
        assert_eq!(ids[0], ImageId::new("shop", "dress/1.jpg"));
    }

    #[test]
    fn the_folder_above_all_is_called_root() {
        for path in ["/", "/..", "/."] {
            let source = Source::new(Path::new(path), None, true).unwrap();
            assert_eq!(&*source.name.name, "root");
        }
        let here = Source::new(Path::new("."), None, true).unwrap();
        let folder = here.root.file_name().unwrap().to_str().unwrap();
        assert_eq!(&*here.name.name, folder);
        let given = Source::new(Path::new("/"), Some("shop"), true).unwrap();
        assert_eq!(&*given.name.name, "shop");
    }
}
