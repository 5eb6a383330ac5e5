//! `models doctor`: is this copy of a model equal to its reference?

use std::io::Write;

use serde::Serialize;

use super::Form;
use crate::cli::failure::{Exit, Failure};
use crate::cli::terminal;
use crate::doctor::{Report, Verdict, examine};
use crate::embed::Runtime;
use crate::model::Model;
use crate::render::{Align, Table};

/// The report, as scripts read it.
#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    verdict: Verdict,
    #[serde(flatten)]
    report: &'a Report,
}

/// Examines `model` and says what was found.
pub(super) fn doctor(model: &Model, format: Form) -> Result<Exit, Failure> {
    let report = examine(model, Runtime::load)?;
    let verdict = report.verdict();
    terminal::print(|out| match format {
        Form::Json => {
            let document = Document {
                version: 1,
                verdict,
                report: &report,
            };
            serde_json::to_writer(&mut *out, &document)?;
            out.write_all(b"\n")
        }
        Form::Table => {
            writeln!(out, "{}, held against {}", report.model, report.reference)?;
            writeln!(out, "made with {}", report.made_with)?;
            let mut table = Table::new(&[
                ("stage", Align::Left),
                ("of", Align::Left),
                ("result", Align::Left),
                ("by how much", Align::Left),
            ]);
            for stage in &report.stages {
                table.row([
                    stage.name.to_owned(),
                    format!("{} {}", stage.judged, stage.of),
                    word(stage.verdict).to_owned(),
                    stage.detail.clone(),
                ]);
            }
            table.write(out)?;
            writeln!(out, "{}", sentence(&report))
        }
    })?;
    Ok(match verdict {
        Verdict::Equal => Exit::Done,
        Verdict::Differs | Verdict::Unknown => Exit::Incomplete,
    })
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Equal => "equal",
        Verdict::Differs => "differs",
        Verdict::Unknown => "not judged",
    }
}

fn sentence(report: &Report) -> String {
    let of = |verdict| {
        let stages = report
            .stages
            .iter()
            .filter(|stage| stage.verdict == verdict);
        let names: Vec<String> = stages
            .map(|stage| format!("{} of {}", stage.name, stage.of))
            .collect();
        names.join(", ")
    };
    match report.verdict() {
        Verdict::Equal => format!("{}: equal", report.model),
        Verdict::Differs => format!("{}: differs in {}", report.model, of(Verdict::Differs)),
        Verdict::Unknown => format!(
            "{}: equal as far as it was judged; not judged: {}",
            report.model,
            of(Verdict::Unknown)
        ),
    }
}
