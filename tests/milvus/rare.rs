//! Filters that match few of many rows: an approximate index must not lose them.

use milvus_image_search::config::IndexSettings;
use milvus_image_search::entity::{Entity, ImageId, ImageRecord};
use milvus_image_search::store::{ModelMark, Scope, VectorSearch};

use crate::servers::{Server, block_on};

const ROWS: usize = 5000;
const RARE: usize = 10;
const DIMENSION: usize = 32;

/// Numbers that look random and are the same in every run (splitmix64).
fn vector(seed: usize) -> Vec<f32> {
    let mut state = seed as u64;
    (0..DIMENSION)
        .map(|_| {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            let bits = u16::try_from((z ^ (z >> 31)) >> 48).unwrap();
            f32::from(bits) / 32768.0 - 1.0
        })
        .collect()
}

fn row(number: usize) -> Entity {
    let rare = number < RARE;
    Entity {
        record: ImageRecord {
            id: ImageId::new("rare", &number.to_string()),
            path: format!("/{number}.jpg"),
            display_name: number.to_string(),
            content_hash: "0".repeat(64),
            bytes: 1,
            modified: 1,
            attributes: serde_json::from_value(serde_json::json!({ "rare": rare })).unwrap(),
        },
        // Far from each other, so that no one neighbourhood holds them.
        embedding: vector(number * 1_000_003),
    }
}

on_both_servers! {
    fn every_matching_row_is_found(server: &Server) {
        let collection = server.collection("rare");
        let name = collection.name.as_str();
        block_on(async {
            let store = server.store().await;
            let mark = ModelMark { model: "none".to_owned(), fingerprint: "none".to_owned() };
            store.create_collection(name, DIMENSION, &mark).await.unwrap();
            let rows: Vec<Entity> = (0..ROWS).map(row).collect();
            for batch in rows.chunks(1000) {
                let upserted = store.upsert(name, batch).await;
                assert!(upserted.fatal.is_none() && upserted.faults.is_empty());
            }
            // Lite builds the graph of what was flushed; the rest it compares one by one.
            collection.flush().await;
            store.create_index(name, &IndexSettings::default()).await.unwrap();
            store.load(name).await.unwrap();
            let index = store.index(name).await.unwrap().unwrap();
            for question in 0..20 {
                let scope = Scope {
                    filter: "attributes[\"rare\"] == true".to_owned(),
                    ..Scope::default()
                };
                let asked = [vector(7 + question)];
                let query = VectorSearch::new(&asked, RARE, &scope);
                let found = store.search(name, &index, &query).await.unwrap();
                let hits = &found.hits[0];
                assert_eq!(hits.len(), RARE, "question {question}");
                let sorted = hits.windows(2).all(|pair| pair[0].score >= pair[1].score);
                assert!(sorted, "{hits:?}");
            }
        });
    }
}
