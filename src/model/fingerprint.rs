//! The identity of a model: two models that could give different vectors have
//! different fingerprints.

use std::fmt;

use sha2::{Digest, Sha256};

use super::{Manifest, Source};

/// Hash of everything that acts on a vector: the manifest's settings and the
/// contents of its files. Title, licence and origin do not count, nor do
/// comments and the order of keys.
#[derive(Clone, PartialEq, Eq)]
pub struct Fingerprint(String);

impl Fingerprint {
    pub(super) fn new(manifest: &Manifest, file_hashes: &[String]) -> Self {
        let mut acting = manifest.clone();
        acting.title.clear();
        acting.licence.clear();
        acting.source = Source::Shipped;
        acting.files.clear();
        let settings =
            serde_json::to_vec(&acting).expect("a manifest is plain data; this is a bug");
        let mut hasher = Sha256::new();
        hasher.update(settings);
        for (file, hash) in manifest.files.iter().zip(file_hashes) {
            hasher.update(format!("\n{}\n{hash}", file.path));
        }
        // 64 of 256 bits: enough to tell models apart, short enough to read.
        Self(format!("{:x}", hasher.finalize())[..16].to_owned())
    }

    /// The fingerprint as 16 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Fingerprint {
        Fingerprint::new(&Manifest::parse(text).unwrap(), &[])
    }

    #[test]
    fn only_what_acts_on_a_vector_counts() {
        let text = include_str!("../../models/pixels/model.toml");
        assert_eq!(of(text), of(&format!("# a remark\n{text}")));
        assert_eq!(of(text), of(&text.replace("title = \"", "title = \"My ")));
        for (from, to) in [
            ("\"bilinear\"", "\"bicubic\""),
            ("\"rgb\"", "\"bgr\""),
            ("divide_by = 255.0", "divide_by = 1.0"),
        ] {
            assert!(text.contains(from), "{from}");
            assert_ne!(of(text), of(&text.replace(from, to)), "{from}");
        }
    }
}
