//! How much of the exact answer an approximate index finds, and how long it
//! takes, setting by setting.

use std::time::{Duration, Instant};

use super::bootstrap::{Interval, interval, percentile};
use super::exact::{Exact, Truth};
use crate::config::{Consistency, Tuning};
use crate::entity::{Embedding, ImageId, MetricType};
use crate::search::Place;
use crate::store::{Scope, Store, StoreError, VectorSearch};

/// Recall that most people want of an index.
pub const GOOD_RECALL: f64 = 0.99;

/// Settings that are tried where none are named.
const DEFAULT_EF: [usize; 6] = [16, 32, 64, 128, 256, 512];
const DEFAULT_NPROBE: [usize; 8] = [1, 2, 4, 8, 16, 32, 64, 128];

/// Queries that go ahead untimed, so that caches are warm.
const WARM_UP: usize = 10;

/// What is measured.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Hits of a query.
    pub limit: usize,
    /// Rows that count.
    pub scope: Scope,
    /// Settings of the index that are tried; none for the usual ones.
    pub values: Vec<usize>,
    /// What a search must see.
    pub consistency: Consistency,
}

/// A query: its vector, and the rows that are its own.
pub type Query = (Embedding, Vec<ImageId>);

/// A collection's index against brute force.
#[derive(Debug)]
pub struct Sweep {
    /// The collection.
    pub collection: String,
    /// The model that filled it.
    pub model: String,
    /// Kind of its index, such as `HNSW`.
    pub index: String,
    /// How it compares vectors.
    pub metric: MetricType,
    /// Rows that were compared.
    pub rows: usize,
    /// Rows over which the index is built: where they are fewer, the others were
    /// compared one by one, which no setting touches.
    pub indexed: usize,
    /// Queries that were asked.
    pub queries: usize,
    /// Hits of each.
    pub limit: usize,
    /// What a search had to see.
    pub consistency: Consistency,
    /// Reading and comparing every row, for all queries together.
    pub brute_force: Duration,
    /// What is set: `ef` or `nprobe`; `None` where the index has neither.
    pub parameter: Option<&'static str>,
    /// One a setting.
    pub points: Vec<SweepPoint>,
}

/// One setting.
#[derive(Debug, Clone, PartialEq)]
pub struct SweepPoint {
    /// The setting; `None` where the index has none.
    pub value: Option<usize>,
    /// Mean recall.
    pub recall: Interval,
    /// Recall of the worst query.
    pub least: f64,
    /// Median time of a query, there and back.
    pub median: Duration,
    /// Time that 95 % of the queries stay below.
    pub p95: Duration,
    /// Queries that came back with fewer hits than there are.
    pub short: usize,
}

impl Sweep {
    /// The least setting whose mean recall is good.
    pub fn good(&self) -> Option<&SweepPoint> {
        let mut points = self.points.iter();
        points.find(|point| point.recall.mean >= GOOD_RECALL)
    }
}

/// What the index is told.
fn parameter(kind: &str) -> Option<&'static str> {
    if kind.starts_with("HNSW") {
        Some("ef")
    } else if kind.starts_with("IVF_") || kind == "SCANN" {
        Some("nprobe")
    } else {
        None
    }
}

/// Settings to try, ascending, each once. An HNSW search looks at as many
/// candidates as it gives hits; an index has no more lists than it has.
fn values(place: &Place, settings: &Settings, asked: usize) -> Vec<Option<usize>> {
    let given = &settings.values;
    let mut values: Vec<usize> = match parameter(&place.index.kind) {
        None => return vec![None],
        Some("ef") => {
            let values = if given.is_empty() {
                &DEFAULT_EF[..]
            } else {
                given
            };
            values.iter().map(|value| (*value).max(asked)).collect()
        }
        Some(_) => {
            let values = if given.is_empty() {
                &DEFAULT_NPROBE[..]
            } else {
                given
            };
            let most = place.index.nlist.unwrap_or(usize::MAX);
            values.iter().map(|value| (*value).min(most)).collect()
        }
    };
    values.sort_unstable();
    values.dedup();
    values.into_iter().map(Some).collect()
}

/// Compares every row, then asks the index with each setting, one query at a
/// time. `model` is the one that filled the collection.
///
/// # Errors
/// The collection is missing or not loaded, the filter cannot be parsed, or
/// the server failed.
pub async fn sweep(
    store: &Store,
    (place, model): (&Place, &str),
    queries: &[Query],
    settings: &Settings,
) -> Result<Sweep, StoreError> {
    let start = Instant::now();
    let mut exact = Exact::new(place.index.metric, settings.limit);
    for (vector, own) in queries {
        exact.ask(vector.clone(), own.clone());
    }
    let dimension = queries.first().map_or(1, |(vector, _)| vector.len());
    let mut rows = 0;
    store
        .rows_in_scope(&place.collection, &settings.scope, dimension, |row| {
            rows += 1;
            exact.offer(&row.entity.record.id, &row.entity.embedding);
        })
        .await?;
    let truths = exact.finish();
    let brute_force = start.elapsed();
    let most_own = queries.iter().map(|(_, own)| own.len()).max().unwrap_or(0);
    let mut points = Vec::new();
    for value in values(place, settings, settings.limit + most_own) {
        let asked: Vec<(&Query, &Truth)> = queries.iter().zip(&truths).collect();
        points.extend(point(store, place, &asked, (settings, value)).await?);
    }
    Ok(Sweep {
        collection: place.collection.clone(),
        model: model.to_owned(),
        index: place.index.kind.clone(),
        metric: place.index.metric,
        rows,
        indexed: place.index.indexed_rows,
        queries: queries.len(),
        limit: settings.limit,
        consistency: settings.consistency,
        brute_force,
        parameter: parameter(&place.index.kind),
        points,
    })
}

/// Asks every query with one setting; `None` where no query has an answer.
async fn point(
    store: &Store,
    place: &Place,
    asked: &[(&Query, &Truth)],
    (settings, value): (&Settings, Option<usize>),
) -> Result<Option<SweepPoint>, StoreError> {
    for ((vector, own), _) in asked.iter().take(WARM_UP) {
        let _warm = ask(store, place, (vector, own), (settings, value)).await?;
    }
    let (mut recalls, mut times, mut short) = (Vec::new(), Vec::new(), 0);
    for ((vector, own), truth) in asked {
        let start = Instant::now();
        let hits = ask(store, place, (vector, own), (settings, value)).await?;
        times.push(start.elapsed().as_secs_f64());
        let hits: Vec<&ImageId> = hits.iter().filter(|id| !own.contains(id)).collect();
        short += usize::from(hits.len() < truth.wanted());
        recalls.extend(truth.recall(hits));
    }
    times.sort_unstable_by(f64::total_cmp);
    let least = recalls.iter().copied().fold(1.0, f64::min);
    Ok(interval(&recalls).map(|recall| SweepPoint {
        value,
        recall,
        least,
        median: Duration::from_secs_f64(percentile(&times, 0.5)),
        p95: Duration::from_secs_f64(percentile(&times, 0.95)),
        short,
    }))
}

async fn ask(
    store: &Store,
    place: &Place,
    (vector, own): (&Embedding, &[ImageId]),
    (settings, value): (&Settings, Option<usize>),
) -> Result<Vec<ImageId>, StoreError> {
    let embeddings = [vector.clone()];
    let search = VectorSearch {
        tuning: Tuning {
            ef: value,
            nprobe: value,
            consistency: settings.consistency,
            complete: false,
        },
        ..VectorSearch::new(&embeddings, settings.limit + own.len(), &settings.scope)
    };
    let found = store
        .search(&place.collection, &place.index, &search)
        .await?;
    let hits = found.hits.into_iter().flatten();
    Ok(hits.map(|hit| hit.id).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Index;

    fn tried(kind: &str, nlist: Option<usize>, given: &[usize]) -> Vec<Option<usize>> {
        let place = Place {
            collection: "c".to_owned(),
            index: Index {
                kind: kind.to_owned(),
                metric: MetricType::Cosine,
                nlist,
                sealed_rows: 0,
                indexed_rows: 0,
            },
        };
        let settings = Settings {
            limit: 20,
            scope: Scope::default(),
            values: given.to_vec(),
            consistency: Consistency::Strong,
        };
        values(&place, &settings, 21)
    }

    #[test]
    fn settings_are_those_that_the_index_can_take() {
        let some = |values: &[usize]| values.iter().copied().map(Some).collect::<Vec<_>>();
        assert_eq!(tried("HNSW", None, &[]), some(&[21, 32, 64, 128, 256, 512]));
        assert_eq!(tried("HNSW", None, &[400, 5, 8, 400]), some(&[21, 400]));
        assert_eq!(tried("IVF_SQ8", Some(10), &[]), some(&[1, 2, 4, 8, 10]));
        assert_eq!(tried("SCANN", None, &[3]), some(&[3]));
        for kind in ["FLAT", "AUTOINDEX", "DISKANN"] {
            assert_eq!(tried(kind, None, &[3]), [None]);
        }
    }
}
