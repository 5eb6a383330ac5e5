//! Ctrl-C drains and reports; a reader that goes away is no failure.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::Command;

use serde_json::Value;

use crate::servers::Server;
use crate::support::{gallery, ingest, search};

on_both_servers! {
    fn interrupted_runs_balance_and_the_next_one_finishes(server: &Server) {
        let collection = server.collection("interrupt");
        let dir = tempfile::tempdir().unwrap();
        for copy in 0..8 {
            for entry in fs::read_dir(gallery().join("objects")).unwrap() {
                let entry = entry.unwrap();
                let name = format!("{copy}-{}", entry.file_name().to_str().unwrap());
                fs::copy(entry.path(), dir.path().join(name)).unwrap();
            }
        }
        let total = 8 * 84;
        let run = server.run(ingest().args("-v --model lit-b0 --format json --batch 4 --upsert-bytes 20000 --collection")
            .args(&collection.name).arg(dir.path()));
        let mut child = run.command().spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("batch ended") {
            line.clear();
            assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "it ended before a batch was written");
        }
        let pid = child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        let draining = std::thread::spawn(move || {
            let mut rest = String::new();
            stderr.read_to_string(&mut rest).unwrap();
            rest
        });
        let output = child.wait_with_output().unwrap();
        let said = draining.join().unwrap();
        assert_eq!(output.status.code(), Some(130), "{said}");
        assert!(said.contains("interrupted: finishing"), "{said}");
        let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
        let count = |key: &str| summary[key].as_u64().unwrap();
        assert_eq!(count("discovered"), count("upserted") + count("moved") + count("cancelled"), "{summary}");
        assert!(count("upserted") > 0, "{summary}");
        assert!(count("upserted") < total, "{summary}");

        let rest = server.run(ingest().args("--quiet --model lit-b0 --format json --collection")
            .args(&collection.name).arg(dir.path())).run().expect_code(0).json();
        let written = |summary: &Value| {
            summary["upserted"].as_u64().unwrap() + summary["moved"].as_u64().unwrap()
        };
        assert_eq!(rest["unchanged"], written(&summary));
        assert_eq!(written(&rest), total - written(&summary));
    }
}

/// A list that never ends is not waited for.
#[test]
fn a_run_that_waits_for_its_list_can_be_interrupted() {
    let server = Server::lite();
    let collection = server.collection("waiting");
    let run = ingest()
        .args("-v --model pixels --format json --files-from - --collection")
        .args(&collection.name);
    let mut child = server.run(run).command().spawn().unwrap();
    let list = child.stdin.take().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("created the collection") {
        line.clear();
        assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "it ended early");
    }
    let pid = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .unwrap()
            .success()
    );
    let output = child.wait_with_output().unwrap();
    drop(list);
    assert_eq!(output.status.code(), Some(130));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["discovered"], 0);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let server = Server::lite();
    let collection = server.collection("pipe");
    crate::gallery::ingested(&server, &collection, "pixels");
    let run = server.run(
        search()
            .args("--limit 100 --format json --collection")
            .args(&collection.name)
            .args("--image")
            .arg(gallery().join("objects/blue-cap.webp")),
    );
    let mut child = run.command().spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), said.as_str()), (Some(0), ""));

    // An ingest says by its exit code how it ended, read or not.
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("bad.jpg"), "no picture").unwrap();
    let run = server.run(
        ingest()
            .args("--quiet --format json --collection")
            .args(&collection.name)
            .arg(dir.path()),
    );
    let mut child = run.command().spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(3));
}
