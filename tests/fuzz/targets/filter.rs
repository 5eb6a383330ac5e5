//! Any text as a literal of Milvus's filter language: read back by the
//! language's own rules it is the same text, and nothing gets out of it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use milvus_image_search::store;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    holds(&store::quote(&text), &[&text], "$");
});

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
