//! Comparisons of attributes, quoted and escaped for Milvus's filter language.

use std::str::FromStr;

use super::filter::quote;
use super::schema::ATTRIBUTES;

/// A comparison of an attribute with a value: `colour=Red`, `price<50`.
///
/// A value that is written as a number is compared with numbers; `=` and `!=`
/// take it for a text too, since a column of the names table may hold either.
/// Texts are compared byte by byte. A row without the attribute never matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    attribute: String,
    operator: Operator,
    value: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Operators as they are written; longer ones first.
const OPERATORS: [(&str, Operator); 7] = [
    ("==", Operator::Equal),
    ("!=", Operator::NotEqual),
    ("<=", Operator::LessOrEqual),
    (">=", Operator::GreaterOrEqual),
    ("=", Operator::Equal),
    ("<", Operator::Less),
    (">", Operator::Greater),
];

/// Why a text is no comparison.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ComparisonError {
    /// There is none in it.
    #[error("there is no =, !=, <, <=, > or >= in it")]
    NoOperator,
    /// Nothing stands before the operator.
    #[error("no attribute stands before the {operator}")]
    NoAttribute {
        /// The operator.
        operator: &'static str,
    },
    /// Milvus cannot be asked for such an attribute.
    #[error("Milvus knows no attribute called {attribute:?}: {because}")]
    Attribute {
        /// Its name.
        attribute: String,
        /// What is wrong with it.
        because: &'static str,
    },
}

impl Comparison {
    /// `attribute` equals `value`.
    ///
    /// # Errors
    /// Milvus cannot be asked for such an attribute.
    pub fn equals(attribute: &str, value: &str) -> Result<Self, ComparisonError> {
        check_attribute(attribute)?;
        Ok(Self {
            attribute: attribute.to_owned(),
            operator: Operator::Equal,
            value: value.to_owned(),
        })
    }

    /// The comparison in Milvus's filter language.
    pub fn expression(&self) -> String {
        let field = format!("{ATTRIBUTES}[{}]", quote(&self.attribute));
        let text = quote(&self.value);
        let number = number(&self.value);
        let own = match (self.operator, number) {
            (Operator::Equal, Some(number)) => {
                return format!("({field} == {number} or {field} == {text})");
            }
            (Operator::NotEqual, number) => {
                // 2.3 takes a missing attribute for a different one, Lite does not.
                let number = number.map(|number| format!(" and {field} != {number}"));
                let number = number.unwrap_or_default();
                return format!("((exists {field}) and ({field} != {text}{number}))");
            }
            (_, Some(number)) => number,
            (_, None) => text,
        };
        let operator = match self.operator {
            Operator::Equal | Operator::NotEqual => "==",
            Operator::Less => "<",
            Operator::LessOrEqual => "<=",
            Operator::Greater => ">",
            Operator::GreaterOrEqual => ">=",
        };
        format!("{field} {operator} {own}")
    }
}

impl FromStr for Comparison {
    type Err = ComparisonError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let start = text
            .find(['=', '!', '<', '>'])
            .ok_or(ComparisonError::NoOperator)?;
        let (sign, operator) = OPERATORS
            .into_iter()
            .find(|(sign, _)| text[start..].starts_with(sign))
            .ok_or(ComparisonError::NoOperator)?;
        let attribute = text[..start].trim();
        if attribute.is_empty() {
            return Err(ComparisonError::NoAttribute { operator: sign });
        }
        check_attribute(attribute)?;
        Ok(Self {
            attribute: attribute.to_owned(),
            operator,
            value: text[start + sign.len()..].trim().to_owned(),
        })
    }
}

/// Milvus reads the name of a key without undoing escapes, and splits it at
/// `][`: <https://github.com/milvus-io/milvus>, `parser_visitor.go`.
fn check_attribute(attribute: &str) -> Result<(), ComparisonError> {
    let because = if attribute.contains(['"', '\\']) || attribute.contains(char::is_control) {
        "its name holds a quote, a backslash or a control character"
    } else if attribute.contains("][") {
        "its name holds ]["
    } else if attribute.parse::<i64>().is_ok() {
        "its name is a number"
    } else {
        return Ok(());
    };
    Err(ComparisonError::Attribute {
        attribute: attribute.to_owned(),
        because,
    })
}

/// The value as a number of the filter language, where it is written as one:
/// digits with an optional sign, decimals and exponent.
fn number(value: &str) -> Option<String> {
    let digits = value.strip_prefix('-').unwrap_or(value);
    let plain = digits.starts_with(|c: char| c.is_ascii_digit())
        && digits
            .bytes()
            .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    let json: serde_json::Number = value.parse().ok().filter(|_| plain)?;
    Some(json.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn expression(text: &str) -> String {
        text.parse::<Comparison>().unwrap().expression()
    }

    #[test]
    fn comparisons_become_expressions() {
        for (text, expected) in [
            ("colour=Red", r#"attributes["colour"] == "Red""#),
            ("colour == Red", r#"attributes["colour"] == "Red""#),
            ("price<50", r#"attributes["price"] < 50"#),
            ("price >= 12.50", r#"attributes["price"] >= 12.5"#),
            ("day<2024-01-01", r#"attributes["day"] < "2024-01-01""#),
            (
                "code!=007",
                r#"((exists attributes["code"]) and (attributes["code"] != "007"))"#,
            ),
            ("a=b=c", r#"attributes["a"] == "b=c""#),
            ("note=", r#"attributes["note"] == """#),
            (
                "size=42",
                r#"(attributes["size"] == 42 or attributes["size"] == "42")"#,
            ),
            (
                "size!=-4",
                r#"((exists attributes["size"]) and (attributes["size"] != "-4" and attributes["size"] != -4))"#,
            ),
        ] {
            assert_eq!(expression(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_comparison_is_refused() {
        let error = |text: &str| text.parse::<Comparison>().unwrap_err().to_string();
        assert_eq!(error("colour"), "there is no =, !=, <, <=, > or >= in it");
        assert_eq!(error("a!b"), "there is no =, !=, <, <=, > or >= in it");
        assert_eq!(error(" =x"), "no attribute stands before the =");
        assert!(error("a\"b=x").contains("holds a quote"));
        assert!(error("12=x").contains("is a number"));
    }

    proptest! {
        /// Whatever the value, the expression is one comparison with one literal
        /// that reads as the value: nothing gets out of the quotes.
        #[test]
        fn no_value_gets_out_of_its_quotes(value in ".*") {
            let comparison = Comparison::equals("k", &value).unwrap();
            let expression = comparison.expression();
            let literal = if number(&value).is_some() {
                let (_, text) = expression.split_once(" or attributes[\"k\"] == ").unwrap();
                text.strip_suffix(')').unwrap()
            } else {
                expression.strip_prefix("attributes[\"k\"] == ").unwrap()
            };
            let back: String = serde_json::from_str(literal).unwrap();
            prop_assert_eq!(back, value);
        }

        #[test]
        fn names_that_pass_need_no_escapes(name in ".*") {
            if let Ok(comparison) = Comparison::equals(&name, "x") {
                let plain = format!("attributes[\"{name}\"] == \"x\"");
                prop_assert_eq!(comparison.expression(), plain);
            }
        }
    }
}
