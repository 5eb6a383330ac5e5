//! The numbers of this room against those of other people's programs:
//! `tests/fixtures/metrics/build.py` says whose.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;

use crate::evaluate::bootstrap::{Random, holm, interval, paired, percentile};
use crate::evaluate::metrics::{Grade, Judged, Measure, by_score};

const EXACT: f64 = 1e-9;

#[derive(Deserialize)]
struct Cases {
    ks: Vec<usize>,
    measures: Vec<Ranking>,
    sign_flips: Vec<Flips>,
    intervals: Vec<Sample>,
    holm: Vec<Corrected>,
    percentiles: Percentiles,
}

#[derive(Deserialize)]
struct Ranking {
    relevant: HashMap<String, Grade>,
    hits: Vec<(String, f32)>,
    expected: BTreeMap<String, f64>,
}

#[derive(Deserialize)]
struct Flips {
    a: Vec<f64>,
    b: Vec<f64>,
    p: f64,
    within: f64,
}

#[derive(Deserialize)]
struct Sample {
    values: Vec<f64>,
    mean: f64,
    low: f64,
    high: f64,
    within: f64,
}

#[derive(Deserialize)]
struct Corrected {
    p: Vec<f64>,
    expected: Vec<f64>,
}

#[derive(Deserialize)]
struct Percentiles {
    values: Vec<f64>,
    shares: Vec<f64>,
    expected: Vec<f64>,
}

fn cases() -> Cases {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/fixtures/metrics/cases.json"
    );
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn measures_are_those_of_trec_eval() {
    let cases = cases();
    assert!(cases.measures.len() >= 300);
    let mut compared = 0;
    let mut random = Random(7);
    for case in cases.measures {
        // In no order: ties are broken by us, as trec_eval breaks them.
        let mut hits = case.hits;
        (1..hits.len()).for_each(|at| hits.swap(at, random.below(at + 1)));
        hits.sort_by(|(a, x), (b, y)| by_score((a, *x), (b, *y), true));
        let ranking = hits.into_iter().map(|(key, _)| key);
        let judged = Judged::new(ranking, &case.relevant, 100).unwrap();
        for measure in Measure::at(&cases.ks) {
            let expected = case.expected[&measure.to_string()];
            let ours = judged.measure(measure);
            assert!(
                (ours - expected).abs() < EXACT,
                "{measure}: {ours}, not {expected}: {judged:?}"
            );
            compared += 1;
        }
    }
    assert!(compared >= 4_000);
}

#[test]
fn p_values_are_those_of_scipy() {
    let cases = cases().sign_flips;
    assert!(cases.len() >= 60);
    for case in cases {
        let ours = paired(&case.a, &case.b).unwrap().p;
        assert!(
            (ours - case.p).abs() <= case.within,
            "{ours}, not {}",
            case.p
        );
    }
}

#[test]
fn intervals_are_those_of_scipy() {
    for case in cases().intervals {
        let ours = interval(&case.values).unwrap();
        assert!((ours.mean - case.mean).abs() < EXACT);
        assert!((ours.low - case.low).abs() <= case.within, "{ours:?}");
        assert!((ours.high - case.high).abs() <= case.within, "{ours:?}");
    }
}

#[test]
fn corrections_are_those_of_statsmodels() {
    for case in cases().holm {
        let ours = holm(&case.p);
        let pairs = ours.iter().zip(&case.expected);
        assert!(
            pairs.clone().all(|(a, b)| (a - b).abs() < EXACT),
            "{ours:?}, not {:?}",
            case.expected
        );
        assert_eq!(ours.len(), case.expected.len());
    }
}

#[test]
fn percentiles_are_those_of_numpy() {
    let case = cases().percentiles;
    for (share, expected) in case.shares.iter().zip(&case.expected) {
        assert!((percentile(&case.values, *share) - expected).abs() < EXACT);
    }
}
