//! `models export` finds the script and its Python, and passes on what they say.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::support::{Ran, models};

/// A Python that says how it was called, and ends as it is told.
fn python(dir: &Path, code: i32) -> PathBuf {
    let path = dir.join("python");
    let script = format!("#!/bin/sh\nprintf '%s\\n' \"$@\"\nexit {code}\n");
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn export(dir: &Path, code: i32, more: &[&str]) -> Ran {
    let mut run = models()
        .args("export simclr a.ckpt --out mine --python")
        .arg(python(dir, code));
    for argument in more {
        run = run.arg(argument);
    }
    run.run()
}

#[test]
fn the_script_gets_the_arguments() {
    let dir = tempfile::tempdir().unwrap();
    let ran = export(dir.path(), 0, &["--", "--article"]).expect_code(0);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert!(lines[0].ends_with("models/export/simclr.py"), "{ran:?}");
    assert_eq!(lines[1..], ["a.ckpt", "--out", "mine", "--article"]);
}

#[test]
fn the_scripts_end_is_the_commands() {
    let dir = tempfile::tempdir().unwrap();
    for (theirs, ours) in [(0, 0), (1, 1), (2, 2), (9, 1)] {
        export(dir.path(), theirs, &[]).expect_code(ours);
    }
}

#[test]
fn what_is_not_there_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let hidden = [(dir.path().to_str().unwrap(), "[DIR]")];
    let missing = models()
        .args("export clip x --out y --python")
        .arg(dir.path().join("none"))
        .run()
        .expect_code(1);
    insta::assert_snapshot!("export_no_python", missing.text(&hidden));
    let elsewhere = models()
        .args("export clip x --out y --models-dir")
        .arg(dir.path())
        .run()
        .expect_code(1);
    insta::assert_snapshot!("export_no_script", elsewhere.text(&hidden));
}
