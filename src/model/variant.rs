//! Variants of a model: the same manifest with a few keys changed.
//!
//! `[variants.NAME]` holds the keys that differ. Tables are merged key by key;
//! everything else, lists too, takes the place of what stood there. So does a
//! table that names its `rule` or `kind`: another rule has other keys.

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::ManifestProblem;

/// Deserialises the manifest `text` with the keys of variant `name` laid over it.
pub(super) fn resolve<T: DeserializeOwned>(text: &str, name: &str) -> Result<T, ManifestProblem> {
    let mut base: Table = toml::from_str(text).map_err(ManifestProblem::Syntax)?;
    let changes = match base.remove("variants") {
        Some(Value::Table(mut variants)) => variants.remove(name),
        _ => None,
    };
    let Some(Value::Table(changes)) = changes else {
        return Err(ManifestProblem::NoSuchVariant);
    };
    overlay(&mut base, changes);
    base.try_into().map_err(ManifestProblem::Syntax)
}

fn overlay(base: &mut Table, changes: Table) {
    for (key, change) in changes {
        match (base.get_mut(&key), change) {
            (Some(Value::Table(base)), Value::Table(change)) if !is_tagged(&change) => {
                overlay(base, change);
            }
            (_, change) => {
                base.insert(key, change);
            }
        }
    }
}

fn is_tagged(table: &Table) -> bool {
    table.contains_key("rule") || table.contains_key("kind")
}

#[cfg(test)]
mod tests {
    use super::super::{Filter, Manifest, Normalise, Resize};

    const PIXELS: &str = include_str!("../../models/pixels/model.toml");

    fn with(variant: &str) -> String {
        format!("{PIXELS}\n[variants.other]\n{variant}")
    }

    #[test]
    fn a_variant_changes_what_it_names_and_nothing_else() {
        let text = with(
            "normalise = \"l2\"\nvision.mean = [0.5, 0.5, 0.5]\nvision.resize.filter = \"bicubic\"",
        );
        let base = Manifest::parse(&text).unwrap();
        let other = base.variant(&text, "other").unwrap();
        assert_eq!(other.name, "pixels:other");
        assert_eq!(other.normalise, Normalise::L2);
        assert_eq!(other.vision.mean.map(f32::to_bits), [0.5f32.to_bits(); 3]);
        assert_eq!(
            other.vision.resize,
            Resize::Exact {
                filter: Filter::Bicubic
            }
        );
        assert!(other.variants.is_empty());
        let mut back = other;
        back.name.clone_from(&base.name);
        back.normalise = base.normalise;
        back.vision = base.vision.clone();
        back.variants.clone_from(&base.variants);
        assert_eq!(back, base);
    }

    #[test]
    fn a_wrong_variant_is_refused_with_the_manifest() {
        for (variant, said) in [
            ("vision.divide_bye = 1.0", "divide_bye"),
            ("vision.divide_by = 0.0", "vision.divide_by"),
            ("dimension = 7", "dimension"),
        ] {
            let error = Manifest::parse(&with(variant)).expect_err(variant);
            assert_eq!(error.to_string(), "variant `other` is wrong");
            let cause = std::error::Error::source(&error).unwrap().to_string();
            assert!(cause.contains(said), "{cause}");
        }
    }
}
