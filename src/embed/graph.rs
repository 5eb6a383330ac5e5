//! Comparing a graph with what the manifest says of it, and pooling its output.

use std::borrow::Cow;
use std::path::Path;

use half::f16;
use ort::session::Session;
use ort::value::{Outlet, TensorElementType, ValueType};

use super::error::{EmbedError, Said};
use crate::model::Pooling;

/// What the manifest says of one tensor. `None` in the shape means any length.
pub(super) struct Expected<'a> {
    pub(super) name: &'a str,
    /// Element types that will do.
    pub(super) elements: &'a [TensorElementType],
    pub(super) shape: &'a [Option<i64>],
}

/// Checks that the graph has the inputs and the output that the manifest
/// names, of the right type and shape, and needs no others.
pub(super) fn check(
    path: &Path,
    session: &Session,
    inputs: &[Expected<'_>],
    output: &Expected<'_>,
) -> Result<(), EmbedError> {
    for input in inputs {
        check_one(path, "input", session.inputs(), input)?;
    }
    let named = |outlet: &Outlet| inputs.iter().any(|input| input.name == outlet.name());
    if let Some(unnamed) = session.inputs().iter().find(|outlet| !named(outlet)) {
        return Err(EmbedError::UnnamedInput {
            path: path.to_owned(),
            name: unnamed.name().to_owned(),
        });
    }
    check_one(path, "output", session.outputs(), output)
}

fn check_one(
    path: &Path,
    what: &'static str,
    outlets: &[Outlet],
    expected: &Expected<'_>,
) -> Result<(), EmbedError> {
    let outlet = outlets.iter().find(|outlet| outlet.name() == expected.name);
    let Some(outlet) = outlet else {
        return Err(EmbedError::NoSuchTensor {
            path: path.to_owned(),
            what,
            name: expected.name.to_owned(),
            known: outlets
                .iter()
                .map(|outlet| outlet.name().to_owned())
                .collect(),
        });
    };
    if agrees(outlet.dtype(), expected) {
        return Ok(());
    }
    let lengths = expected.shape.iter().map(|length| match length {
        // -1 asks for a graph that takes any number.
        Some(-1) => "any".to_owned(),
        Some(length) => length.to_string(),
        None => "?".to_owned(),
    });
    let elements = expected.elements.iter().map(ToString::to_string);
    let elements: Vec<String> = elements.collect();
    Err(EmbedError::Contradiction {
        path: path.to_owned(),
        name: expected.name.to_owned(),
        found: outlet.dtype().to_string(),
        expected: format!(
            "Tensor<{}>({})",
            elements.join(" or "),
            lengths.collect::<Vec<_>>().join(", ")
        ),
    })
}

fn agrees(found: &ValueType, expected: &Expected<'_>) -> bool {
    let ValueType::Tensor { ty, shape, .. } = found else {
        return false;
    };
    // An output without a declared rank is judged by its first answer.
    let ranks_agree = shape.is_empty() || shape.len() == expected.shape.len();
    let lengths_agree = shape
        .iter()
        .zip(expected.shape)
        .all(|(found, expected)| *found < 0 || expected.is_none_or(|expected| expected == *found));
    expected.elements.contains(ty) && ranks_agree && lengths_agree
}

/// Whether the graph says how long its vectors are.
pub(super) fn is_declared(session: &Session, output: &str) -> bool {
    let outlet = session.outputs().iter().find(|o| o.name() == output);
    outlet
        .and_then(|outlet| outlet.dtype().tensor_shape())
        .is_some_and(|shape| shape.len() > 1 && shape.iter().skip(1).all(|length| *length > 0))
}

/// Shape that an output must have, for `count` items.
pub(super) fn output_shape(pooling: Pooling, dimension: usize) -> Vec<Option<i64>> {
    let dimension = i64::try_from(dimension).ok();
    match pooling {
        Pooling::None => vec![None, dimension],
        Pooling::Cls | Pooling::Mean => vec![None, None, dimension],
        Pooling::GlobalAverage => vec![None, dimension, None, None],
    }
}

/// Makes one vector an item out of a graph's output. `mask` says which tokens
/// count for [`Pooling::Mean`]; without it all do.
pub(super) fn pool(
    pooling: Pooling,
    dimension: usize,
    shape: &[i64],
    data: &[f32],
    mask: Option<&[bool]>,
) -> Result<Vec<Vec<f32>>, EmbedError> {
    let wanted = output_shape(pooling, dimension);
    let fits = shape.len() == wanted.len()
        && shape
            .iter()
            .zip(&wanted)
            .all(|(found, wanted)| *found > 0 && wanted.is_none_or(|wanted| wanted == *found));
    if !fits {
        return Err(EmbedError::Shape {
            found: shape.to_vec(),
            expected: format!("{wanted:?}"),
        });
    }
    let items = length(shape[0]);
    if let (Pooling::Mean, Some(mask)) = (pooling, mask)
        && mask.len() != items * length(shape[1])
    {
        return Err(EmbedError::Shape {
            found: shape.to_vec(),
            expected: format!("{} tokens in all", mask.len()),
        });
    }
    let per_item = data.len() / items;
    let rows = data.chunks_exact(per_item);
    Ok(match pooling {
        Pooling::None => rows.map(<[f32]>::to_vec).collect(),
        Pooling::Cls => rows.map(|row| row[..dimension].to_vec()).collect(),
        Pooling::Mean => {
            let tokens = length(shape[1]);
            rows.enumerate()
                .map(|(item, row)| {
                    let mask = mask.map(|mask| &mask[item * tokens..(item + 1) * tokens]);
                    mean_of_tokens(row, dimension, mask)
                })
                .collect()
        }
        Pooling::GlobalAverage => {
            let area = per_item / dimension;
            rows.map(|row| row.chunks_exact(area).map(mean).collect())
                .collect()
        }
    })
}

fn length(length: i64) -> usize {
    usize::try_from(length).expect("lengths were checked to be positive; this is a bug")
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of tokens and pixels are small"
)]
fn mean(values: &[f32]) -> f32 {
    values.iter().sum::<f32>() / values.len() as f32
}

#[expect(clippy::cast_precision_loss, reason = "counts of tokens are small")]
fn mean_of_tokens(tokens: &[f32], dimension: usize, mask: Option<&[bool]>) -> Vec<f32> {
    let mut sum = vec![0.0; dimension];
    let mut count = 0usize;
    for (position, token) in tokens.chunks_exact(dimension).enumerate() {
        if mask.is_none_or(|mask| mask[position]) {
            count += 1;
            for (sum, value) in sum.iter_mut().zip(token) {
                *sum += value;
            }
        }
    }
    let count = count.max(1) as f32;
    sum.iter().map(|sum| sum / count).collect()
}

/// Element types of outputs that [`extract`] reads.
pub(super) const OUTPUT_ELEMENTS: &[TensorElementType] =
    &[TensorElementType::Float32, TensorElementType::Float16];

/// The one output tensor of a run, as shape and numbers.
pub(super) fn extract<'a>(
    outputs: &'a ort::session::SessionOutputs<'_>,
    name: &str,
) -> Result<(&'a [i64], Cow<'a, [f32]>), EmbedError> {
    let failed = |error: &dyn std::fmt::Display| EmbedError::Run {
        source: Said::by(error),
    };
    let value = outputs
        .get(name)
        .ok_or_else(|| failed(&format!("it gave no `{name}`")))?;
    if value.dtype().tensor_type() == Some(TensorElementType::Float16) {
        let (shape, data) = value
            .try_extract_tensor::<f16>()
            .map_err(|error| failed(&error))?;
        let data: Vec<f32> = data.iter().map(|number| number.to_f32()).collect();
        return Ok((shape, Cow::Owned(data)));
    }
    let (shape, data) = value
        .try_extract_tensor::<f32>()
        .map_err(|error| failed(&error))?;
    Ok((shape, Cow::Borrowed(data)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pooling_follows_its_definition() {
        // Two items, two tokens, two numbers.
        let data = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
        let run = |pooling, shape: &[i64], mask: Option<&[bool]>| {
            pool(pooling, 2, shape, &data, mask).unwrap()
        };
        assert_eq!(run(Pooling::None, &[4, 2], None)[3], [7.0, 8.0]);
        assert_eq!(
            run(Pooling::Cls, &[2, 2, 2], None),
            [[1.0, 2.0], [5.0, 6.0]]
        );
        assert_eq!(
            run(Pooling::Mean, &[2, 2, 2], None),
            [[2.0, 3.0], [6.0, 7.0]]
        );
        let mask = [true, false, true, true];
        assert_eq!(
            run(Pooling::Mean, &[2, 2, 2], Some(&mask)),
            [[1.0, 2.0], [6.0, 7.0]]
        );
        assert_eq!(
            run(Pooling::GlobalAverage, &[2, 2, 1, 2], None),
            [[1.5, 3.5], [5.5, 7.5]]
        );
        let wrong = pool(Pooling::None, 3, &[4, 2], &data, None);
        assert!(matches!(wrong, Err(EmbedError::Shape { .. })));
    }
}
