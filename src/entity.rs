//! The nouns that every room shares: ids, vectors, stored rows, hits, outcomes.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// An error that can say what to do about it.
pub trait Hint {
    /// The remedy, as one sentence without a final stop.
    fn hint(&self) -> Option<String>;
}

/// An [`ImageId`] as bytes.
pub type CompactId = [u8; 22];

/// Second part of an [`ImageId`]: 128 bits that are spread evenly over all
/// values, since they are a hash.
pub type PathKey = [u8; 16];

/// Primary key of a picture: the same source name and relative path always
/// give the same id, on every machine, so that an upsert replaces its own row
/// and no other.
///
/// Form: 12 hexadecimal digits of the source's hash, `-`, 32 of the path's.
/// The first part lets a source's rows be read as one range of keys. With 48
/// bits two of a thousand sources share it with probability 2e-9; the second
/// part (128 bits) hashes the source's name too, so even then ids differ.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ImageId(String);

impl ImageId {
    /// Bytes that every id has.
    pub const LENGTH: usize = 45;

    /// Id of the picture at `relative_path` (with `/` between parts) in
    /// `source`.
    pub fn new(source: &str, relative_path: &str) -> Self {
        let mut path = blake3::Hasher::new();
        path.update(&(source.len() as u64).to_le_bytes());
        path.update(source.as_bytes());
        path.update(relative_path.as_bytes());
        let prefix = Self::prefix(source);
        Self(format!("{prefix}{}", &path.finalize().to_hex()[..32]))
    }

    /// What the ids of `source` begin with: 12 digits and `-`.
    pub fn prefix(source: &str) -> String {
        format!("{}-", &blake3::hash(source.as_bytes()).to_hex()[..12])
    }

    /// The id of the source with `prefix` whose second part is `key`.
    pub fn from_key(prefix: &str, key: PathKey) -> Self {
        Self(format!("{prefix}{:032x}", u128::from_be_bytes(key)))
    }

    /// The id in 22 bytes; `None` where it is none of ours.
    pub fn compact(&self) -> Option<CompactId> {
        let digits = u64::from_str_radix(self.0.get(..12)?, 16).ok()?;
        let mut id = [0; 22];
        id[..6].copy_from_slice(&digits.to_be_bytes()[2..]);
        id[6..].copy_from_slice(&self.key()?);
        Some(id)
    }

    /// The id that [`compact`](Self::compact) made small.
    pub fn from_compact(id: CompactId) -> Self {
        let (mut prefix, mut key) = ([0; 8], [0; 16]);
        prefix[2..].copy_from_slice(&id[..6]);
        key.copy_from_slice(&id[6..]);
        Self::from_key(&format!("{:012x}-", u64::from_be_bytes(prefix)), key)
    }

    /// The second part, as bytes; `None` where the id is none of ours.
    pub fn key(&self) -> Option<PathKey> {
        let digits = self.0.get(13..).filter(|digits| digits.len() == 32)?;
        u128::from_str_radix(digits, 16).ok().map(u128::to_be_bytes)
    }

    /// An id as the collection holds it.
    pub fn from_stored(id: String) -> Self {
        Self(id)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ImageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ImageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ImageId({})", self.0)
    }
}

/// A vector of the model's dimension.
pub type Embedding = Vec<f32>;

/// Further columns of the names table: a JSON object.
pub type Attributes = serde_json::Map<String, serde_json::Value>;

/// Everything about a picture that is stored beside its vector.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageRecord {
    /// Primary key.
    pub id: ImageId,
    /// Absolute path at the time of ingest.
    pub path: String,
    /// Name shown to people.
    pub display_name: String,
    /// BLAKE3 of the file's bytes, 64 hexadecimal digits.
    pub content_hash: String,
    /// Size of the file in bytes.
    pub bytes: i64,
    /// Modification time, in microseconds since 1970 (UTC).
    pub modified: i64,
    /// Further columns of the names table.
    pub attributes: Attributes,
}

impl ImageRecord {
    /// See [`details_hash`].
    pub fn details(&self) -> i64 {
        details_hash(&self.path, &self.display_name, &self.attributes)
    }
}

/// One number for all that a row says beside the picture itself: the first 8
/// bytes of the BLAKE3 of path, display name and attributes. Stored with the
/// row, so that a run learns what changed without reading texts.
pub fn details_hash(path: &str, display_name: &str, attributes: &Attributes) -> i64 {
    let mut hasher = blake3::Hasher::new();
    let json = serde_json::to_string(attributes).unwrap_or_default();
    for text in [path, display_name, &json] {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    let mut first = [0; 8];
    first.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    i64::from_le_bytes(first)
}

/// One row of a collection.
#[derive(Debug, Clone, PartialEq)]
pub struct Entity {
    /// What is known of the picture.
    pub record: ImageRecord,
    /// Its vector.
    pub embedding: Embedding,
}

/// One answer of a search.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Hit {
    /// Place, from 1.
    pub rank: usize,
    /// Primary key.
    pub id: ImageId,
    /// As the metric type gives it; [`MetricType::larger_is_nearer`] says how
    /// it sorts.
    pub score: f32,
    /// Path at the time of ingest.
    pub path: String,
    /// Name shown to people.
    pub display_name: String,
    /// Further columns of the names table.
    pub attributes: Attributes,
    /// BLAKE3 of the picture's bytes, 64 hexadecimal digits.
    pub content_hash: String,
    /// Its vector, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embedding: Option<Embedding>,
    /// Where a fused hit comes from; empty where one collection was asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub found_in: Vec<FoundIn>,
}

/// A collection's own hit, of which a fused one is made.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FoundIn {
    /// The collection.
    pub collection: String,
    /// Place among its hits, from 1.
    pub rank: usize,
    /// Score by its metric.
    pub score: f32,
}

/// How Milvus compares two vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum MetricType {
    /// Cosine of the angle; larger is nearer.
    Cosine,
    /// Inner product; larger is nearer.
    Ip,
    /// Squared Euclidean distance; smaller is nearer.
    L2,
}

impl MetricType {
    /// Whether a larger score means a nearer vector.
    pub fn larger_is_nearer(self) -> bool {
        !matches!(self, Self::L2)
    }

    /// Milvus's name for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cosine => "COSINE",
            Self::Ip => "IP",
            Self::L2 => "L2",
        }
    }
}

impl fmt::Display for MetricType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for MetricType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.to_ascii_uppercase().as_str() {
            "COSINE" => Ok(Self::Cosine),
            "IP" => Ok(Self::Ip),
            "L2" => Ok(Self::L2),
            _ => Err(format!("`{text}` is not one of COSINE, IP, L2")),
        }
    }
}

/// Step of the pipeline at which a picture was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Finding the file and its identity.
    Discover,
    /// Reading its bytes.
    Read,
    /// Bytes to pixels.
    Decode,
    /// Pixels to a vector.
    Embed,
    /// The vector into Milvus.
    Upsert,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Discover => "discover",
            Self::Read => "read",
            Self::Decode => "decode",
            Self::Embed => "embed",
            Self::Upsert => "upsert",
        })
    }
}

/// How a discovered picture ended. Each ends in exactly one.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Embedded and written to the collection.
    Upserted,
    /// The collection held its vector under another id: copied from there,
    /// not embedded again. A picture that moved, was renamed, or has a twin.
    Moved,
    /// The collection held it with another name, attributes, path or time:
    /// written with the vector that it had.
    Updated,
    /// The collection held it already.
    Unchanged,
    /// The picture itself is at fault.
    Rejected(Problem),
    /// The picture is fine; the system around it was not.
    Failed(Problem),
    /// Interrupted before it was done.
    Cancelled,
}

/// Why a picture is not in the collection.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Problem {
    /// The picture.
    pub path: PathBuf,
    /// Where it went wrong.
    pub stage: Stage,
    /// What went wrong.
    pub reason: String,
}

/// An error with its causes, on one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ids_are_fixed_for_ever() {
        let id = ImageId::new("fashion", "dress/1.jpg");
        assert_eq!(id.as_str(), "aa6256c9a08b-5280bdee7e381f7e2991292c1bb5f601");
    }

    proptest! {
        #[test]
        fn ids_depend_on_source_and_path_alone(a in ".*", b in ".*", c in ".*", d in ".*") {
            let (one, other) = (ImageId::new(&a, &b), ImageId::new(&c, &d));
            prop_assert_eq!(one.as_str().len(), ImageId::LENGTH);
            prop_assert_eq!(one == other, (&a, &b) == (&c, &d));
            prop_assert_eq!(&ImageId::from_compact(one.compact().unwrap()), &one);
            prop_assert_eq!(&ImageId::from_key(&ImageId::prefix(&a), one.key().unwrap()), &one);
            prop_assert_eq!(one, ImageId::new(&a, &b));
        }
    }
}
