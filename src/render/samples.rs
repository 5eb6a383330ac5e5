//! Answers for the tests of this room.

use serde_json::json;

use super::view::{
    AnswerView, CollectionView, ExplainView, PartKind, PartView, QueryView, ScoreKind, SearchView,
    StepView,
};
use crate::entity::{FoundIn, Hit, ImageId, MetricType};

/// What an answer's view borrows.
pub(super) struct Sample {
    pub(super) query: QueryView,
    pub(super) collections: Vec<CollectionView>,
    pub(super) score: ScoreKind,
    pub(super) hits: Vec<Hit>,
    pub(super) explain: Option<ExplainView>,
}

pub(super) fn hit(rank: usize, name: &str) -> Hit {
    let path = format!("/home/ada/pictures/fashion/{rank}.jpg");
    Hit {
        rank,
        id: ImageId::new("fashion", &path),
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        score: 0.5 - 0.0625 * rank as f32,
        path,
        display_name: name.to_owned(),
        attributes: serde_json::Map::new(),
        content_hash: "ab".repeat(32),
        embedding: None,
        found_in: Vec::new(),
    }
}

impl Sample {
    pub(super) fn of(hits: Vec<Hit>) -> Self {
        Self {
            query: QueryView {
                parts: vec![PartView {
                    kind: PartKind::Text,
                    value: "red handbag".to_owned(),
                    weight: 1.0,
                }],
                limit: 10,
                offset: 0,
                filter: None,
            },
            collections: vec![CollectionView {
                name: "fashion_clip".to_owned(),
                model: "clip-vit-b-32".to_owned(),
                metric: Some(MetricType::Cosine),
                left_out: None,
            }],
            score: ScoreKind::Metric(MetricType::Cosine),
            hits,
            explain: None,
        }
    }

    /// Names of many scripts, and what would break a page or a line.
    pub(super) fn of_the_world() -> Self {
        let names = [
            "Red Handbag",
            "红色手提包，配金色链条",
            "👩‍👩‍👧 family 👍🏽 🇫🇷",
            "حقيبة يد حمراء",
            "a\u{202e}gpj.exe <script>alert('1')</script>",
            "A very long name that goes on and on, as shops like them: genuine leather, two handles, gold",
        ];
        let mut hits: Vec<Hit> = (1..).zip(names).map(|(n, name)| hit(n, name)).collect();
        hits[0].path =
            "/home/ada/pictures/fashion/autumn/accessories/bags/red-handbag.jpg".to_owned();
        hits[0].attributes.insert("colour".to_owned(), json!("red"));
        hits[0].attributes.insert("price".to_owned(), json!(49.5));
        hits[1].path = "/home/ada/图片/时尚/手提包/红色.jpg".to_owned();
        Self::of(hits)
    }

    /// Two collections that were asked, and one that was not.
    pub(super) fn fused() -> Self {
        let mut sample = Self::of(vec![hit(1, "Red Handbag"), hit(2, "Red Purse")]);
        sample.score = ScoreKind::Fused;
        sample.collections.push(CollectionView {
            name: "fashion_resnet".to_owned(),
            model: "resnet50".to_owned(),
            metric: Some(MetricType::L2),
            left_out: None,
        });
        sample.collections.push(CollectionView {
            name: "fashion_pixels".to_owned(),
            model: "pixels".to_owned(),
            metric: None,
            left_out: Some("its model knows no text".to_owned()),
        });
        let found = |collection: &str, rank, score| FoundIn {
            collection: collection.to_owned(),
            rank,
            score,
        };
        sample.hits[0].score = 0.032_522;
        sample.hits[0].found_in = vec![
            found("fashion_clip", 1, 0.312_345),
            found("fashion_resnet", 2, 1203.5),
        ];
        sample.hits[1].score = 0.016_129;
        sample.hits[1].found_in = vec![found("fashion_clip", 2, 0.298)];
        sample
    }

    pub(super) fn explained(mut self) -> Self {
        let step = |step: &str, milliseconds| StepView {
            step: step.to_owned(),
            milliseconds,
        };
        self.explain = Some(ExplainView {
            steps: vec![
                step("connect", 12.04),
                step("load model", 201.5),
                step("embed text", 20.0),
                step("search", 4.126),
            ],
            searches: vec![SearchView {
                collection: "fashion_clip".to_owned(),
                index: "HNSW".to_owned(),
                parameters: json!({"ef": 64}),
                consistency: "Bounded".to_owned(),
                exact: false,
                requests: 2,
            }],
        });
        self
    }

    pub(super) fn view(&self) -> AnswerView<'_> {
        AnswerView {
            query: &self.query,
            collections: &self.collections,
            score: self.score,
            hits: &self.hits,
            explain: self.explain.as_ref(),
        }
    }
}
