//! `reference.json`: what the reference implementation made.

use base64::Engine;
use serde::{Deserialize, Deserializer};

use super::DoctorError;
use super::measure::GRID;
use crate::model::{Model, Vision};

/// Format of the file that this build reads.
pub const REFERENCE_VERSION: u32 = 1;

/// The reference's answers for a few pictures and texts.
#[derive(Debug, Clone, Deserialize)]
pub struct Reference {
    version: u32,
    /// Package, version and classes that define what is right.
    pub reference: String,
    /// Versions that made the file.
    pub made_with: String,
    pub(super) images: Vec<Picture>,
    #[serde(default)]
    pub(super) texts: Vec<Text>,
}

/// One golden picture.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Picture {
    /// Name of the golden picture.
    #[serde(rename = "picture")]
    pub(super) name: String,
    /// Upright RGB, on white.
    pub(super) decoded: Pixels,
    /// RGB after resize and crop.
    pub(super) resized: Pixels,
    /// What the graph gets.
    pub(super) tensor: Tensor,
    /// Output of the graph after pooling.
    pub(super) pooled: Option<Floats>,
    /// What is stored.
    pub(super) embedding: Option<Floats>,
}

/// Pixels of a picture, by hash and sample.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Pixels {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) sha256: String,
    pub(super) sample: Bytes,
}

/// A tensor by hash and sample.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Tensor {
    pub(super) sha256: String,
    pub(super) sample: Floats,
}

/// One text.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Text {
    /// The text.
    #[serde(rename = "text")]
    pub(super) words: String,
    /// Token ids without padding; absent where the tokeniser was not at hand.
    pub(super) ids: Option<Vec<u32>>,
    pub(super) pooled: Option<Floats>,
    pub(super) embedding: Option<Floats>,
    /// First numbers of the normalised vector, as somebody published them.
    pub(super) first: Option<Vec<f32>>,
    /// How far they may be off, being rounded.
    pub(super) within: Option<f64>,
    /// Who published them.
    pub(super) from: Option<String>,
}

/// Bytes, in base64.
#[derive(Debug, Clone)]
pub(super) struct Bytes(pub(super) Vec<u8>);

/// Little-endian 32-bit floats, in base64.
#[derive(Debug, Clone)]
pub(super) struct Floats(pub(super) Vec<f32>);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = base64::engine::general_purpose::STANDARD.decode(text);
        bytes.map(Self).map_err(serde::de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Floats {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Bytes(bytes) = Bytes::deserialize(deserializer)?;
        let (numbers, rest) = bytes.as_chunks::<4>();
        if rest.is_empty() {
            Ok(Self(
                numbers.iter().map(|b| f32::from_le_bytes(*b)).collect(),
            ))
        } else {
            Err(serde::de::Error::custom("not a whole number of floats"))
        }
    }
}

/// Whether a variant prepares pictures and texts as its model does.
fn prepares_alike(variant: &Model) -> Result<bool, DoctorError> {
    let base = Model::open(&variant.folder)?;
    let vision = |model: &Model| Vision {
        onnx: None,
        dense: None,
        ..model.manifest.vision.clone()
    };
    let text = |model: &Model| {
        let text = model.manifest.text.as_ref();
        text.map(|text| (text.context_length, text.clean, text.lower_case))
    };
    Ok(vision(&base) == vision(variant) && text(&base) == text(variant))
}

impl Reference {
    /// Reads the reference of `model`: `reference.json` in its folder, for a
    /// variant `reference.VARIANT.json` where there is one.
    pub(super) fn open(model: &Model) -> Result<Self, DoctorError> {
        let own = model.manifest.name.split_once(':').map(|(_, variant)| {
            let name = format!("reference.{variant}.json");
            model.folder.join(name)
        });
        let path = match own {
            // A variant that prepares pictures or texts in its own way needs
            // its own reference.
            Some(own) if own.is_file() || !prepares_alike(model)? => own,
            _ => model.folder.join("reference.json"),
        };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(DoctorError::NoReference {
                    name: model.manifest.name.clone(),
                    path,
                });
            }
            Err(source) => return Err(DoctorError::Read { path, source }),
        };
        let reference = serde_json::from_str(&text)
            .map_err(|error| error.to_string())
            .and_then(Self::checked);
        reference.map_err(|what| DoctorError::Malformed { path, what })
    }

    fn checked(self) -> Result<Self, String> {
        if self.version != REFERENCE_VERSION {
            return Err(format!(
                "its version is {}, this build reads {REFERENCE_VERSION}",
                self.version
            ));
        }
        let length = GRID * GRID * 3;
        let whole = |image: &Picture| {
            image.decoded.sample.0.len() == length
                && image.resized.sample.0.len() == length
                && image.tensor.sample.0.len() == length
        };
        match self.images.iter().find(|image| !whole(image)) {
            Some(image) => Err(format!(
                "a sample of {} has not {length} values",
                image.name
            )),
            None => Ok(self),
        }
    }
}
