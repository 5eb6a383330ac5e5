//! Walks folders and lists, and tells pictures from everything else.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ffi::OsString;
use std::hash::{BuildHasher, RandomState};
use std::io::BufRead;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use super::format::{Recognised, recognise};
use super::source::{Candidate, Source};
use crate::entity::{ImageId, Problem, Stage};

/// One finding of [`discover`].
#[derive(Debug)]
pub enum Found {
    /// A picture to ingest.
    Image(Candidate),
    /// An entry that is not a picture and does not claim to be.
    Skipped(Skip),
    /// It claims to be a picture, and cannot be one for us.
    Rejected(Problem),
    /// It may be fine, but could not be looked at.
    Failed(Problem),
}

/// Why an entry is passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skip {
    /// Its name, or that of a folder above it, starts with a dot.
    Hidden,
    /// It is no picture.
    NotAnImage,
}

/// How paths become sources.
#[derive(Debug, Clone, Default)]
pub struct Roots {
    /// Folder that relative paths count from; without it a folder counts from
    /// itself, and a file from the folder it lies in.
    pub root: Option<PathBuf>,
    /// Name of the source; without it the root folder's own name.
    pub name: Option<String>,
}

/// Paths to look at: from the command line, then from a list.
pub struct Entries {
    paths: std::vec::IntoIter<PathBuf>,
    list: Option<Box<dyn BufRead + Send>>,
    separator: Option<u8>,
}

impl std::fmt::Debug for Entries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entries").finish_non_exhaustive()
    }
}

impl Entries {
    /// `paths`, then those in `list`: one a line, or NUL-separated where its
    /// first block holds a NUL.
    pub fn new(paths: Vec<PathBuf>, list: Option<Box<dyn BufRead + Send>>) -> Self {
        Self {
            paths: paths.into_iter(),
            list,
            separator: None,
        }
    }

    fn next_listed(&mut self) -> Option<std::io::Result<PathBuf>> {
        let list = self.list.as_mut()?;
        loop {
            let mut line = Vec::new();
            let separator = match self.separator {
                Some(separator) => separator,
                None => match list.fill_buf() {
                    Ok(block) => *self
                        .separator
                        .insert(if block.contains(&0) { 0 } else { b'\n' }),
                    Err(error) => return Some(Err(error)),
                },
            };
            match list.read_until(separator, &mut line) {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) => return Some(Err(error)),
            }
            if line.last() == Some(&separator) {
                line.pop();
            }
            if separator == b'\n' && line.last() == Some(&b'\r') {
                line.pop();
            }
            if !line.is_empty() {
                return Some(Ok(path_from_bytes(line)));
            }
        }
    }
}

impl Iterator for Entries {
    type Item = std::io::Result<PathBuf>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(path) = self.paths.next() {
            return Some(Ok(path));
        }
        let next = self.next_listed();
        if matches!(next, None | Some(Err(_))) {
            // A list that failed once would fail for ever.
            self.list = None;
        }
        next
    }
}

#[cfg(unix)]
fn path_from_bytes(bytes: Vec<u8>) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    OsString::from_vec(bytes).into()
}

#[cfg(not(unix))]
fn path_from_bytes(bytes: Vec<u8>) -> PathBuf {
    OsString::from(String::from_utf8_lossy(&bytes).into_owned()).into()
}

/// Every finding below `entries`, in a fixed order. Lazy: the next entry is
/// looked at when it is asked for.
pub fn discover(entries: Entries, roots: Roots) -> impl Iterator<Item = Found> + Send {
    let mut seen = Seen::default();
    let mut last_source = None;
    entries
        .flat_map(move |entry| match entry {
            Ok(path) => look_at(&path, &roots, &mut last_source),
            Err(error) => Box::new(std::iter::once(failed(
                Path::new("--files-from"),
                format!("the list cannot be read: {error}"),
            ))),
        })
        .filter_map(move |found| seen.check(found))
}

type Findings = Box<dyn Iterator<Item = Found> + Send>;

fn look_at(path: &Path, roots: &Roots, last: &mut Option<(PathBuf, Source)>) -> Findings {
    let one = |found| Box::new(std::iter::once(found)) as Findings;
    let metadata = match path.metadata() {
        Ok(metadata) => metadata,
        Err(error) => return one(failed(path, error.to_string())),
    };
    let folder = match (metadata.is_dir(), path.file_name(), path.parent()) {
        (true, _, _) | (false, None, _) => path,
        (false, Some(_), Some(parent)) if parent.as_os_str().is_empty() => Path::new("."),
        (false, Some(_), Some(parent)) => parent,
        (false, Some(_), None) => Path::new("."),
    };
    let resolved = resolve(folder, roots, last);
    let (folder, source) = match resolved {
        Ok(resolved) => resolved,
        Err(reason) => return one(failed(path, reason)),
    };
    if metadata.is_dir() {
        return Box::new(walk(folder, source));
    }
    let path = path
        .file_name()
        .map_or_else(|| folder.clone(), |name| folder.join(name));
    one(examine(path, &metadata, &source, true))
}

/// The folder, canonical, and the source that its pictures belong to. The
/// last one is kept, since a list names many files of one folder in a row.
fn resolve(
    folder: &Path,
    roots: &Roots,
    last: &mut Option<(PathBuf, Source)>,
) -> Result<(PathBuf, Source), String> {
    let canonical = folder.canonicalize().map_err(|error| error.to_string())?;
    let root = roots.root.as_deref().unwrap_or(&canonical);
    let source = match last {
        Some((known, source)) if known == root => source.clone(),
        _ => {
            let source = Source::new(root, roots.name.as_deref())
                .map_err(|error| format!("{}: {error}", root.display()))?;
            *last = Some((root.to_owned(), source.clone()));
            source
        }
    };
    if canonical.starts_with(&source.root) {
        Ok((canonical, source))
    } else {
        Err(format!("it is not below the root {}", root.display()))
    }
}

fn walk(folder: PathBuf, source: Source) -> impl Iterator<Item = Found> + Send {
    let mut entries = WalkDir::new(&folder)
        .follow_links(true)
        .sort_by_file_name()
        .into_iter();
    std::iter::from_fn(move || {
        loop {
            let entry = match entries.next()? {
                Ok(entry) => entry,
                Err(error) => return Some(walk_error(&folder, &error)),
            };
            if entry.depth() > 0 && is_hidden(&entry) {
                if entry.file_type().is_dir() {
                    entries.skip_current_dir();
                }
                return Some(Found::Skipped(Skip::Hidden));
            }
            if entry.file_type().is_dir() {
                continue;
            }
            return Some(match entry.metadata() {
                Ok(metadata) => examine(entry.into_path(), &metadata, &source, false),
                Err(error) => failed(entry.path(), error.to_string()),
            });
        }
    })
}

fn is_hidden(entry: &DirEntry) -> bool {
    entry.file_name().as_encoded_bytes().starts_with(b".")
}

fn walk_error(folder: &Path, error: &walkdir::Error) -> Found {
    let path = error.path().unwrap_or(folder);
    let reason = match (error.loop_ancestor(), error.io_error()) {
        (Some(ancestor), _) => format!("a symbolic link that leads back to {}", ancestor.display()),
        (None, Some(cause)) => cause.to_string(),
        (None, None) => error.to_string(),
    };
    failed(path, reason)
}

/// Tells what one file is. One that the user named is never skipped.
fn examine(
    path: PathBuf,
    metadata: &std::fs::Metadata,
    source: &Source,
    named_by_user: bool,
) -> Found {
    if !metadata.is_file() {
        // A FIFO or a device would block or never end: it is not opened.
        return if named_by_user {
            rejected(path, "it is not a regular file".to_owned())
        } else {
            Found::Skipped(Skip::NotAnImage)
        };
    }
    match recognise(&path) {
        Ok(Recognised::Image(_)) => match source.candidate(path.clone(), metadata) {
            Some(candidate) => Found::Image(candidate),
            None => rejected(
                path,
                "its path is not UTF-8, which Milvus cannot store: rename it".to_owned(),
            ),
        },
        Ok(Recognised::NotDecodable(reason)) => rejected(path, reason.to_owned()),
        Ok(Recognised::Other) if named_by_user => {
            rejected(path, "the content is not a picture".to_owned())
        }
        Ok(Recognised::Other) => Found::Skipped(Skip::NotAnImage),
        Err(error) => failed(&path, error.to_string()),
    }
}

fn rejected(path: PathBuf, reason: String) -> Found {
    Found::Rejected(Problem {
        path,
        stage: Stage::Discover,
        reason,
    })
}

fn failed(path: &Path, reason: String) -> Found {
    Found::Failed(Problem {
        path: path.to_owned(),
        stage: Stage::Discover,
        reason,
    })
}

/// Pictures of this run by id: one reached twice counts once, and of two that
/// would share an id the second is refused, since it would overwrite the first.
#[derive(Default)]
struct Seen {
    path_hashes: HashMap<ImageId, u64>,
    hasher: RandomState,
}

impl Seen {
    fn check(&mut self, found: Found) -> Option<Found> {
        let Found::Image(candidate) = found else {
            return Some(found);
        };
        let path_hash = self.hasher.hash_one(&candidate.path);
        match self.path_hashes.entry(candidate.id.clone()) {
            Entry::Vacant(free) => {
                free.insert(path_hash);
                Some(Found::Image(candidate))
            }
            Entry::Occupied(taken) if *taken.get() == path_hash => None,
            Entry::Occupied(_) => Some(rejected(
                candidate.path,
                "another picture of this run has the same source name and relative path: pass a common --root, or ingest the folders one by one with different --source names".to_owned(),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    const JPEG: &[u8] = &[0xFF, 0xD8, 0xFF, 0xE0, 0, 0];

    fn tree() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for name in [
            "shop/b.jpg",
            "shop/a/a.jpg",
            "shop/.git/x.jpg",
            "other/b.jpg",
        ] {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, JPEG).unwrap();
        }
        std::fs::write(dir.path().join("shop/.hidden.jpg"), JPEG).unwrap();
        std::fs::write(dir.path().join("shop/names.csv"), "id,name").unwrap();
        std::fs::write(dir.path().join("shop/text.jpg"), "hello").unwrap();
        dir
    }

    fn run(paths: &[PathBuf], list: Option<Vec<u8>>, roots: Roots) -> Vec<String> {
        let list = list.map(|bytes| Box::new(Cursor::new(bytes)) as Box<dyn BufRead + Send>);
        discover(Entries::new(paths.to_vec(), list), roots)
            .map(|found| match found {
                Found::Image(candidate) => format!("image {}", candidate.relative),
                Found::Skipped(skip) => format!("skipped {skip:?}"),
                Found::Rejected(problem) => format!("rejected {}", problem.reason),
                Found::Failed(problem) => format!("failed {}", problem.reason),
            })
            .collect()
    }

    #[test]
    fn walks_in_order_and_accounts_for_everything() {
        let dir = tree();
        let found = run(&[dir.path().join("shop")], None, Roots::default());
        assert_eq!(
            found,
            [
                "skipped Hidden",
                "skipped Hidden",
                "image a/a.jpg",
                "image b.jpg",
                "skipped NotAnImage",
                "rejected the content is not JPEG, PNG, WebP, GIF, BMP or TIFF",
            ]
        );
    }

    #[test]
    fn a_picture_reached_twice_counts_once() {
        let dir = tree();
        let shop = dir.path().join("shop");
        let found = run(
            &[
                shop.join("b.jpg"),
                shop.join("../shop/b.jpg"),
                shop.join("names.csv"),
            ],
            None,
            Roots::default(),
        );
        assert_eq!(
            found,
            ["image b.jpg", "rejected the content is not a picture"]
        );
    }

    #[test]
    fn two_pictures_with_one_identity_are_not_merged() {
        let dir = tree();
        let roots = Roots {
            root: None,
            name: Some("one".to_owned()),
        };
        let files = [
            dir.path().join("shop/b.jpg"),
            dir.path().join("other/b.jpg"),
        ];
        let found = run(&files, None, roots);
        assert_eq!(found[0], "image b.jpg");
        assert!(
            found[1].starts_with("rejected another picture"),
            "{found:?}"
        );

        let roots = Roots {
            root: Some(dir.path().to_owned()),
            name: None,
        };
        assert_eq!(
            run(&files, None, roots),
            ["image shop/b.jpg", "image other/b.jpg"]
        );
    }

    #[test]
    fn lists_are_split_by_newline_or_by_nul() {
        let dir = tree();
        let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        let (a, b) = (path("shop/b.jpg"), path("shop/a/a.jpg"));
        for list in [
            format!("{a}\n\n{b}"),
            format!("{a}\r\n{b}\r\n"),
            format!("{a}\0{b}\0"),
        ] {
            let found = run(&[], Some(list.clone().into_bytes()), Roots::default());
            assert_eq!(found, ["image b.jpg", "image a.jpg"], "{list:?}");
        }
        let outside = run(
            &[],
            Some(a.into_bytes()),
            Roots {
                root: Some(dir.path().join("other")),
                name: None,
            },
        );
        assert!(
            outside[0].starts_with("failed it is not below"),
            "{outside:?}"
        );
    }

    #[cfg(unix)]
    #[test]
    fn loops_and_missing_paths_fail_by_name() {
        let dir = tree();
        let shop = dir.path().join("shop");
        std::os::unix::fs::symlink(&shop, shop.join("a/loop")).unwrap();
        let found = run(&[shop, dir.path().join("nowhere")], None, Roots::default());
        assert!(
            found.iter().any(|f| f.contains("leads back to")),
            "{found:?}"
        );
        assert!(found.last().unwrap().starts_with("failed No such file"));
    }
}
