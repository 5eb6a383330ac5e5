//! Whatever is wrong with some files, each row has the name, the hash and the
//! vector of its own picture, to the bit.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::io::Cursor;
use std::path::PathBuf;

use milvus_image_search::config::ImageLimits;
use milvus_image_search::embed::VisionTower;
use milvus_image_search::imaging::{Preprocess, decode};
use milvus_image_search::model::ModelDirs;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use crate::fake::{Cell, Fault};
use crate::files::{Files, count, settle};
use crate::scene::{PICTURES, ROW_BYTES};

/// What is wrong with a file; each number gives another content.
#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Good(u16),
    /// The same content as other files.
    Twin(u8),
    /// A PNG that ends after so many bytes.
    CutOff(usize),
    Text,
    Empty,
    /// Looks like a JPEG.
    Noise,
    /// Found, and gone when it is read.
    Vanishing,
    /// Found, and another picture when it is read.
    Replaced(u16),
}

impl State {
    /// Whether it is rejected.
    fn is_bad(self) -> bool {
        matches!(
            self,
            Self::CutOff(_) | Self::Text | Self::Empty | Self::Noise
        )
    }
}

/// What becomes of a file before the second run.
#[derive(Debug, Clone, Copy)]
enum Change {
    Nothing,
    /// Another name in the table.
    Name,
    /// Another state of the file.
    File(State),
    /// Another file name.
    Move,
    /// Takes the next file's content, and that one its.
    Swap,
}

#[derive(Debug, Clone)]
struct Case {
    files: Vec<(State, Change)>,
    workers: u8,
    batch: u8,
    message_rows: usize,
    in_flight: u8,
    /// Rows that the server leaves out of its first messages.
    left_out: Vec<Vec<u32>>,
}

fn state() -> impl Strategy<Value = State> {
    prop_oneof![
        12 => any::<u16>().prop_map(State::Good),
        2 => (0..3_u8).prop_map(State::Twin),
        1 => (8..45_usize).prop_map(State::CutOff),
        1 => Just(State::Text),
        1 => Just(State::Empty),
        1 => Just(State::Noise),
        1 => Just(State::Vanishing),
        1 => any::<u16>().prop_map(State::Replaced),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        6 => Just(Change::Nothing),
        2 => Just(Change::Name),
        3 => state().prop_map(Change::File),
        1 => Just(Change::Move),
        1 => Just(Change::Swap),
    ]
}

fn case() -> impl Strategy<Value = Case> {
    let files = proptest::collection::vec((state(), change()), 1..40);
    let left_out = proptest::collection::vec(proptest::collection::vec(0..4_u32, 0..3), 0..4);
    (files, 1..4_u8, 1..9_u8, 1..6_usize, 1..4_u8, left_out).prop_map(
        |(files, workers, batch, message_rows, in_flight, left_out)| Case {
            files,
            workers,
            batch,
            message_rows,
            in_flight,
            left_out,
        },
    )
}

/// A picture of noise: up to 9 x 9 pixels, others for each `seed`.
fn picture(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let mut next = move || {
        state = state
            .wrapping_mul(0x5851_F42D_4C95_7F2D)
            .wrapping_add(0x1405_7B7E_F767_814F);
        u8::try_from(state >> 56).unwrap()
    };
    let (width, height) = (next() % 9 + 1, next() % 9 + 1);
    let noise = image::RgbImage::from_fn(width.into(), height.into(), |_, _| {
        image::Rgb([next(), next(), next()])
    });
    let mut bytes = Cursor::new(Vec::new());
    noise.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// A file's content when it is found, and when it is read: nothing where it
/// has gone or is no picture.
fn contents(state: State) -> (Vec<u8>, Option<Vec<u8>>) {
    let whole = |seed: u64| (picture(seed), Some(picture(seed)));
    match state {
        State::Good(seed) => whole(seed.into()),
        State::Twin(seed) => whole(1_000_000 + u64::from(seed)),
        State::CutOff(length) => (picture(1)[..length].to_vec(), None),
        State::Text => (b"no picture".to_vec(), None),
        State::Empty => (Vec::new(), None),
        State::Noise => (b"\xFF\xD8\xFF\xE0 and nothing more".to_vec(), None),
        State::Vanishing => (picture(2), None),
        State::Replaced(seed) => {
            let after = picture(2_000_000 + u64::from(seed));
            (picture(3), Some(after))
        }
    }
}

/// A file of the folder.
#[derive(Debug, Clone)]
struct Entry {
    file: String,
    name: String,
    state: State,
}

impl Entry {
    fn new(place: usize, state: State) -> Self {
        Self {
            file: format!("{place:02}.png"),
            name: format!("name of {place}"),
            state,
        }
    }
}

/// What a row must hold: a display name and a content.
type Expected = BTreeMap<PathBuf, (String, Vec<u8>)>;

struct Bench {
    files: Files,
    case: Case,
    expected: Expected,
    vector: Reference,
}

impl Bench {
    /// Writes the files and the table, runs, and holds the rows against what
    /// they must be.
    fn run(&mut self, entries: &[Entry]) -> Result<(), TestCaseError> {
        let later = self.write(entries);
        let gone = later.iter().filter(|(_, content)| content.is_none());
        let (gone, changes) = (gone.count() as u64, !later.is_empty());
        // The plan asks when everything is found, and nothing is read yet.
        self.files.milvus.once("query", move || {
            for (path, content) in later {
                match content {
                    Some(content) => fs::write(path, content).unwrap(),
                    None => fs::remove_file(path).unwrap(),
                }
            }
            if changes {
                settle();
            }
        });
        let case = &self.case;
        let left_out = case.left_out.iter().cloned();
        let left_out = left_out.map(|rows| Some(Fault::Partial(rows)));
        self.files.milvus.schedule("upsert", left_out);
        let bytes = case.message_rows * ROW_BYTES;
        let in_flight = case.in_flight;
        let ran = self
            .files
            .with(&format!(
                "--workers {} --batch {}",
                case.workers, case.batch
            ))
            .args(&format!(
                "--upserts-in-flight {in_flight} --upsert-bytes {bytes}"
            ))
            .args("--retry-first-wait 1 --names")
            .arg(self.files.beside("names.csv"))
            .run();
        let bad = entries.iter().filter(|entry| entry.state.is_bad());
        prop_assert_eq!(
            count(&ran, "rejected"),
            bad.count() as u64,
            "{}",
            ran.text(&[])
        );
        prop_assert_eq!(count(&ran, "failed"), gone, "{}", ran.text(&[]));
        let discovered = ran.json()["discovered"].as_u64();
        prop_assert_eq!(discovered, Some(entries.len() as u64));
        self.check()
    }

    /// Writes the files and the table, notes the rows that must come of them,
    /// and returns what happens to files once they are found.
    fn write(&mut self, entries: &[Entry]) -> Vec<(PathBuf, Option<Vec<u8>>)> {
        let mut table = "file,name,label\n".to_owned();
        let mut later = Vec::new();
        for Entry { file, name, state } in entries {
            let (found, read) = contents(*state);
            let path = self.files.path(file);
            // A file that is as it was keeps its time.
            if fs::read(&path).ok().as_ref() != Some(&found) {
                fs::write(&path, &found).unwrap();
            }
            writeln!(table, "{file},{name},label {name}").unwrap();
            if let Some(read) = &read {
                let row = (name.clone(), read.clone());
                self.expected.insert(path.clone(), row);
            }
            if matches!(state, State::Vanishing | State::Replaced(_)) {
                later.push((path, read));
            }
        }
        fs::write(self.files.beside("names.csv"), table).unwrap();
        later
    }

    fn check(&mut self) -> Result<(), TestCaseError> {
        let rows = self.files.milvus.rows(PICTURES);
        prop_assert_eq!(rows.len(), self.expected.len());
        for row in rows.values() {
            let Cell::Text(path) = &row["path"] else {
                panic!("no path in {row:?}");
            };
            let (name, content) = &self.expected[&PathBuf::from(path)];
            let text = |text: String| Cell::Text(text);
            prop_assert_eq!(&row["display_name"], &text(name.clone()), "{}", path);
            let label = serde_json::json!({ "label": format!("label {name}") });
            let Cell::Json(json) = &row["attributes"] else {
                panic!("no attributes in {row:?}");
            };
            let found: serde_json::Value = serde_json::from_slice(json).unwrap();
            prop_assert_eq!(found, label, "{}", path);
            let hash = blake3::hash(content).to_hex().to_string();
            prop_assert_eq!(&row["content_hash"], &text(hash), "{}", path);
            let bytes = i64::try_from(content.len()).unwrap();
            prop_assert_eq!(&row["bytes"], &Cell::Number(bytes), "{}", path);
            let Cell::Vector(vector) = &row["embedding"] else {
                panic!("no vector in {row:?}");
            };
            let bits = |vector: &[f32]| vector.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            prop_assert!(bits(vector) == bits(self.vector.of(content)), "{}", path);
        }
        Ok(())
    }
}

/// The vector of a picture that is embedded alone.
struct Reference {
    preprocess: Preprocess,
    tower: VisionTower,
    known: BTreeMap<Vec<u8>, Vec<f32>>,
}

impl Reference {
    fn new() -> Self {
        let model = ModelDirs::new(None).open("pixels").unwrap();
        Self {
            preprocess: Preprocess::new(&model.manifest.vision),
            tower: VisionTower::open(&model, None, 1).unwrap(),
            known: BTreeMap::new(),
        }
    }

    fn of(&mut self, content: &[u8]) -> &[f32] {
        if !self.known.contains_key(content) {
            let image = decode(content, &ImageLimits::default()).unwrap();
            let mut tensor = vec![0.0; self.preprocess.tensor_len()];
            self.preprocess.write_tensor(&image, &mut tensor);
            let vector = self
                .tower
                .embed(&tensor, 1)
                .unwrap()
                .swap_remove(0)
                .unwrap();
            self.known.insert(content.to_vec(), vector);
        }
        &self.known[content]
    }
}

/// The files before the second run.
fn changed(bench: &Bench, entries: &[Entry]) -> Vec<Entry> {
    let mut after = entries.to_vec();
    for (place, (_, change)) in bench.case.files.iter().enumerate() {
        let next = (place + 1) % after.len();
        match change {
            Change::Nothing => {}
            Change::Name => after[place].name.push_str(" changed"),
            Change::File(state) => after[place].state = *state,
            Change::Move => {
                let file = format!("moved-{}", entries[place].file);
                let from = bench.files.path(&after[place].file);
                // What vanished cannot be moved; it is found anew.
                let _gone = fs::rename(from, bench.files.path(&file)).is_err();
                after[place].file = file;
            }
            Change::Swap => {
                let state = after[place].state;
                after[place].state = after[next].state;
                after[next].state = state;
            }
        }
    }
    after
}

#[test]
fn a_bad_picture_moves_no_name_and_no_vector_to_another_row() {
    let config = Config {
        cases: 32,
        max_shrink_iters: 64,
        failure_persistence: None,
        ..Config::default()
    };
    let checked = TestRunner::new(config).run(&case(), |case| {
        let states = case.files.iter().map(|(state, _)| *state);
        let entries: Vec<Entry> = states
            .enumerate()
            .map(|(n, state)| Entry::new(n, state))
            .collect();
        let mut bench = Bench {
            files: Files::new(),
            case,
            expected: Expected::new(),
            vector: Reference::new(),
        };
        bench.run(&entries)?;
        let entries = changed(&bench, &entries);
        bench.run(&entries)
    });
    if let Err(error) = checked {
        panic!("{error}");
    }
}
