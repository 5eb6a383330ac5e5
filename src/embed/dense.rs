//! The matrix that some models put after the pooling, read from safetensors.

use std::path::Path;

use serde::Deserialize;

use super::error::{EmbedError, Said};
use crate::model::{Dense, Model};

/// A matrix `[gives, takes]`, row by row, without bias.
#[derive(Debug)]
pub(super) struct DenseLayer {
    takes: usize,
    weights: Vec<f32>,
}

/// What the header of a safetensors file says of one tensor.
/// <https://github.com/huggingface/safetensors#format>
#[derive(Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: [usize; 2],
}

impl DenseLayer {
    /// Reads the layer that the manifest names, if it names one.
    pub(super) fn open(model: &Model, dense: Option<&Dense>) -> Result<Option<Self>, EmbedError> {
        let Some(dense) = dense else {
            return Ok(None);
        };
        let path = model.path_of(&dense.file);
        let bytes = std::fs::read(&path).map_err(|error| wrong(&path, &error))?;
        let layer = parse(&bytes, &dense.tensor, model.manifest.dimension);
        layer.map(Some).map_err(|error| wrong(&path, &error))
    }

    /// Numbers in the vectors that the layer takes.
    pub(super) fn takes(&self) -> usize {
        self.takes
    }

    /// Matrix times vector, summed in 64 bits.
    pub(super) fn apply(&self, vector: &[f32]) -> Vec<f32> {
        let rows = self.weights.chunks_exact(self.takes);
        rows.map(|row| {
            let products = row.iter().zip(vector);
            let sum: f64 = products.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            #[expect(clippy::cast_possible_truncation, reason = "back to the stored width")]
            let number = sum as f32;
            number
        })
        .collect()
    }
}

fn wrong(path: &Path, error: &dyn std::fmt::Display) -> EmbedError {
    EmbedError::Dense {
        path: path.to_owned(),
        source: Said::by(error),
    }
}

fn parse(bytes: &[u8], tensor: &str, gives: usize) -> Result<DenseLayer, String> {
    let cut = || "it is cut off or no safetensors file".to_owned();
    let (length, rest) = bytes.split_first_chunk::<8>().ok_or_else(cut)?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| cut())?;
    let header = rest.get(..length).ok_or_else(cut)?;
    let data = &rest[length..];
    let mut header: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(header).map_err(|_| cut())?;
    let Some(entry) = header.remove(tensor) else {
        let known: Vec<&String> = header.keys().filter(|k| *k != "__metadata__").collect();
        return Err(format!("it has no tensor `{tensor}`, but {known:?}"));
    };
    let entry: Entry = serde_json::from_value(entry).map_err(|_| cut())?;
    let takes = match (entry.dtype.as_str(), &entry.shape[..]) {
        ("F32", &[rows, takes]) if rows == gives && takes > 0 => takes,
        (dtype, shape) => {
            return Err(format!(
                "`{tensor}` is {dtype} {shape:?}, the manifest needs F32 [{gives}, any]"
            ));
        }
    };
    let [start, end] = entry.data_offsets;
    let values = data.get(start..end).ok_or_else(cut)?;
    let (values, rest) = values.as_chunks::<4>();
    if !rest.is_empty() || Some(values.len()) != gives.checked_mul(takes) {
        return Err(cut());
    }
    let weights = values
        .iter()
        .map(|value| f32::from_le_bytes(*value))
        .collect();
    Ok(DenseLayer { takes, weights })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(header: &str, values: &[f32]) -> Vec<u8> {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        bytes
    }

    const HEADER: &str = r#"{"__metadata__":{"format":"pt"},"linear.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}"#;

    #[test]
    fn a_matrix_is_applied_row_by_row() {
        let bytes = file(HEADER, &[1.0, 0.0, 2.0, 0.5, 3.0, 0.0]);
        let layer = parse(&bytes, "linear.weight", 2).unwrap();
        assert_eq!(layer.takes(), 3);
        assert_eq!(layer.apply(&[10.0, 20.0, 30.0]), [70.0, 65.0]);
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let bytes = file(HEADER, &[0.0; 6]);
        let refused = |bytes: &[u8], tensor, gives| parse(bytes, tensor, gives).err().unwrap();
        assert!(refused(&bytes, "weight", 2).contains("linear.weight"));
        assert!(refused(&bytes, "linear.weight", 512).contains("[512, any]"));
        for length in [0, 7, 8, 40, bytes.len() - 1] {
            assert!(refused(&bytes[..length], "linear.weight", 2).contains("cut off"));
        }
        let huge = [u64::MAX.to_le_bytes().as_slice(), &bytes[8..]].concat();
        assert!(refused(&huge, "linear.weight", 2).contains("cut off"));
    }
}
