//! A few tiny pictures, a fake Milvus, and runs of `ingest` between them.

use std::collections::BTreeMap;

use crate::fake::{Cell, Fake, Rows};
use crate::support::{Ran, Run, ingest};

/// Name of the collection.
pub(crate) const PICTURES: &str = "pictures";

/// Bytes of one row of the model `pixels`: 14,400 numbers, and some texts.
pub(crate) const ROW_BYTES: usize = 58_000;

pub(crate) struct Scene {
    pub(crate) milvus: Fake,
    folder: tempfile::TempDir,
    count: u64,
}

impl Scene {
    pub(crate) fn new(count: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..count {
            let shade = u8::try_from(number * 8 + 1).unwrap();
            let picture = image::RgbImage::from_pixel(4, 4, image::Rgb([shade, 200, 255 - shade]));
            let path = folder.path().join(format!("picture-{number:02}.png"));
            picture.save(path).unwrap();
        }
        Self {
            milvus: Fake::start(),
            folder,
            count,
        }
    }

    /// Puts copies of the first picture beside it.
    pub(crate) fn add_copies(&self, count: u32) {
        let first = self.folder.path().join("picture-00.png");
        for number in 0..count {
            let copy = self.folder.path().join(format!("copy-{number:04}.png"));
            std::fs::copy(&first, copy).unwrap();
        }
    }

    /// Deletes the picture of that number.
    pub(crate) fn lose(&self, number: u64) {
        let path = self.folder.path().join(format!("picture-{number:02}.png"));
        std::fs::remove_file(path).unwrap();
    }

    /// An `ingest` of all pictures, two in a message, that waits briefly.
    pub(crate) fn ingest(&self) -> Run {
        self.ingest_in_batches(2)
    }

    pub(crate) fn ingest_in_batches(&self, rows: usize) -> Run {
        self.for_people(rows).args("--format json")
    }

    /// The same, with a summary as people read it.
    pub(crate) fn for_people(&self, rows: usize) -> Run {
        ingest()
            .args("--model pixels --batch 1 --workers 1 --threads 1")
            .args("--retry-first-wait 5 --upserts-in-flight 1")
            .env("MILVUS_RETRY_FOR", "30")
            .args(&format!("--upsert-bytes {}", rows * ROW_BYTES))
            .args(&format!(
                "--collection {PICTURES} --uri {}",
                self.milvus.uri()
            ))
            .arg(self.folder.path())
    }

    /// Every picture was written by this run, and is there, as it is.
    #[track_caller]
    pub(crate) fn expect_all(&self, ran: &Ran) {
        assert_eq!(ran.code, Some(0), "{}", ran.text(&[]));
        let counts = counts_of(ran);
        assert_eq!(
            counts,
            BTreeMap::from([("upserted".to_owned(), self.count)])
        );
        self.expect_rows();
    }

    /// The rows are those of an undisturbed run.
    #[track_caller]
    pub(crate) fn expect_rows(&self) {
        let rows = self.rows();
        assert_eq!(rows.len() as u64, self.count);
        for (number, row) in (0u8..).zip(rows.values()) {
            let Cell::Vector(vector) = &row["embedding"] else {
                panic!("no vector in {row:?}");
            };
            let shade = f32::from(number) * 8.0 + 1.0;
            assert_eq!(vector.len(), 14_400);
            assert!((vector[0] - shade / 255.0).abs() < 1e-6, "{}", vector[0]);
        }
    }

    /// The rows that the server holds, by file name.
    pub(crate) fn rows(&self) -> Rows {
        let rows = self.milvus.rows(PICTURES).into_values();
        rows.map(|row| match &row["path"] {
            Cell::Text(path) => (path.rsplit('/').next().unwrap().to_owned(), row.clone()),
            other => panic!("{other:?} is no path"),
        })
        .collect()
    }
}

/// The counts of a run, which balance.
#[track_caller]
pub(crate) fn counts_of(ran: &Ran) -> BTreeMap<String, u64> {
    let json = ran.json();
    let names = [
        "upserted",
        "moved",
        "updated",
        "unchanged",
        "rejected",
        "failed",
        "cancelled",
    ];
    let count = |name: &str| json[name].as_u64().unwrap();
    let counts: BTreeMap<String, u64> = names
        .iter()
        .filter(|name| count(name) > 0)
        .map(|name| ((*name).to_owned(), count(name)))
        .collect();
    assert_eq!(
        counts.values().sum::<u64>(),
        count("discovered"),
        "{}",
        ran.text(&[])
    );
    counts
}
