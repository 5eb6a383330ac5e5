//! As many hits as were asked for, and just those: narrow indexes, and
//! attributes with whatever people type.

use milvus_image_search::config::IndexSettings;
use milvus_image_search::entity::{Attributes, Entity, ImageId, ImageRecord};
use milvus_image_search::store::{Comparison, ModelMark, Scope, VectorSearch};
use serde_json::Value;

use crate::servers::{Server, block_on};
use crate::support::{gallery, ingest, search};

/// Values that end quotes, start comments, or are no texts everywhere else.
const VALUES: &[&str] = &[
    "Red",
    "",
    " ",
    "it's",
    "a \"quoted\" word",
    "back\\slash",
    "\\\"",
    "\" or 1 == 1 or \"",
    "x\") or (id != \"\"",
    "line\nbreak",
    "tab\there",
    "%",
    "_",
    "{}",
    "$0",
    "größe 你好 \u{1f600}",
    "\u{7f}",
    "null",
    "true",
    "42",
    "-1.5",
    "007",
    "1e3",
];

fn row(number: usize, value: &str) -> Entity {
    let mut attributes = Attributes::new();
    attributes.insert("k".to_owned(), value.into());
    let id = ImageId::new("values", &number.to_string());
    Entity {
        record: ImageRecord {
            path: format!("/{number}"),
            display_name: value.to_owned(),
            content_hash: blake3::hash(id.as_str().as_bytes()).to_hex().to_string(),
            id,
            bytes: 1,
            modified: 1,
            attributes,
        },
        embedding: vec![1.0, 0.5, 0.25, 0.125],
    }
}

on_both_servers! {
    /// Each value is found by itself and finds no other, and != finds the rest.
    fn any_value_is_compared_as_it_is(server: &Server) {
        let collection = server.collection("values");
        let name = collection.name.as_str();
        block_on(async {
            let store = server.store().await;
            let mark = ModelMark { model: "none".to_owned(), fingerprint: "none".to_owned() };
            store.create_collection(name, 4, &mark).await.unwrap();
            let rows: Vec<Entity> = VALUES.iter().enumerate().map(|(n, value)| row(n, value)).collect();
            let upserted = store.upsert(name, &rows).await;
            assert!(upserted.fatal.is_none() && upserted.faults.is_empty(), "{upserted:?}");
            store.create_index(name, &IndexSettings::default()).await.unwrap();
            store.load(name).await.unwrap();
            let index = store.index(name).await.unwrap().unwrap();
            let asked = [vec![1.0, 0.5, 0.25, 0.125]];
            for value in VALUES {
                for (operator, count) in [("=", 1), ("!=", VALUES.len() - 1)] {
                    let comparison: Comparison = format!("k{operator}{value}").parse().unwrap();
                    // A value with spaces around it is given without them.
                    let trimmed = value.trim() != *value;
                    let filter = comparison.expression();
                    let scope = Scope { filter, ..Scope::default() };
                    let query = VectorSearch::new(&asked, VALUES.len(), &scope);
                    let found = store.search(name, &index, &query).await;
                    let hits = found.unwrap_or_else(|error| panic!("{}: {error:?}", scope.filter)).hits;
                    if trimmed {
                        continue;
                    }
                    assert_eq!(hits[0].len(), count, "{}", scope.filter);
                    let itself = hits[0].iter().any(|hit| hit.display_name == *value);
                    assert_eq!(itself, operator == "=", "{}", scope.filter);
                }
            }
            assert_eq!(store.count_scope(name, &Scope::default()).await.unwrap(), VALUES.len() as u64);
        });
    }

    /// One list of an IVF index does not hold all that were asked for.
    fn a_narrow_index_is_asked_wider(server: &Server) {
        let collection = server.collection("narrow");
        let name = collection.name.as_str();
        let run = ingest().args("--quiet --model pixels --index-type IVF_FLAT --ivf-nlist 16 --collection")
            .args(name).arg(gallery());
        server.run(run).run().expect_code(0);
        collection_flushed(&collection);
        let ask = |words: &str| {
            let picture = gallery().join("objects/red-cap.webp");
            let run = search().args("--format json --explain --collection").args(name).args(words)
                .args("--image").arg(picture);
            server.run(run).run().expect_code(0).json()
        };
        let answer = ask("--nprobe 1 --limit 138");
        assert_eq!(answer["hits"].as_array().unwrap().len(), 138, "{}", answer["explain"]);
        let answer = ask("--limit 5");
        assert_eq!(answer["hits"].as_array().unwrap().len(), 5);
        let how: &Value = &answer["explain"]["searches"][0];
        assert_eq!(how["index"], "IVF_FLAT");
        assert_eq!(how["parameters"], serde_json::json!({"nprobe": 16}));
        let refused = search().args("--ef 9 --id x --collection").args(name);
        let said = server.run(refused).run().expect_code(1).stderr;
        assert!(said.contains("has no ef\nhint: use --nprobe"), "{said}");
    }
}

fn collection_flushed(collection: &crate::servers::Collection) {
    block_on(collection.flush());
}
