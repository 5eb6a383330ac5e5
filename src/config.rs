//! Validated settings, as plain values: no clap, no reading of the environment.
//!
//! [`crate::cli`] fills these from flags, environment and the configuration
//! file, in that order of precedence; everything below takes them as given.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::entity::MetricType;

/// A text that never shows: its `Debug` is redacted and it has no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps `text`.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Where Milvus is and how to speak with it.
#[derive(Debug, Clone)]
pub struct Connection {
    /// `http://host:port`, or `https://` for TLS.
    pub uri: String,
    /// `user:password` or an API key.
    pub token: Option<Secret>,
    /// Database; `None` is the server's default.
    pub database: Option<String>,
    /// PEM file of the authority that signed the server's certificate; `None`
    /// trusts the system's.
    pub tls_ca: Option<PathBuf>,
    /// Longest wait for a connection.
    pub connect_timeout: Duration,
    /// Longest wait for one answer.
    pub request_timeout: Duration,
    /// Longest time that a request is tried again after transient faults.
    pub retry_deadline: Duration,
    /// Longest wait before the second try; doubles with each.
    pub retry_first_wait: Duration,
    /// Longest wait between two tries.
    pub retry_max_wait: Duration,
}

/// Vector index of a collection that we create.
#[derive(Debug, Clone, PartialEq)]
pub struct IndexSettings {
    /// How the index is built.
    pub kind: IndexKind,
    /// How vectors are compared.
    pub metric: MetricType,
}

impl Default for IndexSettings {
    /// HNSW with M 16 and efConstruction 200, COSINE.
    fn default() -> Self {
        Self {
            kind: IndexKind::Hnsw {
                m: 16,
                ef_construction: 200,
            },
            metric: MetricType::Cosine,
        }
    }
}

/// Type of a vector index, with its build parameters.
/// <https://milvus.io/docs/index.md>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexKind {
    /// Graph of small worlds: approximate, fast, in memory.
    Hnsw {
        /// Edges a node, 2-2048.
        m: u32,
        /// Candidates looked at while building, 1-32768.
        ef_construction: u32,
    },
    /// Brute force: exact.
    Flat,
    /// Inverted lists of full vectors.
    IvfFlat {
        /// Number of lists, 1-65536.
        nlist: u32,
    },
    /// Inverted lists of vectors of bytes.
    IvfSq8 {
        /// Number of lists, 1-65536.
        nlist: u32,
    },
    /// The server chooses.
    AutoIndex,
}

impl IndexKind {
    /// Milvus's name for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hnsw { .. } => "HNSW",
            Self::Flat => "FLAT",
            Self::IvfFlat { .. } => "IVF_FLAT",
            Self::IvfSq8 { .. } => "IVF_SQ8",
            Self::AutoIndex => "AUTOINDEX",
        }
    }
}

/// How much of what others wrote a search must see.
/// <https://milvus.io/docs/consistency.md>
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Consistency {
    /// All that was written before the search began.
    #[default]
    Strong,
    /// All that this connection wrote.
    Session,
    /// All but the last seconds.
    Bounded,
    /// Whatever is there.
    Eventually,
}

impl Consistency {
    /// Milvus's name for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Strong => "Strong",
            Self::Session => "Session",
            Self::Bounded => "Bounded",
            Self::Eventually => "Eventually",
        }
    }
}

/// How hard an approximate index is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tuning {
    /// Candidates that an HNSW search looks at; `None` for a good default.
    pub ef: Option<usize>,
    /// Inverted lists that an IVF search looks at; `None` for a good default.
    pub nprobe: Option<usize>,
    /// What a search must see.
    pub consistency: Consistency,
    /// Whether a search that gives fewer hits than were asked for is done
    /// again, wider, and on a Milvus Lite exactly.
    pub complete: bool,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            ef: None,
            nprobe: None,
            consistency: Consistency::Strong,
            complete: true,
        }
    }
}

/// Scores that count, both ends included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScoreRange {
    /// Least score.
    pub low: Option<f32>,
    /// Largest score.
    pub high: Option<f32>,
}

impl ScoreRange {
    /// Whether a score counts.
    pub fn contains(self, score: f32) -> bool {
        self.low.is_none_or(|low| score >= low) && self.high.is_none_or(|high| score <= high)
    }
}

/// Bounds on what an image file may ask of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageLimits {
    /// Largest file that is read, in bytes.
    pub max_file_bytes: u64,
    /// Most pixels (width x height), taken from the header before any
    /// allocation.
    pub max_pixels: u64,
    /// Longest time that decoding a picture may take.
    pub max_decode: Duration,
}

impl Default for ImageLimits {
    /// 256 MiB a file, 200 megapixels, a minute: above any camera's pictures,
    /// below what hurts a machine (200 megapixels are 800 MB as RGBA, and take
    /// seconds).
    fn default() -> Self {
        Self {
            max_file_bytes: 256 << 20,
            max_pixels: 200_000_000,
            max_decode: Duration::from_secs(60),
        }
    }
}

/// Folders that may hold `models/` and the fetched ONNX Runtime: every
/// ancestor of the executable (so that `target/release/ingest` finds its
/// checkout, and `bin/ingest` its prefix), then the checkout that this program
/// was built from (so that an installed one still does).
pub fn installation_roots() -> impl Iterator<Item = PathBuf> {
    let executable = std::env::current_exe()
        .and_then(|path| path.canonicalize())
        .unwrap_or_default();
    let ancestors: Vec<PathBuf> = executable
        .ancestors()
        .skip(1)
        .take(4)
        .map(Path::to_owned)
        .collect();
    ancestors
        .into_iter()
        .chain([PathBuf::from(env!("CARGO_MANIFEST_DIR"))])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_show() {
        let connection = Connection {
            uri: "http://localhost:19530".to_owned(),
            token: Some(Secret::new("root:Milvus".to_owned())),
            database: None,
            tls_ca: None,
            connect_timeout: Duration::from_secs(1),
            request_timeout: Duration::from_secs(1),
            retry_deadline: Duration::from_secs(1),
            retry_first_wait: Duration::from_secs(1),
            retry_max_wait: Duration::from_secs(1),
        };
        let shown = format!("{connection:?}");
        assert!(!shown.contains("Milvus"), "{shown}");
    }
}
