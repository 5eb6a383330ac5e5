//! Several collections' hits as one list.

use std::collections::HashMap;

use crate::entity::{FoundIn, Hit, ImageId};

/// Keeps the first places from outweighing agreement: Cormack, Clarke and
/// Büttcher, "Reciprocal Rank Fusion", SIGIR 2009.
const RRF_K: f32 = 60.0;

/// Reciprocal rank fusion: each picture's score is the sum of `1 / (60 + rank)`
/// over the lists that have it. Best first; equal scores in the order of the
/// lists. The rest of a hit comes from the first list that has it.
pub(super) fn fuse(lists: Vec<(String, Vec<Hit>)>) -> Vec<Hit> {
    let mut places: HashMap<ImageId, usize> = HashMap::new();
    let mut fused: Vec<Hit> = Vec::new();
    for (collection, hits) in lists {
        for (hit, rank) in hits.into_iter().zip(1u16..) {
            let own = FoundIn {
                collection: collection.clone(),
                rank: rank.into(),
                score: hit.score,
            };
            let share = 1.0 / (RRF_K + f32::from(rank));
            let place = *places.entry(hit.id.clone()).or_insert(fused.len());
            if let Some(known) = fused.get_mut(place) {
                known.score += share;
                known.found_in.push(own);
            } else {
                fused.push(Hit {
                    score: share,
                    found_in: vec![own],
                    ..hit
                });
            }
        }
    }
    // Stable: equal scores stay in order.
    fused.sort_by(|one, other| other.score.total_cmp(&one.score));
    fused
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(collection: &str, ids: &[&str]) -> (String, Vec<Hit>) {
        let hit = |id: &&str| Hit {
            rank: 0,
            id: ImageId::from_stored((*id).to_owned()),
            score: 0.5,
            path: String::new(),
            display_name: String::new(),
            attributes: serde_json::Map::new(),
            content_hash: String::new(),
            embedding: None,
            found_in: Vec::new(),
        };
        (collection.to_owned(), ids.iter().map(hit).collect())
    }

    #[test]
    fn agreement_beats_a_single_first_place() {
        let fused = fuse(vec![list("a", &["x", "y", "z"]), list("b", &["w", "y"])]);
        let ids: Vec<&str> = fused.iter().map(|hit| hit.id.as_str()).collect();
        assert_eq!(ids, ["y", "x", "w", "z"]);
        assert!((fused[0].score - 2.0 / 62.0).abs() < 1e-6);
        let from: Vec<_> = fused[0]
            .found_in
            .iter()
            .map(|from| (from.collection.as_str(), from.rank))
            .collect();
        assert_eq!(from, [("a", 2), ("b", 2)]);
    }
}
