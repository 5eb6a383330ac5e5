//! Reports of made-up sweeps.

use std::time::Duration;

use super::text;
use crate::config::Consistency;
use crate::entity::MetricType;
use crate::evaluate::bootstrap::Interval;
use crate::evaluate::sweep::{Sweep, SweepPoint};
use crate::evaluate::sweep_report::{write_json, write_page, write_plot, write_table};

fn sweep(index: &str, parameter: Option<&'static str>, points: &[(Option<usize>, f64)]) -> Sweep {
    let points = points
        .iter()
        .zip(1..)
        .map(|((value, recall), step)| SweepPoint {
            value: *value,
            recall: Interval {
                mean: *recall,
                low: recall - 0.01,
                high: recall + 0.005,
            },
            least: recall - 0.2,
            median: Duration::from_micros(900 * step),
            p95: Duration::from_micros(1_700 * step),
            short: usize::from(step == 1),
        });
    Sweep {
        collection: "shop_<b>".to_owned(),
        model: "clip".to_owned(),
        index: index.to_owned(),
        metric: MetricType::Cosine,
        rows: 50_000,
        // Rows that were replaced are in the index still.
        indexed: if index == "IVF_SQ8" { 20_000 } else { 50_400 },
        queries: 200,
        limit: 10,
        consistency: Consistency::Bounded,
        brute_force: Duration::from_millis(2_340),
        parameter,
        points: points.collect(),
    }
}

fn sweeps() -> Vec<Sweep> {
    let values = |values: [usize; 3]| values.map(Some);
    let points =
        |v: [usize; 3], recalls: [f64; 3]| values(v).into_iter().zip(recalls).collect::<Vec<_>>();
    vec![
        sweep(
            "HNSW",
            Some("ef"),
            &points([16, 64, 256], [0.91, 0.985, 0.993]),
        ),
        sweep(
            "IVF_SQ8",
            Some("nprobe"),
            &points([1, 4, 16], [0.5, 0.8, 0.95]),
        ),
        sweep("FLAT", None, &[(None, 1.0)]),
    ]
}

#[test]
fn tables_say_which_setting_to_take() {
    insta::assert_snapshot!("sweeps", text(|out| write_table(&sweeps(), out)));
}

#[test]
fn json_has_every_point() {
    let json = text(|out| write_json(&sweeps(), out));
    let document: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(document["collections"][0]["points"][1]["value"], 64);
    assert_eq!(document["collections"][1]["parameter"], "nprobe");
    assert_eq!(
        document["collections"][2]["points"][0]["value"],
        serde_json::Value::Null
    );
    assert_eq!(document["collections"][2]["brute_force_ms"], 2340.0);
}

#[test]
fn plot_and_page_stand_alone() {
    let svg = text(|out| write_plot(&sweeps(), out));
    assert_eq!(svg.matches("<circle").count(), 7);
    assert!(svg.starts_with("<svg xmlns=") && svg.contains("<style>"));
    let page = text(|out| write_page(&sweeps(), out));
    // The page allows its style sheets by their hash; one in a plot it would not.
    assert_eq!(page.matches("<style>").count(), 2);
    assert!(!page.contains("<b>") && page.contains("shop_&lt;b&gt;"));
    assert_eq!(page.matches("<section>").count(), 3);
}
