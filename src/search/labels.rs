//! Words ranked for a question: zero-shot labels, no collection needed.

use super::embedder::{Embedder, Ingredient};
use super::question::Question;
use super::{SearchError, combine};
use crate::embed::{EmbedError, cosine};

/// A label and how near it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Label {
    /// The words.
    pub label: String,
    /// Cosine of its vector and the question's; larger is nearer.
    pub score: f64,
    /// Share among all labels: the softmax of the scores times the model's
    /// logit scale, where its manifest has one.
    pub probability: Option<f64>,
}

/// Every label, put into each of `templates`, nearest first, and whether a text
/// was cut.
///
/// # Errors
/// The model has no text side, the question cannot be embedded, or asks for a
/// stored picture.
pub fn rank_labels(
    embedder: &mut Embedder,
    labels: &[String],
    templates: &[String],
    question: &Question,
) -> Result<(Vec<Label>, bool), SearchError> {
    let answers = embedder.embed(std::slice::from_ref(question))?;
    let mut asked = answers.into_iter().collect::<Result<Vec<_>, _>>()?;
    let truncated = asked.iter().any(|question| question.truncated);
    let parts: Vec<_> = asked
        .drain(..)
        .flat_map(|question| question.parts)
        .filter_map(|(part, weight)| match part {
            Ingredient::Vector(vector) => Some((vector, weight)),
            Ingredient::Stored(_) => None,
        })
        .collect();
    let wanted = combine(&parts).map_err(EmbedError::Vector)?;
    let texts: Vec<&str> = labels.iter().map(String::as_str).collect();
    let vectors = embedder.texts(&texts, templates)?;
    let truncated = truncated || vectors.iter().any(|(_, cut)| *cut);
    let scores: Vec<f64> = vectors.iter().map(|(v, _)| cosine(v, &wanted)).collect();
    let text = embedder.model().manifest.text.as_ref();
    let shares = text
        .and_then(|text| text.logit_scale)
        .map(|scale| softmax(&scores, scale));
    let mut ranked: Vec<Label> = labels
        .iter()
        .zip(&scores)
        .enumerate()
        .map(|(place, (label, score))| Label {
            label: label.clone(),
            score: *score,
            probability: shares.as_ref().map(|shares| shares[place]),
        })
        .collect();
    ranked.sort_by(|one, other| other.score.total_cmp(&one.score));
    Ok((ranked, truncated))
}

/// Shares that add up to 1; the largest score is taken off first, so that no
/// power overflows.
fn softmax(scores: &[f64], scale: f64) -> Vec<f64> {
    let most = scores.iter().copied().fold(f64::MIN, f64::max);
    let powers: Vec<f64> = scores.iter().map(|s| ((s - most) * scale).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.iter().map(|power| power / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::softmax;

    #[test]
    fn shares_add_up_and_follow_the_scale() {
        let shares = softmax(&[0.30, 0.25, 0.20], 100.0);
        assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        // e^5 to one.
        assert!((shares[0] / shares[1] - 148.413).abs() < 0.01);
    }
}
