//! Walks folders and lists, and tells pictures from everything else.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::hash::{BuildHasher, RandomState};
use std::io::{BufRead, ErrorKind, Read};
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::format::{Recognised, claims_image, recognise};
use super::open::{kind_beside_file, reason};
use super::source::{Candidate, Source};
use crate::entity::{ImageId, PathKey, Problem, Stage};

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

/// Most bytes of one path in a list: 16 times what Linux opens.
const MAX_LISTED_BYTES: usize = 65_536;

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

    /// The folders on the command line, canonical, as far as they can be
    /// resolved.
    pub fn folders(&self) -> impl Iterator<Item = PathBuf> {
        let paths = self.paths.as_slice().iter();
        let paths = paths.filter_map(|path| path.canonicalize().ok());
        paths.filter(|path| path.is_dir())
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
            let most = MAX_LISTED_BYTES as u64 + 1;
            match list.take(most).read_until(separator, &mut line) {
                Ok(0) => return None,
                Ok(read) if read > MAX_LISTED_BYTES => {
                    let reason = "an entry is longer than any path: is it a list, one path a line or NUL-separated?";
                    return Some(Err(std::io::Error::other(reason)));
                }
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

/// Every finding below `entries`, in a fixed order, each path once. Lazy: the
/// next entry is looked at when it is asked for.
pub fn discover(entries: Entries, roots: Roots) -> impl Iterator<Item = Found> + Send {
    let mut seen = Seen::default();
    let mut last_source = None;
    entries
        .flat_map(move |entry| match entry {
            Ok(path) => look_at(&path, &roots, &mut last_source),
            Err(error) => {
                let reason = format!("the list cannot be read: {error}");
                one(failed(Path::new("--files-from").to_owned(), reason))
            }
        })
        .filter_map(move |sighting| seen.check(sighting))
}

/// What was found at a path that is absolute, wherever it can be.
type Sighting = (PathBuf, Found);

type Sightings = Box<dyn Iterator<Item = Sighting> + Send>;

fn one(sighting: Sighting) -> Sightings {
    Box::new(std::iter::once(sighting))
}

fn look_at(path: &Path, roots: &Roots, last: &mut Option<(PathBuf, Source)>) -> Sightings {
    let metadata = match path.metadata() {
        Ok(metadata) => metadata,
        Err(error) => return one(failed(place(path), unreachable_reason(path, &error))),
    };
    let folder = if metadata.is_dir() {
        path
    } else {
        folder_of(path)
    };
    let (folder, source) = match resolve(folder, metadata.is_dir(), roots, last) {
        Ok(resolved) => resolved,
        Err(reason) => return one(failed(place(path), reason)),
    };
    if metadata.is_dir() {
        return Box::new(walk(folder, source));
    }
    let path = path
        .file_name()
        .map_or_else(|| folder.clone(), |name| folder.join(name));
    one(examine(path, &metadata, &source, true))
}

fn folder_of(path: &Path) -> &Path {
    match (path.file_name(), path.parent()) {
        (Some(_), Some(parent)) if !parent.as_os_str().is_empty() => parent,
        (Some(_), _) => Path::new("."),
        (None, _) => path,
    }
}

/// `path` in a canonical folder, so that two ways to write it are one. The last
/// part is kept: a link is called by its own name, not by its target's.
fn place(path: &Path) -> PathBuf {
    let canonical = match path.file_name() {
        Some(name) => folder_of(path)
            .canonicalize()
            .map(|folder| folder.join(name)),
        None => path.canonicalize(),
    };
    canonical
        .or_else(|_| std::path::absolute(path))
        .unwrap_or_else(|_| path.to_owned())
}

/// The folder, canonical, and the source that its pictures belong to. The
/// last one is kept, since a list names many files of one folder in a row.
fn resolve(
    folder: &Path,
    walked: bool,
    roots: &Roots,
    last: &mut Option<(PathBuf, Source)>,
) -> Result<(PathBuf, Source), String> {
    let canonical = folder.canonicalize().map_err(|error| reason(&error))?;
    let root = roots.root.as_deref().unwrap_or(&canonical);
    // Files of many folders are many sources: none of them is read whole.
    let whole = walked || roots.root.is_some();
    let source = match last {
        Some((known, source)) if known == root && source.name.whole == whole => source.clone(),
        _ => {
            let source = Source::new(root, roots.name.as_deref(), whole)
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

fn walk(folder: PathBuf, source: Source) -> impl Iterator<Item = Sighting> + Send {
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
            // The folder that the user named is looked at, whatever its name.
            if entry.depth() > 0 && is_hidden(entry.file_name()) {
                if entry.file_type().is_dir() {
                    entries.skip_current_dir();
                }
                return Some(skipped(entry.into_path(), Skip::Hidden));
            }
            if entry.file_type().is_dir() {
                continue;
            }
            return Some(match entry.metadata() {
                Ok(metadata) => examine(entry.into_path(), &metadata, &source, false),
                Err(error) => walk_error(&folder, &error),
            });
        }
    })
}

fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

fn walk_error(folder: &Path, error: &walkdir::Error) -> Sighting {
    let path = error.path().unwrap_or(folder).to_owned();
    if error.depth() > 0 && path.file_name().is_some_and(is_hidden) {
        return skipped(path, Skip::Hidden);
    }
    let reason = match (error.loop_ancestor(), error.io_error()) {
        (Some(ancestor), _) => format!("a symbolic link that leads back to {}", ancestor.display()),
        (None, Some(cause)) if dangling_target(&path, cause).is_some() && !claims_image(&path) => {
            // An editor's lock, a link into a folder that is gone: nobody's picture.
            return skipped(path, Skip::NotAnImage);
        }
        (None, Some(cause)) => unreachable_reason(&path, cause),
        (None, None) => error.to_string(),
    };
    failed(path, reason)
}

fn unreachable_reason(path: &Path, error: &std::io::Error) -> String {
    match dangling_target(path, error) {
        Some(target) => format!(
            "a symbolic link that leads nowhere: {} cannot be found",
            target.display()
        ),
        None => reason(error),
    }
}

/// Where the link at `path` leads, if `error` says that nothing is there.
fn dangling_target(path: &Path, error: &std::io::Error) -> Option<PathBuf> {
    match error.kind() {
        // What may not be looked at may well be there.
        ErrorKind::PermissionDenied => None,
        _ => path.read_link().ok(),
    }
}

/// Tells what one file is. One that the user named is never skipped.
fn examine(
    path: PathBuf,
    metadata: &std::fs::Metadata,
    source: &Source,
    named_by_user: bool,
) -> Sighting {
    if let Some(kind) = kind_beside_file(metadata.file_type()) {
        return if named_by_user || claims_image(&path) {
            rejected(path, format!("it is {kind}, no regular file: not opened"))
        } else {
            skipped(path, Skip::NotAnImage)
        };
    }
    match recognise(&path) {
        Ok(Recognised::Image(_)) => match source.candidate(path.clone(), metadata) {
            Some(candidate) => (path, Found::Image(candidate)),
            None => rejected(
                path,
                "its path is not UTF-8, which Milvus cannot store: rename it".to_owned(),
            ),
        },
        Ok(Recognised::NotDecodable(reason)) => rejected(path, reason.to_owned()),
        Ok(Recognised::Other) if named_by_user => {
            rejected(path, "the content is not a picture".to_owned())
        }
        Ok(Recognised::Other) => skipped(path, Skip::NotAnImage),
        Err(error) => failed(path, reason(&error)),
    }
}

fn skipped(path: PathBuf, skip: Skip) -> Sighting {
    (path, Found::Skipped(skip))
}

fn rejected(path: PathBuf, reason: String) -> Sighting {
    let problem = problem(&path, reason);
    (path, Found::Rejected(problem))
}

fn failed(path: PathBuf, reason: String) -> Sighting {
    let problem = problem(&path, reason);
    (path, Found::Failed(problem))
}

fn problem(path: &Path, reason: String) -> Problem {
    Problem {
        path: path.to_owned(),
        stage: Stage::Discover,
        reason,
    }
}

/// What this run has met: a path reached twice counts once, whatever it holds,
/// and of two pictures that would share an id the second is refused, since it
/// would overwrite the first.
///
/// Of a path 8 bytes are kept, not its text: that two of a million paths share
/// them has probability 3e-8. Of an id the 16 that tell it from any other.
#[derive(Default)]
struct Seen {
    path_hashes: HashSet<u64>,
    ids: HashSet<PathKey>,
    hasher: RandomState,
}

impl Seen {
    fn is_new(&mut self, id: &ImageId) -> bool {
        id.key().is_some_and(|key| self.ids.insert(key))
    }

    fn check(&mut self, (path, found): Sighting) -> Option<Found> {
        if !self.path_hashes.insert(self.hasher.hash_one(&path)) {
            return None;
        }
        match found {
            Found::Image(candidate) if !self.is_new(&candidate.id) => {
                let reason = "another picture of this run has the same source name and relative path: pass a common --root, or ingest the folders one by one with different --source names";
                Some(rejected(path, reason.to_owned()).1)
            }
            found => Some(found),
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

    #[test]
    fn a_list_that_is_none_ends_at_its_first_endless_entry() {
        let dir = tree();
        let picture = dir.path().join("shop/b.jpg");
        let list = format!("{}\n{}", picture.display(), "a".repeat(100_000));
        let found = run(&[], Some(list.into_bytes()), Roots::default());
        assert_eq!(found[0], "image b.jpg");
        let reason = "failed the list cannot be read: an entry is longer than any path";
        assert!(found[1].starts_with(reason), "{found:?}");
        assert_eq!(found.len(), 2);
        // A path of the most bytes is looked for, and is not there.
        let list = "a".repeat(MAX_LISTED_BYTES);
        let found = run(&[], Some(list.into_bytes()), Roots::default());
        assert!(
            found[0].starts_with("failed File name too long"),
            "{found:?}"
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

    #[test]
    fn a_path_counts_once_whatever_was_found_there() {
        let dir = tree();
        let shop = dir.path().join("shop");
        let once = run(std::slice::from_ref(&shop), None, Roots::default());
        let paths = [
            shop.clone(),
            shop.join("."),
            shop.join("text.jpg"),
            shop.join("names.csv"),
            shop.join("nowhere"),
            shop.join("a/../nowhere"),
        ];
        let mut expected = once;
        expected.push("failed No such file or directory (os error 2)".to_owned());
        assert_eq!(run(&paths, None, Roots::default()), expected);
    }

    #[cfg(unix)]
    #[test]
    fn links_that_lead_nowhere_fail_only_where_they_promise_a_picture() {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().unwrap();
        for (link, target) in [
            (".#notes", "someone@host.1"),
            (".lock.jpg", "gone"),
            ("itself.txt", "itself.txt"),
            ("photo.JPG", "gone/photo.jpg"),
            ("readme.txt", "gone"),
        ] {
            symlink(target, dir.path().join(link)).unwrap();
        }
        let reason = "failed a symbolic link that leads nowhere: gone/photo.jpg cannot be found";
        let found = run(&[dir.path().to_owned()], None, Roots::default());
        assert_eq!(
            found,
            [
                "skipped Hidden",
                "skipped Hidden",
                "skipped NotAnImage",
                reason,
                "skipped NotAnImage",
            ]
        );
        // What the user named is never passed over.
        let named = ["photo.JPG", "readme.txt", ".#notes"].map(|name| dir.path().join(name));
        let found = run(&named, None, Roots::default());
        assert_eq!(found[0], reason);
        assert!(
            found
                .iter()
                .all(|f| f.starts_with("failed a symbolic link")),
            "{found:?}"
        );
        assert_eq!(found.len(), 3);
    }

    #[test]
    fn what_vanishes_while_it_is_looked_at_fails_by_name() {
        let dir = tree();
        std::fs::create_dir(dir.path().join("shop/c")).unwrap();
        let entries = Entries::new(vec![dir.path().join("shop")], None);
        let mut found = discover(entries, Roots::default())
            .skip_while(|found| !matches!(found, Found::Image(_)));
        assert!(matches!(found.next(), Some(Found::Image(_))));
        std::fs::remove_file(dir.path().join("shop/b.jpg")).unwrap();
        std::fs::remove_dir(dir.path().join("shop/c")).unwrap();
        for name in ["shop/b.jpg", "shop/c"] {
            let Some(Found::Failed(problem)) = found.next() else {
                panic!("{name} is gone");
            };
            assert!(problem.path.ends_with(name), "{problem:?}");
            assert!(problem.reason.starts_with("No such file"), "{problem:?}");
        }
        assert_eq!(found.count(), 2);
    }

    #[test]
    fn what_vanishes_before_it_is_opened_fails() {
        let dir = tree();
        let shop = dir.path().join("shop").canonicalize().unwrap();
        let path = shop.join("b.jpg");
        let metadata = path.metadata().unwrap();
        std::fs::remove_file(&path).unwrap();
        let source = Source::new(&shop, None, true).unwrap();
        let (_, found) = examine(path, &metadata, &source, false);
        assert!(matches!(found, Found::Failed(_)), "{found:?}");
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_may_not_be_read_fails() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tree();
        let locked = dir.path().join("shop/a");
        std::fs::set_permissions(&locked, PermissionsExt::from_mode(0o0)).unwrap();
        // Nothing is locked to a superuser.
        let expected = match std::fs::read_dir(&locked) {
            Ok(_) => "image a/a.jpg".to_owned(),
            Err(error) => format!("failed {}", reason(&error)),
        };
        let found = run(&[dir.path().join("shop")], None, Roots::default());
        std::fs::set_permissions(&locked, PermissionsExt::from_mode(0o700)).unwrap();
        assert_eq!(found[2], expected);
    }

    #[test]
    fn a_hidden_folder_that_was_named_is_looked_at() {
        let dir = tempfile::tempdir().unwrap();
        let hidden = dir.path().join(".hidden");
        std::fs::create_dir(&hidden).unwrap();
        std::fs::write(hidden.join("a.jpg"), JPEG).unwrap();
        for path in [hidden.clone(), hidden.join("."), hidden.join("a.jpg")] {
            let found = run(std::slice::from_ref(&path), None, Roots::default());
            assert_eq!(found, ["image a.jpg"], "{}", path.display());
        }
    }

    #[test]
    fn a_folder_is_called_by_its_real_name() {
        let dir = tree();
        let ids = |path: &str| -> Vec<ImageId> {
            let entries = Entries::new(vec![dir.path().join(path)], None);
            discover(entries, Roots::default())
                .filter_map(|found| match found {
                    Found::Image(candidate) => Some(candidate.id),
                    _ => None,
                })
                .collect()
        };
        let shop = ["a/a.jpg", "b.jpg"].map(|relative| ImageId::new("shop", relative));
        for path in ["shop", "shop/.", "shop/a/..", "other/../shop/"] {
            assert_eq!(ids(path), shop, "{path}");
        }
    }
}
