//! `search evaluate` where no server is needed: help, usage, and files of
//! queries that are at fault.

use std::fs;
use std::path::Path;

use crate::support::{Ran, search};

fn evaluate(args: &str, folder: &Path) -> Ran {
    search().args("evaluate").args(args).folder(folder).run()
}

#[test]
fn help_teaches_it() {
    let help = search().args("evaluate --help").run().expect_code(0);
    insta::assert_snapshot!("evaluate_help", help.text(&[]));
}

#[test]
fn flags_that_make_no_sense_are_bad_usage() {
    let folder = tempfile::tempdir().unwrap();
    let said: Vec<String> = [
        "",
        "--k 0 --relevant-by kind",
        "--k 1,50 --limit 20 --relevant-by kind",
        "--exact --relevant-by kind",
        "--exact --per-query out.jsonl",
        "--svg plot.svg --relevant-by kind",
        "--sweep 16 --relevant-by kind",
        "--flush --relevant-by kind",
        "--sample 5 --queries q.csv",
        "--template cat --relevant-by kind",
    ]
    .iter()
    .map(|args| {
        let ran = evaluate(args, folder.path()).expect_code(2);
        assert!(ran.stdout.is_empty(), "{ran:?}");
        format!("> search evaluate {args}\n{}", ran.stderr.trim_end())
    })
    .collect();
    insta::assert_snapshot!("evaluate_usage", said.join("\n\n"));
}

#[test]
fn a_file_without_right_answers_is_refused_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let files = [
        ("none.csv", "text,kind\nred bag,bag\n"),
        ("empty.jsonl", ""),
        ("number.jsonl", "{\"text\":\"a\",\"relevant\":7}\n"),
        ("list.jsonl", "{\"text\":\"a\",\"relevant\":[\"x\",7]}\n"),
        (
            "grade.jsonl",
            "\n{\"text\":\"a\",\"relevant\":{\"x\":-1}}\n",
        ),
        ("question.jsonl", "{\"relevant\":[\"x\"]}\n"),
        ("lines.txt", "red bag\n"),
    ];
    let mut said = Vec::new();
    for (name, content) in files {
        fs::write(folder.path().join(name), content).unwrap();
        let ran = evaluate(&format!("--queries {name}"), folder.path()).expect_code(1);
        said.push(format!("> --queries {name}\n{}", ran.stderr.trim_end()));
    }
    let by = evaluate(
        "--queries none.csv --relevant-by kind,colour",
        folder.path(),
    );
    said.push(format!(
        "> --relevant-by kind,colour\n{}",
        by.expect_code(1).stderr.trim_end()
    ));
    let gone = evaluate("--queries gone.csv", folder.path()).expect_code(1);
    said.push(format!("> --queries gone.csv\n{}", gone.stderr.trim_end()));
    insta::assert_snapshot!("evaluate_files", said.join("\n\n"));
}
