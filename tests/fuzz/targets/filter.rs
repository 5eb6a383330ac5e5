//! Any text as a literal of Milvus's filter language, and as the value of a
//! comparison: read back by the language's own rules it is the same text, and
//! nothing gets out of it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use milvus_image_search::store::{Comparison, quote};

/// Operators, with what an expression makes of each for a text and for a number
/// `#`; `$` stands for a literal.
const OPERATORS: [(&str, &str, &str); 6] = [
    (
        "=",
        "attributes[$] == $",
        "(attributes[$] == # or attributes[$] == $)",
    ),
    (
        "!=",
        "((exists attributes[$]) and (attributes[$] != $))",
        "((exists attributes[$]) and (attributes[$] != $ and attributes[$] != #))",
    ),
    ("<", "attributes[$] < $", "attributes[$] < #"),
    ("<=", "attributes[$] <= $", "attributes[$] <= #"),
    (">", "attributes[$] > $", "attributes[$] > #"),
    (">=", "attributes[$] >= $", "attributes[$] >= #"),
];

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    holds(&quote(&text), &[&text], "$");
    for (sign, with_text, with_number) in OPERATORS {
        compares(sign, text.trim(), with_text, with_number);
    }
});

/// `colour sign value` becomes the frame for its kind of value.
fn compares(sign: &str, value: &str, with_text: &str, with_number: &str) {
    let comparison: Comparison = format!("colour {sign} {value}").parse().unwrap();
    let frame = match value.parse::<serde_json::Number>() {
        Ok(number) => with_number.replace('#', &number.to_string()),
        Err(_) => with_text.to_owned(),
    };
    let literals: Vec<&str> = frame
        .match_indices('$')
        .map(|(at, _)| {
            if frame[..at].ends_with('[') {
                "colour"
            } else {
                value
            }
        })
        .collect();
    holds(&comparison.expression(), &literals, &frame);
}

/// `expression` has these literals, and with `$` in the place of each it is
/// `frame`.
fn holds(expression: &str, literals: &[&str], frame: &str) {
    let mut rest = expression;
    let (mut found, mut around) = (Vec::new(), String::new());
    while let Some((before, from)) = rest.find('"').map(|at| rest.split_at(at)) {
        let (text, behind) = literal(from).unwrap_or_else(|| panic!("no literal: {expression}"));
        found.push(text);
        around.push_str(before);
        around.push('$');
        rest = behind;
    }
    around.push_str(rest);
    assert_eq!(found, literals, "{expression}");
    assert_eq!(around, frame, "{expression}");
}

/// The text of the literal that `expression` begins with, and what follows it:
/// `StringLiteral` of Milvus's Plan.g4 within double quotes, whose escapes Go's
/// `strconv.Unquote` then reads, so only what both know counts.
fn literal(expression: &str) -> Option<(String, &str)> {
    let mut rest = expression.strip_prefix('"')?.chars();
    let mut text = String::new();
    loop {
        match rest.next()? {
            '"' => return Some((text, rest.as_str())),
            '\r' | '\n' => return None,
            '\\' => text.push(match rest.next()? {
                same @ ('"' | '\\') => same,
                'a' => '\x07',
                'b' => '\x08',
                'f' => '\x0C',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'v' => '\x0B',
                'u' => {
                    let (digits, behind) = rest.as_str().split_at_checked(4)?;
                    rest = behind.chars();
                    char::from_u32(u32::from_str_radix(digits, 16).ok()?)?
                }
                _ => return None,
            }),
            plain => text.push(plain),
        }
    }
}
