//! What a second run does when something changed, and what becomes of bad
//! pictures.

use std::fs;
use std::path::Path;

use serde_json::Value;

use milvus_image_search::entity::ImageId;

use crate::servers::{Collection, Server, block_on};
use crate::support::{gallery, ingest, repo, search};

fn copy(name: &str, to: &Path) {
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::copy(gallery().join(name), to).unwrap();
}

fn run(server: &Server, collection: &Collection, more: &str, folder: &Path) -> Value {
    let run = ingest()
        .args("--model lit-b0 --format json --quiet --collection")
        .args(&collection.name)
        .args(more)
        .arg(folder);
    let ran = server.run(run).run();
    let summary = ran.json();
    let bad = summary["rejected"].as_u64().unwrap() + summary["failed"].as_u64().unwrap();
    assert_eq!(ran.code, Some(if bad > 0 { 3 } else { 0 }), "{ran:?}");
    let sum: u64 = [
        "upserted",
        "moved",
        "updated",
        "unchanged",
        "rejected",
        "failed",
        "cancelled",
    ]
    .iter()
    .map(|key| summary[key].as_u64().unwrap())
    .sum();
    assert_eq!(summary["discovered"].as_u64().unwrap(), sum);
    summary
}

fn hits(server: &Server, collection: &Collection, image: &Path) -> Vec<Value> {
    let run = search()
        .args("--format json --collection")
        .args(&collection.name)
        .args("--image")
        .arg(image);
    let answer = server.run(run).run().expect_code(0).json();
    answer["hits"].as_array().unwrap().clone()
}

on_both_servers! {
    fn a_changed_file_is_embedded_anew_and_nothing_else(server: &Server) {
        let collection = server.collection("changed");
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (dir.path().join("one.webp"), dir.path().join("sub/two.webp"));
        copy("objects/red-handbag.webp", &one);
        copy("objects/blue-cap.webp", &two);
        assert_eq!(run(server, &collection, "", dir.path())["upserted"], 2);
        copy("objects/green-umbrella.webp", &one);
        let summary = run(server, &collection, "", dir.path());
        assert_eq!((&summary["upserted"], &summary["unchanged"]), (&1.into(), &1.into()));
        let found = hits(server, &collection, &gallery().join("objects/green-umbrella.webp"));
        assert_eq!(found.len(), 2, "replaced, not added");
        assert_eq!(found[0]["display_name"], "one");
        assert!(found[0]["score"].as_f64().unwrap() > 0.999);
    }

    fn a_changed_name_is_written_too(server: &Server) {
        let collection = server.collection("renamed");
        let dir = tempfile::tempdir().unwrap();
        let one = dir.path().join("red_handbag-1.webp");
        copy("objects/red-handbag.webp", &one);
        let table = dir.path().join("names.csv");
        assert_eq!(run(server, &collection, "", dir.path())["upserted"], 1);
        assert_eq!(hits(server, &collection, &one)[0]["display_name"], "red handbag 1");
        fs::write(&table, "file,title,price\nred_handbag-1,Bag of the Year,12.5\n").unwrap();
        let names = format!("--names {}", table.display());
        assert_eq!(run(server, &collection, &names, dir.path())["updated"], 1);
        let hit = &hits(server, &collection, &one)[0];
        assert_eq!(hit["display_name"], "Bag of the Year");
        assert_eq!(hit["attributes"], serde_json::json!({"price": 12.5}));
        assert_eq!(run(server, &collection, &names, dir.path())["unchanged"], 1);
    }

    /// Moved, renamed, shifted by one, swapped, or there twice: no picture is
    /// embedded again, and each name keeps its own vector.
    fn vectors_follow_their_pictures(server: &Server) {
        let collection = server.collection("moved");
        let dir = tempfile::tempdir().unwrap();
        let shop = dir.path().join("a/shop");
        let mut names: Vec<_> = fs::read_dir(gallery().join("objects")).unwrap()
            .map(|entry| entry.unwrap().path()).collect();
        names.sort();
        for (number, picture) in names.iter().enumerate() {
            copy(picture.to_str().unwrap(), &shop.join(format!("{number:03}.webp")));
        }
        let count = names.len();
        let summary = run(server, &collection, "", &shop);
        let different = summary["upserted"].as_u64().unwrap();
        assert_eq!(different + summary["moved"].as_u64().unwrap(), count as u64);
        assert_eq!(run(server, &collection, "", &shop)["unchanged"], count);

        // The root moves: paths change, nothing else.
        fs::create_dir_all(dir.path().join("b")).unwrap();
        let moved = dir.path().join("b/shop");
        fs::rename(&shop, &moved).unwrap();
        let shop = moved;
        assert_eq!(run(server, &collection, "", &shop)["updated"], count);

        // One is put in front: each takes the name of the one after it.
        for number in (0..count).rev() {
            let at = |number: usize| shop.join(format!("{number:03}.webp"));
            fs::rename(at(number), at(number + 1)).unwrap();
        }
        let summary = run(server, &collection, "", &shop);
        assert_eq!((&summary["upserted"], &summary["moved"]), (&0.into(), &count.into()), "{summary}");
        // Two change places, one goes into a folder, one is there twice.
        let at = |name: &str| shop.join(name);
        fs::rename(at("001.webp"), at("x")).unwrap();
        fs::rename(at("002.webp"), at("001.webp")).unwrap();
        fs::rename(at("x"), at("002.webp")).unwrap();
        fs::create_dir(at("sub")).unwrap();
        fs::rename(at("003.webp"), at("sub/003.webp")).unwrap();
        fs::copy(at("004.webp"), at("copy.webp")).unwrap();
        let summary = run(server, &collection, "", &shop);
        assert_eq!((&summary["upserted"], &summary["moved"]), (&0.into(), &4.into()), "{summary}");
        assert_eq!(run(server, &collection, "", &shop)["unchanged"], count + 1);
        // Each row's vector is the one of its own picture.
        let fresh = server.collection("fresh");
        run(server, &fresh, "", &shop);
        let stale = ["000.webp", "003.webp"].map(|name| ImageId::new("shop", name));
        let (kept, fresh) = block_on(async {
            let store = server.store().await;
            let rows = store.held_rows(&collection.name, &ImageId::prefix("shop")).await.unwrap();
            let ids = rows.iter().map(|row| ImageId::from_key(&ImageId::prefix("shop"), row.key));
            let ids: Vec<ImageId> = ids.collect();
            let kept = store.held_vectors(&collection.name, &ids).await.unwrap();
            (kept, store.held_vectors(&fresh.name, &ids).await.unwrap())
        });
        assert_eq!(fresh.len(), count + 1);
        assert_eq!(kept.len(), fresh.len() + stale.len());
        for (id, row) in &fresh {
            let held = &kept[id];
            assert_eq!((&held.path, &held.content_hash), (&row.path, &row.content_hash));
            let cosine: f32 = held.embedding.iter().zip(&row.embedding).map(|(a, b)| a * b).sum();
            assert!(cosine > 0.9999, "{}: {cosine}", row.path);
        }
    }

    /// As Milvus 2.3.5 leaves them where it is killed in an upsert.
    fn a_key_that_two_rows_have_is_written_anew(server: &Server) {
        let collection = server.collection("doubled");
        let dir = tempfile::tempdir().unwrap();
        let shop = dir.path().join("shop");
        for number in 0..5 {
            copy("objects/red-handbag.webp", &shop.join(format!("{number}.webp")));
        }
        run(server, &collection, "", &shop);
        // Lite replaces where it is told to insert.
        let kept = u64::from(server.token.is_none());
        let rows = || block_on(async {
            server.store().await.count_rows(&collection.name, &ImageId::prefix("shop")).await.unwrap()
        });
        let double = || {
            block_on(collection.insert_again(&ImageId::new("shop", "3.webp")));
            assert_eq!(rows(), 6 - kept);
        };
        double();
        let summary = run(server, &collection, "", &shop);
        assert_eq!((&summary["updated"], rows()), (&(1 - kept).into(), 5), "{summary}");
        // Of a file that is named alone, the folder's other rows are not read.
        double();
        let summary = run(server, &collection, "", &shop.join("3.webp"));
        assert_eq!((&summary["updated"], rows()), (&(1 - kept).into(), 5), "{summary}");
        // One whose file is gone is pruned as often as it is there.
        double();
        fs::remove_file(shop.join("3.webp")).unwrap();
        let summary = run(server, &collection, "--prune --prune-limit 50", &shop);
        assert_eq!((&summary["pruned"], rows()), (&1.into(), 4), "{summary}");
        assert_eq!(run(server, &collection, "", &shop)["unchanged"], 4);
    }

    fn what_is_gone_is_pruned_and_nothing_else(server: &Server) {
        let collection = server.collection("prune");
        let dir = tempfile::tempdir().unwrap();
        let (shop, other) = (dir.path().join("shop"), dir.path().join("other"));
        for number in 0..20 {
            copy("objects/red-handbag.webp", &shop.join(format!("{number}.webp")));
        }
        copy("objects/blue-cap.webp", &other.join("1.webp"));
        run(server, &collection, "", &shop);
        run(server, &collection, "", &other);
        for number in 0..2 {
            fs::remove_file(shop.join(format!("{number}.webp"))).unwrap();
        }
        assert_eq!(run(server, &collection, "", &shop)["pruned"], 0, "only when asked");
        assert_eq!(run(server, &collection, "--prune --dry-run", &shop)["pruned"], 2);
        assert_eq!(run(server, &collection, "--prune", &shop)["pruned"], 2);
        assert_eq!(run(server, &collection, "--prune", &shop)["pruned"], 0);
        let rows = |source: &str| block_on(async {
            server.store().await.count_rows(&collection.name, &ImageId::prefix(source)).await.unwrap()
        });
        assert_eq!((rows("shop"), rows("other")), (18, 1));

        let refused = |folder: &Path| {
            let run = ingest().args("--model lit-b0 --prune --quiet --collection").args(&collection.name).arg(folder);
            server.run(run).run().expect_code(1).stderr
        };
        for number in 2..5 {
            fs::remove_file(shop.join(format!("{number}.webp"))).unwrap();
        }
        let said = refused(&shop);
        assert!(said.contains("3 of 18 rows of the source `shop` would go"), "{said}");
        assert!(said.contains("--prune-limit 17"), "{said}");
        assert_eq!(run(server, &collection, "--prune --prune-limit 17", &shop)["pruned"], 3);
        // A disk that is not there, or is there and empty.
        fs::rename(&shop, dir.path().join("away")).unwrap();
        let said = refused(&shop);
        assert!(said.contains("its disk is mounted"), "{said}");
        fs::create_dir(&shop).unwrap();
        assert!(refused(&shop).contains("no picture was found"));
        assert_eq!((rows("shop"), rows("other")), (15, 1));
    }

    /// Two of one source, and one of another, into one collection that is not
    /// there yet.
    fn runs_at_once_lose_nothing_and_double_nothing(server: &Server) {
        let collection = server.collection("atonce");
        let dir = tempfile::tempdir().unwrap();
        let folders = ["shop", "shop", "other"].map(|name| dir.path().join(name));
        for folder in &folders[1..] {
            for entry in fs::read_dir(gallery().join("objects")).unwrap() {
                let entry = entry.unwrap();
                copy(entry.path().to_str().unwrap(), &folder.join(entry.file_name()));
            }
        }
        let count = fs::read_dir(&folders[0]).unwrap().count() as u64;
        let children = folders.each_ref().map(|folder| {
            let run = ingest().args("--quiet --model lit-b0 --batch 4 --upsert-bytes 20000 --collection")
                .args(&collection.name).arg(folder);
            server.run(run).command().spawn().unwrap()
        });
        for child in children {
            assert_eq!(child.wait_with_output().unwrap().status.code(), Some(0));
        }
        block_on(async {
            let store = server.store().await;
            for source in ["shop", "other"] {
                let prefix = ImageId::prefix(source);
                let counted = store.count_rows(&collection.name, &prefix).await.unwrap();
                let rows = store.held_rows(&collection.name, &prefix).await.unwrap();
                assert_eq!((counted, rows.len() as u64), (count, count), "{source}");
            }
        });
        assert_eq!(run(server, &collection, "", &folders[0])["unchanged"], count);
        assert_eq!(run(server, &collection, "", &folders[2])["unchanged"], count);
    }

    fn a_dry_run_writes_nothing(server: &Server) {
        let collection = server.collection("dry");
        let dir = tempfile::tempdir().unwrap();
        copy("objects/red-handbag.webp", &dir.path().join("a.webp"));
        fs::write(dir.path().join("b.jpg"), "no picture").unwrap();
        for _ in 0..2 {
            let summary = run(server, &collection, "--dry-run", dir.path());
            assert_eq!((&summary["upserted"], &summary["rejected"]), (&1.into(), &1.into()));
        }
        let missing = search().args("--text cat --collection").args(&collection.name);
        let said = server.run(missing).run().expect_code(1).stderr;
        assert!(said.contains("there is no collection"), "{said}");
    }

    /// Each fixture ends as its table says, with a reason, and the run goes on.
    fn bad_pictures_are_rejected_with_a_reason(server: &Server) {
        let collection = server.collection("rejects");
        let fixtures = repo().join("tests/fixtures/images");
        let dir = tempfile::tempdir().unwrap();
        let rejects = dir.path().join("rejects.jsonl");
        let more = format!("--rejects {}", rejects.display());
        let summary = run(server, &collection, &more, &fixtures);
        let table: Value =
            serde_json::from_slice(&fs::read(fixtures.join("manifest.json")).unwrap()).unwrap();
        let table = table.as_array().unwrap();
        let bad: Vec<&str> = table.iter().filter(|entry| entry["outcome"] == "reject")
            .map(|entry| entry["file"].as_str().unwrap()).collect();
        assert_eq!(summary["discovered"], table.len());
        assert_eq!(summary["rejected"], bad.len());
        let lines = fs::read_to_string(&rejects).unwrap();
        let listed: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let mut named: Vec<&str> = listed.iter()
            .map(|entry| entry["path"].as_str().unwrap().rsplit('/').next().unwrap()).collect();
        named.sort_unstable();
        let mut bad = bad;
        bad.sort_unstable();
        assert_eq!(named, bad);
        for entry in &listed {
            assert!(entry["reason"].as_str().unwrap().len() > 10, "{entry}");
            assert!(["discover", "read", "decode", "embed"].contains(&entry["stage"].as_str().unwrap()));
        }
        // A rejected picture is tried again, since it may have been mended.
        let again = run(server, &collection, "", &fixtures);
        assert_eq!((&again["upserted"], &again["rejected"]), (&0.into(), &summary["rejected"]));
    }

    fn lists_name_pictures_too(server: &Server) {
        let collection = server.collection("list");
        let dir = tempfile::tempdir().unwrap();
        let odd = dir.path().join("sub/new\nline é你好 '\".webp");
        copy("objects/red-handbag.webp", &odd);
        copy("objects/blue-cap.webp", &dir.path().join("b.webp"));
        let mut list = odd.to_str().unwrap().as_bytes().to_vec();
        list.push(0);
        list.extend(dir.path().join("b.webp").to_str().unwrap().as_bytes());
        let from_list = ingest().args("--model lit-b0 --format json --files-from - --collection")
            .args(&collection.name).args("--root").arg(dir.path()).stdin(list);
        let summary = server.run(from_list).run().expect_code(0).json();
        assert_eq!(summary["upserted"], 2);
        // The same root and paths are the same pictures.
        assert_eq!(run(server, &collection, "", dir.path())["unchanged"], 2);
        let found = hits(server, &collection, &odd);
        assert_eq!(found[0]["path"].as_str().unwrap(), odd.canonicalize().unwrap().to_str().unwrap());
    }

    fn bad_rows_cost_no_picture(server: &Server) {
        let collection = server.collection("rows");
        let dir = tempfile::tempdir().unwrap();
        copy("objects/red-handbag.webp", &dir.path().join("1.webp"));
        copy("objects/blue-cap.webp", &dir.path().join("2.webp"));
        let table = dir.path().join("styles.csv");
        fs::write(&table, "id,gender,productDisplayName\n1,Women,Bag, red, large\n2\n9,Men,Gone\n").unwrap();
        let run = ingest().args("--model lit-b0 --collection").args(&collection.name)
            .args("--names").arg(&table).arg(dir.path());
        let ran = server.run(run).run().expect_code(0);
        let hidden = [
            (dir.path().canonicalize().unwrap().to_str().unwrap().to_owned(), "[DIR]"),
            (dir.path().to_str().unwrap().to_owned(), "[DIR]"),
            (collection.name.clone(), "[COLLECTION]"),
        ];
        let hidden: Vec<(&str, &str)> = hidden.iter().map(|(what, name)| (what.as_str(), *name)).collect();
        insta::assert_snapshot!("bad_rows", ran.text(&hidden));
        let names: Vec<String> = hits(server, &collection, &dir.path().join("1.webp")).iter()
            .map(|hit| hit["display_name"].as_str().unwrap().to_owned()).collect();
        assert_eq!(names, ["Bag, red, large", "2"]);
    }

    /// `/2023/images/1.webp` and `/2024/images/1.webp` have the same identity.
    fn another_folder_of_the_same_name_overwrites_nothing(server: &Server) {
        let collection = server.collection("samename");
        let dir = tempfile::tempdir().unwrap();
        let (old, new) = (dir.path().join("2023/images"), dir.path().join("2024/images"));
        copy("objects/red-handbag.webp", &old.join("1.webp"));
        copy("objects/blue-cap.webp", &new.join("1.webp"));
        assert_eq!(run(server, &collection, "", &old)["upserted"], 1);
        assert_eq!(run(server, &collection, "", &new)["rejected"], 1);
        let stored = hits(server, &collection, &old.join("1.webp"));
        assert_eq!(stored[0]["path"], old.canonicalize().unwrap().join("1.webp").to_str().unwrap());
        assert_eq!(run(server, &collection, "--source images-2024", &new)["upserted"], 1);
        assert_eq!(hits(server, &collection, &new.join("1.webp")).len(), 2);
        // A folder that moved leaves nothing behind: its row follows it.
        fs::rename(&old, dir.path().join("images")).unwrap();
        assert_eq!(run(server, &collection, "", &dir.path().join("images"))["updated"], 1);
        assert_eq!(hits(server, &collection, &new.join("1.webp")).len(), 2);
    }

    /// Every digit of a number survives the way there and back.
    fn numbers_with_many_digits_do_not_change(server: &Server) {
        let collection = server.collection("digits");
        let dir = tempfile::tempdir().unwrap();
        copy("objects/red-handbag.webp", &dir.path().join("1.webp"));
        let table = dir.path().join("names.csv");
        let names = format!("--names {}", table.display());
        fs::write(&table, "id,name,latitude,longitude\n1,a,51.24826412345678,0.1234567890123456\n").unwrap();
        assert_eq!(run(server, &collection, &names, dir.path())["upserted"], 1);
        assert_eq!(run(server, &collection, &names, dir.path())["unchanged"], 1);
    }

    fn an_empty_folder_is_no_error(server: &Server) {
        let collection = server.collection("empty");
        let dir = tempfile::tempdir().unwrap();
        let summary = run(server, &collection, "", dir.path());
        assert_eq!(summary["discovered"], 0);
        assert_eq!(hits(server, &collection, &gallery().join("objects/blue-cap.webp")).len(), 0);
    }

    /// The baseline has no network and a vector of 14,400 numbers.
    fn pixels_need_no_runtime(server: &Server) {
        let collection = server.collection("pixels");
        let dir = tempfile::tempdir().unwrap();
        copy("objects/red-handbag.webp", &dir.path().join("1.webp"));
        copy("objects/blue-cap.webp", &dir.path().join("2.webp"));
        let run = ingest().args("--model pixels --format json --collection").args(&collection.name)
            .arg(dir.path()).env("ORT_DYLIB_PATH", "/nonexistent");
        assert_eq!(server.run(run).run().expect_code(0).json()["upserted"], 2);
        let ask = search().args("--format json --collection").args(&collection.name)
            .args("--image").arg(dir.path().join("2.webp")).env("ORT_DYLIB_PATH", "/nonexistent");
        let answer = server.run(ask).run().expect_code(0).json();
        assert_eq!(answer["hits"][0]["display_name"], "2");
    }

    fn every_index_type_is_created_as_asked(server: &Server) {
        for (kind, metric, nearest_is_large) in
            [("FLAT", "IP", true), ("IVF_FLAT", "L2", false), ("IVF_SQ8", "COSINE", true), ("AUTOINDEX", "COSINE", true)]
        {
            let collection = server.collection(&kind.to_lowercase());
            let dir = tempfile::tempdir().unwrap();
            copy("objects/red-handbag.webp", &dir.path().join("1.webp"));
            copy("objects/blue-cap.webp", &dir.path().join("2.webp"));
            let more = format!("--index-type {kind} --metric {metric} --ivf-nlist 4");
            run(server, &collection, &more, dir.path());
            let index = block_on(async { server.store().await.index(&collection.name).await });
            let index = index.unwrap().unwrap();
            assert_eq!(index.metric.as_str(), metric);
            // The server may name what AUTOINDEX stands for.
            assert!(index.kind == kind || kind == "AUTOINDEX", "{kind}: {index:?}");
            let found = hits(server, &collection, &dir.path().join("2.webp"));
            assert_eq!(found[0]["display_name"], "2", "{kind} {metric}");
            let (first, last) = (found[0]["score"].as_f64().unwrap(), found[1]["score"].as_f64().unwrap());
            assert_eq!(first > last, nearest_is_large, "{kind} {metric}: {first} {last}");
        }
    }
}
