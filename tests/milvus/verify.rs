//! `ingest --verify [--repair]`: every kind of difference is found, and mended.

use std::collections::HashMap;
use std::fs::{self, File, FileTimes};
use std::path::{Path, PathBuf};

use milvus_image_search::embed::cosine;
use milvus_image_search::entity::{Entity, ImageId};
use milvus_image_search::store::WholeRow;
use serde_json::Value;

use crate::servers::{Collection, Server, block_on};
use crate::support::{Ran, gallery, ingest};

struct Shop<'a> {
    server: &'a Server,
    collection: Collection,
    folder: PathBuf,
    _dir: tempfile::TempDir,
}

impl<'a> Shop<'a> {
    /// A collection of the 14 photos, by lit-b0.
    fn new(server: &'a Server, test: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("shop");
        fs::create_dir(&folder).unwrap();
        for entry in fs::read_dir(gallery().join("photos")).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), folder.join(entry.file_name())).unwrap();
        }
        let shop = Self {
            server,
            collection: server.collection(test),
            folder,
            _dir: dir,
        };
        shop.run("--quiet").expect_code(0);
        shop
    }

    fn run(&self, more: &str) -> Ran {
        let run = ingest()
            .args("--model lit-b0 --collection")
            .args(&self.collection.name)
            .args(more)
            .arg(&self.folder);
        self.server.run(run).run()
    }

    fn verify(&self, more: &str) -> Value {
        let ran = self.run(&format!("--verify --quiet --format json {more}"));
        let found = ran.json();
        let code = if found["clean"] == true { 0 } else { 3 };
        assert_eq!(ran.code, Some(code), "{ran:?}");
        found
    }

    fn id(&self, number: usize) -> ImageId {
        let name = self.picture(number);
        ImageId::new("shop", name.file_name().unwrap().to_str().unwrap())
    }

    /// The pictures, by name.
    fn picture(&self, number: usize) -> PathBuf {
        let mut paths: Vec<_> = fs::read_dir(&self.folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        paths.sort();
        paths.swap_remove(number)
    }

    fn rows(&self) -> HashMap<ImageId, WholeRow> {
        block_on(async {
            let store = self.server.store().await;
            let mut rows = HashMap::new();
            let prefix = ImageId::prefix("shop");
            let keep = |row: WholeRow| {
                rows.insert(row.entity.record.id.clone(), row);
            };
            let reading = store.whole_rows(&self.collection.name, &prefix, 256, keep);
            reading.await.unwrap();
            rows
        })
    }

    /// Writes a row as it never would be.
    fn spoil(&self, id: &ImageId, change: impl FnOnce(&mut Entity)) {
        let mut row = self.rows().remove(id).unwrap().entity;
        change(&mut row);
        block_on(async {
            let store = self.server.store().await;
            let written = store.upsert(&self.collection.name, &[row]).await;
            assert!(
                written.fatal.is_none() && written.faults.is_empty(),
                "{written:?}"
            );
        });
    }
}

/// Other bytes, of the same length, at the same time.
fn swap_unseen(path: &Path, with: &Path) {
    let metadata = path.metadata().unwrap();
    let mut bytes = fs::read(with).unwrap();
    let length = usize::try_from(metadata.len()).unwrap();
    assert!(bytes.len() <= length, "the other picture is smaller");
    bytes.resize(length, 0);
    fs::write(path, bytes).unwrap();
    let times = FileTimes::new().set_modified(metadata.modified().unwrap());
    File::options()
        .write(true)
        .open(path)
        .unwrap()
        .set_times(times)
        .unwrap();
}

fn counts(found: &Value) -> [u64; 6] {
    ["missing", "extra", "stale", "duplicate", "vector", "unread"]
        .map(|kind| found[kind].as_u64().unwrap())
}

on_both_servers! {
    fn what_was_ingested_is_clean(server: &Server) {
        let shop = Shop::new(server, "clean");
        fs::write(shop.folder.join("bad.jpg"), &fs::read(shop.picture(0)).unwrap()[..2000]).unwrap();
        let found = shop.verify("--sample all");
        assert_eq!(counts(&found), [0; 6], "{found}");
        assert_eq!((&found["pictures"], &found["rows"]), (&15.into(), &14.into()));
        assert_eq!((&found["rejected"], &found["sampled"]), (&1.into(), &14.into()));
        assert!(found["least_cosine"].as_f64().unwrap() > 0.999_999, "{found}");
        let said = shop.run("--verify --sample 0").expect_code(0).stdout;
        assert!(said.contains("clean: the collection holds what the disk does"), "{said}");
        assert!(!said.contains("embedded again"), "{said}");
    }

    fn every_difference_is_found_and_mended(server: &Server) {
        let shop = Shop::new(server, "spoilt");
        let ids: Vec<ImageId> = (0..14).map(|number| shop.id(number)).collect();
        let paths: Vec<PathBuf> = (0..14).map(|number| shop.picture(number)).collect();
        // A row too few, a row too many, another name, another time.
        block_on(async {
            let store = server.store().await;
            store.delete_rows(&shop.collection.name, &ids[..1]).await.unwrap();
        });
        fs::remove_file(&paths[1]).unwrap();
        shop.spoil(&ids[2], |row| row.record.display_name.push_str(" 2"));
        shop.spoil(&ids[3], |row| row.record.modified += 1);
        // Other content, seen and unseen by an ordinary run.
        fs::copy(gallery().join("objects/red-handbag.webp"), &paths[4]).unwrap();
        swap_unseen(&paths[5], &gallery().join("objects/blue-cap.webp"));
        // Vectors: of another picture, of another length, of no direction.
        let other = shop.rows()[&ids[7]].entity.embedding.clone();
        shop.spoil(&ids[6], |row| row.embedding = other);
        shop.spoil(&ids[8], |row| row.embedding.iter_mut().for_each(|number| *number *= 2.0));
        shop.spoil(&ids[9], |row| row.embedding.fill(0.0));
        let said = shop.run("--verify --sample all").expect_code(3).stdout;
        for told in [
            "1 missing", "1 extra", "4 stale", "3 wrong vectors", "its file is gone",
            "its path, name or attributes changed", "its time changed", "its content changed",
            "instead of 1", "with its picture embedded again", "not clean: --repair puts it right",
        ] {
            assert!(said.contains(told), "{told}: {said}");
        }
        let found = shop.verify("--sample all");
        assert_eq!(counts(&found), [1, 1, 4, 0, 3, 0], "{found}");
        assert_eq!(found["differences"].as_array().unwrap().len(), 9);
        assert_eq!(shop.verify("--sample 0")["vector"], 2, "another's vector takes a sample");

        let found = shop.verify("--repair --sample all");
        assert_eq!(counts(&found), [0; 6], "{found}");
        assert_eq!((&found["rows"], &found["sampled"]), (&13.into(), &13.into()));
        let fresh = Shop { collection: server.collection("mended"), ..shop };
        fresh.run("--quiet").expect_code(0);
        let (fresh, mended) = (fresh.rows(), Shop { collection: shop.collection, ..fresh }.rows());
        assert_eq!((fresh.len(), mended.len()), (13, 13));
        for (id, row) in &fresh {
            let held = &mended[id];
            assert_eq!((&held.entity.record, held.details), (&row.entity.record, row.details));
            assert!(cosine(&held.entity.embedding, &row.entity.embedding) > 0.999_999);
        }
    }

    fn a_key_that_two_rows_have_is_found(server: &Server) {
        let shop = Shop::new(server, "twice");
        let id = shop.id(3);
        block_on(shop.collection.insert_again(&id));
        block_on(shop.collection.insert_again(&id));
        let found = shop.verify("");
        if server.token.is_none() {
            // Lite replaces where it is told to insert.
            assert_eq!((counts(&found), &found["rows"]), ([0; 6], &14.into()), "{found}");
            return;
        }
        assert_eq!(counts(&found), [0, 0, 0, 1, 0, 0], "{found}");
        assert_eq!(found["rows"], 16);
        assert_eq!(found["differences"][0]["id"], id.as_str());
        let found = shop.verify("--repair");
        assert_eq!((counts(&found), &found["rows"]), ([0; 6], &14.into()), "{found}");
    }

    fn little_is_deleted_for_good(server: &Server) {
        let shop = Shop::new(server, "careful");
        fs::remove_file(shop.picture(0)).unwrap();
        // Half of a picture: nothing to embed, and its row is of what it was.
        let half = fs::read(shop.picture(0)).unwrap();
        fs::write(shop.picture(0), &half[..half.len() / 2]).unwrap();
        // No picture at all any more.
        fs::write(shop.picture(1), "nothing").unwrap();
        let before = shop.rows();
        let ran = shop.run("--verify --repair --format json").expect_code(1);
        assert_eq!(counts(&ran.json()), [0, 1, 2, 0, 0, 0], "{ran:?}");
        assert!(ran.stderr.contains("3 of 14 rows of the source `shop` would go"), "{ran:?}");
        assert!(ran.stderr.contains("--prune-limit 22"), "{ran:?}");
        assert_eq!(shop.rows(), before);
        let found = shop.verify("--repair --prune-limit 22");
        assert_eq!((counts(&found), &found["rows"]), ([0; 6], &11.into()), "{found}");
        let rejects = shop.folder.join("rejects.jsonl");
        shop.run(&format!("--verify --quiet --rejects {}", rejects.display())).expect_code(0);
        assert_eq!(fs::read_to_string(rejects).unwrap().lines().count(), 2);
    }
}
