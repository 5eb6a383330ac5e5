//! The identity of a model: two models that could give different vectors have
//! different fingerprints.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Manifest, Source};

/// Hash of everything that acts on a vector: the manifest's settings and the
/// contents of its files. Title, licence and origin do not count, nor do labels'
/// template and scale, comments and the order of keys.
#[derive(Clone, PartialEq, Eq)]
pub struct Fingerprint(String);

impl Fingerprint {
    pub(super) fn new(manifest: &Manifest, file_hashes: &[String]) -> Self {
        let mut acting = manifest.clone();
        acting.title.clear();
        acting.licence.clear();
        acting.source = Source::Shipped;
        acting.files.clear();
        acting.proof = None;
        acting.variants.clear();
        if let Some(text) = &mut acting.text {
            (text.template, text.logit_scale) = (None, None);
        }
        let settings =
            serde_json::to_value(&acting).expect("a manifest is plain data; this is a bug");
        let mut text = String::new();
        canonical(&settings, &mut text);
        let mut hasher = Sha256::new();
        hasher.update(text);
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

/// Writes settings in one form: keys sorted, and without the ones that are
/// left out, so that a key which a later version adds does not change the
/// fingerprint of a model that does without it.
fn canonical(value: &Value, out: &mut String) {
    let Value::Object(fields) = value else {
        out.push_str(&value.to_string());
        return;
    };
    let sorted: BTreeMap<&String, &Value> = fields.iter().collect();
    out.push('{');
    for (key, value) in sorted.into_iter().filter(|(_, value)| !value.is_null()) {
        out.push_str(key);
        out.push(':');
        canonical(value, out);
        out.push(',');
    }
    out.push('}');
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

    /// Collections in the field carry these: a change breaks every one of them.
    #[test]
    fn fingerprints_are_fixed_for_ever() {
        let pixels = of(include_str!("../../models/pixels/model.toml"));
        assert_eq!(pixels.as_str(), "0ab1b449119a66c6");
        let text = include_str!("../../models/lit-b0/model.toml");
        let manifest = Manifest::parse(text).unwrap();
        let hashes: Vec<String> = manifest
            .files
            .iter()
            .map(|file| file.sha256.clone().unwrap())
            .collect();
        assert_eq!(
            Fingerprint::new(&manifest, &hashes).as_str(),
            "e5356d15b7b33735"
        );
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
