//! The answer in every form that it has, of the real gallery.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::gallery::ingested;
use crate::servers::{Collection, Server};
use crate::support::{Ran, Run, gallery, ingest, search};

fn ask(server: &Server, collection: &Collection, args: &str) -> Run {
    let run = search()
        .args("--limit 7 --collection")
        .args(&collection.name)
        .args("--image")
        .arg(gallery().join("objects/red-handbag.webp"))
        .args(args);
    server.run(run)
}

/// What each `<img>` of a page holds: JPEGs, decoded by their own crate.
fn images(page: &str) -> Vec<Vec<u8>> {
    let sources = page.split("<img src=\"data:image/jpeg;base64,").skip(1);
    let files = sources.map(|rest| STANDARD.decode(rest.split('"').next().unwrap()).unwrap());
    files.collect()
}

fn paths(ran: &Ran, end: char) -> Vec<String> {
    let text = ran.stdout.strip_suffix(end).unwrap();
    text.split(end).map(str::to_owned).collect()
}

on_both_servers! {
    fn every_form_tells_of_the_same_hits(server: &Server) {
        let collection = server.collection("forms");
        ingested(server, &collection, "pixels");
        let run = |args: &str| ask(server, &collection, args).run().expect_code(0);
        let json = run("--format json").json();
        let hits = json["hits"].as_array().unwrap();
        assert_eq!(hits.len(), 7);

        let lines: Vec<Value> = run("--format jsonl").stdout.lines()
            .map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(&lines, hits);

        let expected: Vec<&str> = hits.iter().map(|hit| hit["path"].as_str().unwrap()).collect();
        assert_eq!(paths(&run("--format paths"), '\n'), expected);
        assert_eq!(paths(&run("--format paths0"), '\0'), expected);

        let csv = run("--format csv").stdout;
        let mut reader = csv::Reader::from_reader(csv.as_bytes());
        let header = reader.headers().unwrap().clone();
        assert_eq!(&header.iter().take(6).collect::<Vec<_>>(),
            &["rank", "score", "id", "display_name", "path", "collection"]);
        let column = |name: &str| header.iter().position(|found| found == name).unwrap();
        let (path, colour) = (column("path"), column("colour"));
        let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert_eq!(records.len(), 7);
        for (record, hit) in records.iter().zip(hits) {
            assert_eq!(&record[path], hit["path"].as_str().unwrap());
            assert_eq!(&record[colour], hit["attributes"]["colour"].as_str().unwrap());
            assert_eq!(&record[column("collection")], &collection.name);
        }

        // In a pipe there are no colours, no pictures, and whole paths.
        for args in ["", "--thumbnails", "--grid", "--thumbnails=none"] {
            let table = run(args).stdout;
            assert!(!table.contains('\x1b'), "{args}: {table}");
            assert!(expected.iter().all(|path| table.contains(path)), "{table}");
        }
    }

    fn a_page_holds_all_that_it_shows(server: &Server) {
        let collection = server.collection("page");
        ingested(server, &collection, "pixels");
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a page.html");
        fs::write(&file, "what was there before").unwrap();
        let ran = ask(server, &collection, "--html").arg(&file).run().expect_code(0);
        assert!(ran.stderr.contains("7 pictures"), "{}", ran.stderr);
        assert!(ran.stdout.contains("7 hits"), "the table is still there");
        let page = fs::read_to_string(&file).unwrap();
        let found = images(&page);
        assert_eq!(found.len(), 8, "the question's and the hits'");
        assert!(found.iter().all(|file| file.starts_with(b"\xff\xd8\xff")));
        assert!(found.iter().all(|file| file.len() < 60_000));
        let entries = fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(entries, 1, "nothing is left beside it");

        let alone = ask(server, &collection, "--html -").run().expect_code(0);
        assert!(alone.stdout == page, "the same page, and nothing else");
        assert_eq!(alone.stderr, "");

        let quiet = ask(server, &collection, "--quiet --html").arg(&file).run().expect_code(0);
        assert_eq!(quiet.stderr, "");
        let missing = dir.path().join("no/such/folder.html");
        let ran = ask(server, &collection, "--html").arg(&missing).run().expect_code(1);
        assert!(ran.stderr.contains("hint: check that its folder is there"), "{}", ran.stderr);
    }

    fn pictures_that_are_gone_leave_a_place(server: &Server) {
        let dir = tempfile::tempdir().unwrap();
        let collection = server.collection("gone");
        for name in ["red-handbag", "blue-cap", "green-umbrella"] {
            let file = format!("objects/{name}.webp");
            fs::copy(gallery().join(file), dir.path().join(name).with_extension("webp")).unwrap();
        }
        let fill = ingest().args("--quiet --model pixels --collection").args(&collection.name)
            .arg(dir.path());
        server.run(fill).run().expect_code(0);
        fs::remove_file(dir.path().join("blue-cap.webp")).unwrap();
        fs::write(dir.path().join("green-umbrella.webp"), "no picture any more").unwrap();

        let page = ask(server, &collection, "--html -").run().expect_code(0).stdout;
        assert_eq!(images(&page).len(), 2);
        assert_eq!(page.matches("no picture: ").count(), 2);
        assert!(page.contains("no picture: the file is gone"), "{page}");
        for way in ["kitty", "iterm2", "sixel", "blocks"] {
            for grid in ["", " --grid"] {
                let args = format!("--thumbnails={way}{grid}");
                let shown = ask(server, &collection, &args).run().expect_code(0).stdout;
                assert!(shown.contains("the file is"), "wrapped: {args}: {shown}");
                let drawn = match way {
                    "kitty" => shown.matches("\x1b_Ga=T").count(),
                    "iterm2" => shown.matches("\x1b]1337;File=").count(),
                    "sixel" => shown.matches("\x1bP0;1;0q").count(),
                    _ => 2 * usize::from(shown.contains('▀')),
                };
                assert_eq!(drawn, 2, "the question and one hit: {args}");
            }
        }
    }

    fn a_browser_that_is_not_there_is_said(server: &Server) {
        let (collection, dir) = crate::errors::small(server, "open", "pixels");
        let bin = dir.path().join("bin");
        fs::create_dir(&bin).unwrap();
        let open = |path: &Path| {
            ask(server, &collection, "--open --format paths")
                .env("PATH", path.to_str().unwrap())
                .env("TMPDIR", dir.path().to_str().unwrap())
        };
        let none = open(&bin).run().expect_code(1);
        assert!(none.stderr.contains("`xdg-open` does not start"), "{}", none.stderr);
        assert!(none.stderr.contains("hint: open it yourself: file:///"), "{}", none.stderr);

        let opener = |script: &str| {
            use std::os::unix::fs::PermissionsExt;
            let file = bin.join("xdg-open");
            fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        };
        opener("exit 3");
        let failed = open(&bin).run().expect_code(1);
        assert!(failed.stderr.contains("found no browser"), "{}", failed.stderr);

        let seen = dir.path().join("seen");
        opener(&format!("echo \"$1\" > '{}'", seen.display()));
        open(&bin).run().expect_code(0);
        let page = fs::read_to_string(seen).unwrap();
        let page = page.trim_end();
        {
            use std::os::unix::fs::MetadataExt;
            assert_eq!(fs::metadata(page).unwrap().mode() & 0o777, 0o600);
        }
        let page = fs::read_to_string(page).unwrap();
        assert_eq!(images(&page).len(), 2);
    }
}
