//! Open questions in a manifest: what `models init` could not tell.
//!
//! A value of `"?"` stands for an answer that is still to be given, with the
//! question in the comment above it. Such a manifest is refused, with the lines
//! to edit: a guess would give vectors that look right and are not.

use super::ManifestProblem;

/// What stands in place of an answer.
pub const OPEN: &str = "?";

/// Refuses `text` while a value in it is [`OPEN`].
pub(super) fn refuse_open(text: &str) -> Result<(), ManifestProblem> {
    let open: Vec<String> = text
        .lines()
        .enumerate()
        .filter_map(|(index, line)| {
            let (key, value) = line.split_once('=')?;
            let asks = !key.trim_start().starts_with('#')
                && value
                    .split('#')
                    .next()
                    .is_some_and(|value| value.contains(&format!("\"{OPEN}\"")));
            asks.then(|| format!("line {}: `{}`", index + 1, key.trim()))
        })
        .collect();
    if open.is_empty() {
        Ok(())
    } else {
        Err(ManifestProblem::Open { questions: open })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Manifest;

    #[test]
    fn a_question_is_named_by_its_line_until_it_is_answered() {
        let text = include_str!("../../models/pixels/model.toml")
            .replace("mean = [0.0, 0.0, 0.0]", "mean = \"?\"")
            .replace("licence = \"none needed\"", "licence = \"?\" # which?");
        let error = Manifest::parse(&text).expect_err("open").to_string();
        assert!(error.contains("2 questions are open"), "{error}");
        assert!(
            error.contains("`mean`") && error.contains("line 6"),
            "{error}"
        );
        assert!(Manifest::parse(&text.replace("\"?\"", "\"x\"")).is_err());
    }

    #[test]
    fn question_marks_elsewhere_are_no_questions() {
        let text = include_str!("../../models/pixels/model.toml")
            .replace("licence =", "# licence = \"?\"\nlicence =")
            .replace("title = \"", "title = \"? ");
        assert!(Manifest::parse(&text).is_ok());
    }
}
