//! `search evaluate` on real servers: measures over the gallery, and indexes
//! against brute force.

use std::fs;
use std::path::Path;

use milvus_image_search::entity::ImageId;
use serde_json::{Value, json};

use crate::errors::{kind, small};
use crate::gallery::ingested;
use crate::servers::{Collection, Server};
use crate::support::{Run, gallery, ingest, search};

fn evaluate(collections: &[&Collection]) -> Run {
    let names: Vec<&str> = collections.iter().map(|c| c.name.as_str()).collect();
    search()
        .args("evaluate --collection")
        .args(&names.join(","))
}

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn mean(document: &Value, system: usize, measure: &str) -> f64 {
    document["systems"][system]["measures"][measure]["mean"]
        .as_f64()
        .unwrap()
}

#[track_caller]
fn near(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-9, "{a}, not {b}");
}

/// The file holds everything that it shows.
fn stands_alone(page: &str) {
    assert!(page.starts_with("<!doctype html>") && page.trim_end().ends_with("</html>"));
    assert!(
        !page.contains("src=\"http") && !page.contains("href=\"http") && !page.contains("<script")
    );
}

#[track_caller]
fn refused(name: &str, server: &Server, run: Run, collection: &Collection) {
    let hidden = [
        (collection.name.as_str(), "[COLLECTION]"),
        (server.uri.as_str(), "[URI]"),
    ];
    let said = server.run(run).run().expect_code(1);
    insta::assert_snapshot!(
        format!("evaluate_{name}_{}", kind(server)),
        said.text(&hidden)
    );
}

on_both_servers! {
    /// A trained model finds a kind better than pixels do, and the report says
    /// that it is no chance.
    fn models_side_by_side(server: &Server) {
        let (good, poor) = (server.collection("evalgood"), server.collection("evalpoor"));
        ingested(server, &good, "lit-b0");
        ingested(server, &poor, "pixels");
        let folder = tempfile::tempdir().unwrap();
        let run = || evaluate(&[&good, &poor]).folder(folder.path())
            .args("--relevant-by kind --sample 60 --per-query q.jsonl --html page.html --format json");
        let first = server.run(run()).run().expect_code(0);
        let document = first.json();
        assert_eq!((&document["queries"], &document["limit"]), (&60.into(), &100.into()));
        assert_eq!(document["systems"][1]["model"], "pixels");
        assert!(mean(&document, 0, "mAP") > mean(&document, 1, "mAP") + 0.1, "{document}");
        let pairs = document["pairs"].as_array().unwrap();
        let pair = pairs.iter().find(|pair| pair["measure"] == "mAP").unwrap();
        assert!(pair["p_holm"].as_f64().unwrap() < 0.01, "{pair}");

        // The means are those of the lines, and a query's own row is no answer.
        let lines = lines(&folder.path().join("q.jsonl"));
        assert_eq!(lines.len(), 120);
        for (system, collection) in [&good, &poor].into_iter().enumerate() {
            let own: Vec<&Value> = lines.iter().filter(|line| line["collection"] == collection.name.as_str()).collect();
            let counted = own.iter().filter(|line| !line["measures"].is_null());
            for measure in ["recall@5", "nDCG@10", "MRR"] {
                let values: Vec<f64> = counted.clone().map(|line| line["measures"][measure].as_f64().unwrap()).collect();
                assert_eq!(values.len() as u64, document["counted"].as_u64().unwrap());
                let count = f64::from(u32::try_from(values.len()).unwrap());
                near(values.iter().sum::<f64>() / count, mean(&document, system, measure));
            }
            for line in own {
                let hits = line["hits"].as_array().unwrap();
                assert_eq!(hits.len(), 10);
                assert!(hits.iter().all(|hit| hit["path"] != line["name"]), "{line}");
            }
        }
        let page = fs::read_to_string(folder.path().join("page.html")).unwrap();
        stands_alone(&page);
        assert!(page.contains("Worst queries") && page.contains("data:image/jpeg;base64,"));
        // Everything is seeded.
        assert_eq!(server.run(run()).run().expect_code(0).stdout, first.stdout);
        let table = server.run(evaluate(&[&good, &poor]).args("--relevant-by kind --sample 60")).run().expect_code(0);
        assert!(table.stdout.contains("less that of"), "{table:?}");
    }

    /// Words, files and stored pictures, right by name, by end of path, by id
    /// and with grades.
    fn a_file_says_what_is_right(server: &Server) {
        let collection = server.collection("evalfile");
        ingested(server, &collection, "lit-b0");
        let folder = tempfile::tempdir().unwrap();
        let root = gallery();
        let id = |path: &str| ImageId::new("gallery", path).as_str().to_owned();
        let picture = root.join("objects/blue-cap.webp");
        let queries = [
            json!({"text": "blue umbrella", "relevant": ["objects/blue-umbrella.webp"]}),
            json!({"text": "red scarf", "relevant": {id("objects/red-scarf.webp"): 3, "objects/pink-scarf.webp": 1}}),
            json!({"image": picture, "relevant": ["red-cap.webp", "green-cap.webp", "orange-cap.webp"]}),
            json!({"id": id("objects/blue-cap.webp"), "relevant": ["objects/red-cap.webp", "objects/blue-cap.webp"]}),
            json!({"text": "a cat", "relevant": ["no/such.jpg"]}),
            json!({"text": "a dog", "relevant": []}),
        ];
        let text: Vec<String> = queries.iter().map(Value::to_string).collect();
        fs::write(folder.path().join("q.jsonl"), text.join("\n")).unwrap();
        let run = evaluate(&[&collection]).folder(folder.path())
            .args("--queries q.jsonl --k 1,10 --limit 20 --format json --per-query out.jsonl");
        let ran = server.run(run).run().expect_code(0);
        assert!(ran.stderr.contains("1 of the right answers are not stored"), "{ran:?}");
        let document = ran.json();
        assert_eq!((&document["queries"], &document["counted"], &document["left_out"]), (&6.into(), &5.into(), &1.into()));
        let lines = lines(&folder.path().join("out.jsonl"));
        let measure = |query: usize, name: &str| lines[query]["measures"][name].as_f64().unwrap();
        near(measure(0, "recall@1"), 1.0);
        assert_eq!(lines[1]["hits"][0]["grade"], 3);
        assert!(measure(1, "nDCG@10") > 0.7);
        for (query, relevant) in [(2, 3), (3, 1)] {
            assert_eq!(lines[query]["relevant"], relevant);
            let hits = lines[query]["hits"].as_array().unwrap();
            assert!(hits.iter().all(|hit| !hit["path"].as_str().unwrap().ends_with("blue-cap.webp")), "{hits:?}");
        }
        near(measure(4, "mAP"), 0.0);
        assert!(lines[5]["measures"].is_null());

        // By attributes: the query's own columns.
        fs::write(folder.path().join("by.csv"), "text,kind,colour\nred backpack,backpack,red\nblue cap,cap,blue\n").unwrap();
        let run = evaluate(&[&collection]).folder(folder.path())
            .args("--queries by.csv --relevant-by kind,colour --k 1 --format json");
        near(mean(&server.run(run).run().expect_code(0).json(), 0, "recall@1"), 1.0);
    }

    /// What one model cannot be asked counts for none, and is said.
    fn words_are_no_question_for_pixels(server: &Server) {
        let (good, poor) = (server.collection("evalwords"), server.collection("evalnowords"));
        ingested(server, &good, "lit-b0");
        ingested(server, &poor, "pixels");
        let folder = tempfile::tempdir().unwrap();
        let picture = gallery().join("objects/blue-cap.webp");
        let queries = format!("text,image,kind\na cap,,cap\n,{},cap\n", picture.display());
        fs::write(folder.path().join("q.csv"), queries).unwrap();
        let run = evaluate(&[&good, &poor]).folder(folder.path()).args("--queries q.csv --relevant-by kind --format json");
        let ran = server.run(run).run().expect_code(3);
        assert!(ran.stderr.contains("`pixels` does not understand text"), "{ran:?}");
        let document = ran.json();
        assert_eq!((&document["counted"], &document["not_asked"]), (&1.into(), &1.into()));
    }

    /// A flat index is exact, so brute force must agree with it to the last hit;
    /// an inverted one finds more the more lists it looks at.
    fn indexes_against_brute_force(server: &Server) {
        for (index, sweep) in [("FLAT", ""), ("IVF_FLAT --ivf-nlist 16", "--sweep 1,16"), ("HNSW", "--sweep 5,64,400")] {
            let collection = server.collection("evalexact");
            let run = ingest().args("--quiet --model lit-b0 --index-type").args(index).args("--collection")
                .args(&collection.name).arg(gallery());
            server.run(run).run().expect_code(0);
            if index == "HNSW" && server.token.is_some() {
                let early = evaluate(&[&collection]).args("--exact --sample 4 --sweep 16");
                let said = server.run(early).run().expect_code(0).stdout;
                assert!(said.contains("the index is built over 0 of these rows"), "{said}");
            }
            let folder = tempfile::tempdir().unwrap();
            let run = evaluate(&[&collection]).folder(folder.path())
                .args("--exact --flush --sample 40 --consistency strong --format json --svg p.svg --html p.html").args(sweep);
            let document = server.run(run).run().expect_code(0).json();
            let measured = &document["collections"][0];
            assert_eq!((&measured["rows"], &measured["queries"], &measured["limit"]), (&138.into(), &40.into(), &10.into()));
            assert_eq!(measured["indexed"], 138);
            let points = measured["points"].as_array().unwrap();
            let recall = |point: &Value| point["recall"].as_f64().unwrap();
            let values: Vec<Option<u64>> = points.iter().map(|point| point["value"].as_u64()).collect();
            match index {
                "FLAT" => {
                    assert_eq!(values, [None]);
                    near(points[0]["least"].as_f64().unwrap(), 1.0);
                }
                "HNSW" => {
                    assert_eq!(values, [Some(11), Some(64), Some(400)]);
                    assert!(recall(&points[2]) > 0.98, "{points:?}");
                }
                _ => {
                    assert_eq!(values, [Some(1), Some(16)]);
                    near(recall(&points[1]), 1.0);
                    assert!(recall(&points[0]) <= 1.0);
                }
            }
            for point in points {
                let time = |name: &str| point[name].as_f64().unwrap();
                assert!(time("median_ms") > 0.0 && time("median_ms") <= time("p95_ms"), "{point}");
            }
            let svg = fs::read_to_string(folder.path().join("p.svg")).unwrap();
            assert_eq!(svg.matches("<circle").count(), points.len());
            let page = fs::read_to_string(folder.path().join("p.html")).unwrap();
            stands_alone(&page);
            assert_eq!(page.matches("<circle").count(), points.len());
        }
    }

    fn what_cannot_be_evaluated_is_said(server: &Server) {
        let (collection, dir) = small(server, "evalerrors", "pixels");
        let run = || evaluate(&[&collection]).folder(dir.path());
        refused("attribute", server, run().args("--relevant-by kind"), &collection);
        fs::write(dir.path().join("q.csv"), "text,image,relevant\n,cap.webp,nosuch.jpg\n").unwrap();
        fs::write(dir.path().join("none.csv"), "image,relevant\ncap.webp,\n").unwrap();
        fs::write(dir.path().join("text.csv"), "text,relevant\na cap,cap.webp\n").unwrap();
        fs::write(dir.path().join("gone.csv"), "image,relevant\ngone.webp,cap.webp\n").unwrap();
        let warned = server.run(run().args("--queries q.csv --k 1")).run().expect_code(0);
        assert!(warned.stderr.contains("are not stored"), "{warned:?}");
        refused("nothing", server, run().args("--queries none.csv"), &collection);
        refused("words", server, run().args("--queries text.csv"), &collection);
        refused("gone", server, run().args("--queries gone.csv"), &collection);
        refused("alone", server, run().args("--exact"), &collection);
        refused("filter", server, run().args("--exact --where colour=none"), &collection);
        let nowhere = dir.path().join("no/such/folder.svg");
        let unwritable = run().args("--queries q.csv --k 1 --html").arg(&nowhere);
        let said = server.run(unwritable).run().expect_code(1);
        assert!(said.stderr.contains("cannot write"), "{said:?}");
    }
}
