//! Milvus boolean expressions: building them safely, and knowing when one is
//! at fault.

use super::error::{Reason, StoreError};
use crate::entity::ImageId;

/// `field in ["…", "…"]`. Neither Milvus 2.3 nor Lite knows filter templates,
/// so values are quoted here, as JSON quotes them.
pub(super) fn any_of(field: &str, ids: &[ImageId]) -> String {
    let quoted: Vec<String> = ids.iter().map(|id| quote(id.as_str())).collect();
    format!("{field} in [{}]", quoted.join(","))
}

/// Both of two expressions; an empty one holds always.
pub(super) fn both(one: &str, other: &str) -> String {
    match (one.trim().is_empty(), other.trim().is_empty()) {
        (_, true) => one.to_owned(),
        (true, false) => other.to_owned(),
        (false, false) => format!("({one}) and ({other})"),
    }
}

/// A text as a string literal of the filter language.
pub fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Marks of a message that is about the filter. The codes do not tell: 2.3.5
/// says 65535 for almost everything.
const SIGNS: &[&str] = &[
    "expr",
    "filter",
    "parse",
    "plan",
    "predicate",
    "token",
    "syntax",
    "unknown field",
    "unexpected",
];

/// Gives the filter the blame for a refused search, if the server does.
pub(super) fn blame(error: StoreError, filter: &str) -> StoreError {
    let StoreError::Server { source, .. } = &error else {
        return error;
    };
    let said = source.to_string();
    let lower = said.to_lowercase();
    if filter.is_empty() || !SIGNS.iter().any(|sign| lower.contains(sign)) {
        return error;
    }
    StoreError::Filter {
        filter: filter.to_owned(),
        source: Reason::new(said),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_are_quoted() {
        assert_eq!(
            any_of(
                "id",
                &["a", "b\"c\\"].map(|id| ImageId::from_stored(id.to_owned()))
            ),
            r#"id in ["a","b\"c\\"]"#
        );
    }

    proptest! {
        #[test]
        fn quoting_round_trips(text in ".*") {
            let back: String = serde_json::from_str(&quote(&text)).unwrap();
            prop_assert_eq!(back, text);
        }
    }
}
