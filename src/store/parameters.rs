//! What an index is told of a search: how hard to look, and which scores count.
//! <https://milvus.io/docs/index.md>

use serde_json::{Value, json};

use super::collection::Index;
use super::search::VectorSearch;
use crate::config::ScoreRange;
use crate::entity::MetricType;

/// Candidates that an HNSW search looks at, at least. Milvus wants no less
/// than the limit; 64 gives recall above 0.95 on real embeddings with M 16.
const MIN_EF: usize = 64;

/// Most candidates that Milvus takes for an HNSW search.
const MAX_EF: usize = 32_768;

/// Inverted lists that an IVF search looks at, at least; of more than 256 a
/// sixteenth.
const MIN_NPROBE: usize = 16;

/// What the index is told of the search. `wide`: to look at all that it can.
pub(super) fn parameters(index: &Index, search: &VectorSearch<'_>, wide: bool) -> Value {
    let (limit, tuning) = (search.limit, search.tuning);
    let nlist = index.nlist.unwrap_or(MIN_NPROBE);
    let nprobe = || match (wide, tuning.nprobe) {
        (true, _) => nlist,
        (false, Some(given)) => given,
        (false, None) => MIN_NPROBE.max(nlist / 16).min(nlist.max(1)),
    };
    let mut parameters = match index.kind.as_str() {
        kind if kind.starts_with("HNSW") => json!({ "ef": match (wide, tuning.ef) {
            (true, _) => MAX_EF,
            (false, Some(given)) => given.max(limit),
            (false, None) => MIN_EF.max(limit),
        } }),
        kind if kind.starts_with("IVF_") => json!({ "nprobe": nprobe() }),
        "SCANN" => json!({ "nprobe": nprobe(), "reorder_k": limit.max(MIN_EF) }),
        "DISKANN" => json!({ "search_list": limit.max(MIN_EF) }),
        _ => json!({}),
    };
    if let Some(range) = search.range {
        let (radius, other_end) = radius_of(range, index.metric);
        parameters["radius"] = json!(radius);
        if let Some(other_end) = other_end {
            parameters["range_filter"] = json!(other_end);
        }
    }
    parameters
}

/// Milvus's two ends of a range: the one that is furthest away, which it does
/// not include, and the nearest one, which it does.
/// <https://milvus.io/docs/range-search.md>
fn radius_of(range: ScoreRange, metric: MetricType) -> (f32, Option<f32>) {
    if metric.larger_is_nearer() {
        let all = match metric {
            MetricType::Cosine => -1.5,
            _ => f32::MIN,
        };
        (range.low.map_or(all, f32::next_down), range.high)
    } else {
        (range.high.map_or(f32::MAX, f32::next_up), range.low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Tuning;
    use crate::store::Scope;

    fn told(kind: &str, nlist: Option<usize>, limit: usize, tuning: Tuning, wide: bool) -> Value {
        let index = Index {
            kind: kind.to_owned(),
            metric: MetricType::Cosine,
            nlist,
            sealed_rows: 0,
            indexed_rows: 0,
        };
        let scope = Scope::default();
        let search = VectorSearch {
            tuning,
            ..VectorSearch::new(&[], limit, &scope)
        };
        parameters(&index, &search, wide)
    }

    #[test]
    fn each_index_is_told_what_it_knows() {
        let default = Tuning::default();
        let given = Tuning {
            ef: Some(20),
            nprobe: Some(3),
            ..default
        };
        let cases = [
            ("HNSW", None, 10, default, json!({"ef": 64})),
            ("HNSW", None, 500, default, json!({"ef": 500})),
            ("HNSW", None, 10, given, json!({"ef": 20})),
            ("HNSW", None, 100, given, json!({"ef": 100})),
            ("IVF_FLAT", Some(128), 10, default, json!({"nprobe": 16})),
            ("IVF_SQ8", Some(1024), 10, default, json!({"nprobe": 64})),
            ("IVF_FLAT", Some(8), 10, default, json!({"nprobe": 8})),
            ("IVF_FLAT", Some(128), 10, given, json!({"nprobe": 3})),
            ("FLAT", None, 10, given, json!({})),
            ("AUTOINDEX", None, 10, default, json!({})),
        ];
        for (kind, nlist, limit, tuning, expected) in cases {
            assert_eq!(told(kind, nlist, limit, tuning, false), expected, "{kind}");
        }
        assert_eq!(told("HNSW", None, 10, given, true), json!({"ef": MAX_EF}));
        assert_eq!(
            told("IVF_FLAT", Some(128), 10, given, true),
            json!({"nprobe": 128})
        );
    }

    #[test]
    fn both_ends_of_a_range_count() {
        let range = |low, high| ScoreRange { low, high };
        let (radius, near) = radius_of(range(Some(0.5), Some(0.75)), MetricType::Cosine);
        assert!(radius < 0.5 && 0.5 - radius < 1e-6 && near == Some(0.75));
        let (radius, near) = radius_of(range(Some(0.5), Some(0.75)), MetricType::L2);
        assert!(radius > 0.75 && radius - 0.75 < 1e-6 && near == Some(0.5));
        assert!(radius_of(range(None, Some(0.1)), MetricType::Cosine).0 < -1.0);
    }
}
