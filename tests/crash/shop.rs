//! A folder of pictures, as it was and as it is now.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File, FileTimes};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use crate::support::{Run, ingest};

/// Before or after what people did to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Before,
    After,
}

/// The folder, which looks the same each time that it is put into a state: to
/// the byte, and to the time.
#[derive(Debug)]
pub(crate) struct Shop {
    dir: tempfile::TempDir,
    pictures: u32,
}

impl Shop {
    pub(crate) fn new(pictures: u32) -> Self {
        let shop = Self {
            dir: tempfile::tempdir().unwrap(),
            pictures,
        };
        shop.put(State::Before);
        shop
    }

    fn folder(&self) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join("shop")
    }

    /// Where a picture lies, and which one it is.
    fn pictures(&self, state: State) -> BTreeMap<String, u32> {
        let name = |number: u32| format!("{number:04}.png");
        if state == State::Before {
            return (0..self.pictures).map(|n| (name(n), n)).collect();
        }
        let mut all = BTreeMap::new();
        let mut put = |name: String, picture: u32| {
            let before = all.insert(name, picture);
            assert!(before.is_none(), "two pictures of one name");
        };
        for n in 0..self.pictures {
            // Of twelve: one that nobody touched, two that the table calls
            // otherwise, one replaced, one moved, one copied, one gone, two that
            // changed places, two that took the names of the ones after them,
            // and so the last is gone.
            match n % 12 {
                3 => put(name(n), n + self.pictures),
                4 => put(format!("moved/{}", name(n)), n),
                5 => {
                    put(name(n), n);
                    put(format!("copy-of-{}", name(n)), n);
                }
                7 | 9 | 10 => put(name(n + 1), n),
                8 => put(name(n - 1), n),
                6 | 11 => {}
                _ => put(name(n), n),
            }
            // New, and there four times.
            if n % 12 == 0 {
                let new = n / 24 + 2 * self.pictures;
                put(format!("new-{}", name(n)), new);
                put(format!("new-too-{}", name(n)), new);
            }
        }
        all
    }

    /// Makes the folder, and the table of names beside it, what they are in
    /// that state.
    pub(crate) fn put(&self, state: State) {
        let folder = self.folder();
        if folder.exists() {
            fs::remove_dir_all(&folder).unwrap();
        }
        let pictures = self.pictures(state);
        let mut names = "path,name,price\n".to_owned();
        for (name, picture) in &pictures {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            draw(*picture, &path);
            let changed = state == State::After && matches!(picture % 12, 1 | 2);
            let season = if changed { "Autumn" } else { "Summer" };
            writeln!(names, "{name},{season} {picture},{picture}.5").unwrap();
        }
        fs::write(self.dir.path().join("names.csv"), names).unwrap();
    }

    /// Deletes the picture of that number.
    pub(crate) fn lose(&self, number: u32) {
        fs::remove_file(self.folder().join(format!("{number:04}.png"))).unwrap();
    }

    /// Runs of `ingest` over all of it.
    pub(crate) fn ingest(&self) -> Run {
        ingest()
            .args("--format json --names")
            .arg(self.dir.path().join("names.csv"))
            .arg(self.folder())
    }
}

/// A picture of its own for each number, with a time of its own, years ago.
fn draw(number: u32, path: &Path) {
    let picture = image::RgbImage::from_fn(6, 8, |x, y| {
        let hash = (number * 31 + x * 7 + y * 13).wrapping_mul(2_654_435_761);
        let [red, green, blue, _] = hash.to_be_bytes();
        image::Rgb([red, green, blue])
    });
    picture.save(path).unwrap();
    let modified = UNIX_EPOCH + Duration::from_secs(1_600_000_000 + u64::from(number));
    let file = File::options().write(true).open(path).unwrap();
    file.set_times(FileTimes::new().set_modified(modified))
        .unwrap();
}
