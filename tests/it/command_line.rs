//! Help, version, completions and bad usage.

use crate::support::{ingest, models, search};

#[test]
fn help_teaches_the_tool() {
    for (name, run) in [
        ("ingest", ingest()),
        ("search", search()),
        ("models", models()),
    ] {
        let help = run.clone().args("--help").run().expect_code(0);
        insta::assert_snapshot!(format!("{name}_help"), help.text(&[]));
        let short = run.args("-h").run().expect_code(0);
        assert!(
            short.stdout.len() < help.stdout.len(),
            "{name} -h is the short one"
        );
    }
    for command in [
        "list", "pull", "check", "doctor", "compare", "init", "export",
    ] {
        let help = models().args(command).args("--help").run().expect_code(0);
        insta::assert_snapshot!(format!("models_{command}_help"), help.text(&[]));
    }
}

#[test]
fn version_is_the_packages() {
    for run in [ingest(), search(), models()] {
        let version = run.args("--version").run().expect_code(0).stdout;
        assert!(
            version.trim_end().ends_with(env!("CARGO_PKG_VERSION")),
            "{version}"
        );
    }
}

#[test]
fn completions_are_for_every_shell() {
    for run in [ingest(), search(), models()] {
        for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
            let script = run
                .clone()
                .args("--completions")
                .args(shell)
                .run()
                .expect_code(0);
            assert!(script.stdout.contains("quiet"), "{shell}");
        }
    }
}

#[test]
fn bad_usage_is_code_two() {
    for run in [
        ingest().args("--no-such-flag"),
        ingest().args("--batch 0 -c a b"),
        search(),
        search().args("--limit 0 --text a"),
        search().args("--limit 16385 --text a"),
        models().args("no-such-command"),
    ] {
        let ran = run.run().expect_code(2);
        assert!(
            ran.stderr.contains("Usage") || ran.stderr.contains("--help"),
            "{ran:?}"
        );
        assert_eq!(ran.stdout, "");
    }
}
