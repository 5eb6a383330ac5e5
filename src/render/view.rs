//! An answer as it is shown: the question, where it was asked, what was found.

use serde::Serialize;

use crate::entity::{Hit, MetricType};

/// A whole answer.
#[derive(Debug, Clone)]
pub struct AnswerView<'a> {
    /// The question.
    pub query: &'a QueryView,
    /// Collections that were asked, in the order of the command line.
    pub collections: &'a [CollectionView],
    /// How scores sort.
    pub score: ScoreKind,
    /// Best first.
    pub hits: &'a [Hit],
    /// Where the time went, where that was asked for.
    pub explain: Option<&'a ExplainView>,
}

/// The question, as it is told back.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct QueryView {
    /// What is looked for, and what is not.
    pub parts: Vec<PartView>,
    /// Most hits.
    pub limit: usize,
    /// Hits that were passed over.
    #[serde(skip_serializing_if = "is_zero")]
    pub offset: usize,
    /// Filter expression, where one was given, as it was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// A part of the question.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PartView {
    /// What the part is.
    pub kind: PartKind,
    /// The words, the picture's path or address, or the id.
    pub value: String,
    /// Share of the part; below zero for what is not looked for.
    pub weight: f64,
}

/// What a part of a question is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PartKind {
    /// Words.
    Text,
    /// A picture.
    Image,
    /// A stored picture.
    Id,
}

/// A collection that was asked, or left out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CollectionView {
    /// Its name.
    pub name: String,
    /// Model that filled it.
    pub model: String,
    /// How it compares vectors; absent where it was left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metric: Option<MetricType>,
    /// Why it was not asked, where it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_out: Option<String>,
}

/// What the scores are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScoreKind {
    /// As the collection's metric gives them.
    Metric(MetricType),
    /// Reciprocal rank fusion of several collections' hits.
    Fused,
}

impl ScoreKind {
    /// Its name: `COSINE`, `IP`, `L2` or `RRF`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Metric(metric) => metric.as_str(),
            Self::Fused => "RRF",
        }
    }

    /// Whether a larger score is a better one.
    pub fn larger_is_nearer(self) -> bool {
        match self {
            Self::Metric(metric) => metric.larger_is_nearer(),
            Self::Fused => true,
        }
    }
}

/// Where the time went, and how each collection was searched.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ExplainView {
    /// Steps in the order in which they ran.
    pub steps: Vec<StepView>,
    /// How each collection was searched.
    pub searches: Vec<SearchView>,
}

/// One step and its time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepView {
    /// What was done, such as `connect` or `embed text`.
    pub step: String,
    /// Wall-clock time.
    pub milliseconds: f64,
}

/// How a collection was searched.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SearchView {
    /// The collection.
    pub collection: String,
    /// Type of its index, such as `HNSW`.
    pub index: String,
    /// Search parameters that were sent, such as `{"ef":64}`.
    pub parameters: serde_json::Value,
    /// Consistency level.
    pub consistency: String,
    /// Whether every vector was compared.
    pub exact: bool,
    /// Requests that it took; more than one where the server gave too few.
    pub requests: usize,
}

/// Labels ranked for a question.
#[derive(Debug, Clone, Serialize)]
pub struct LabelsView<'a> {
    /// The question.
    pub query: &'a [PartView],
    /// Model that ranked.
    pub model: &'a str,
    /// Nearest first.
    pub labels: &'a [LabelView],
}

/// A label and how near it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LabelView {
    /// Place, from 1.
    pub rank: usize,
    /// Cosine; larger is nearer.
    pub score: f64,
    /// Share among all labels, where the model has a scale for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// The words.
    pub label: String,
}
