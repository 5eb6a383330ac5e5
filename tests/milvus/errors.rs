//! Each error that a server has a part in: one line what, one line why, one
//! line what to do.

use std::fs;

use crate::servers::Server;
use crate::support::{Run, gallery, ingest, repo, search};

pub(crate) fn small(
    server: &Server,
    test: &str,
    model: &str,
) -> (crate::servers::Collection, tempfile::TempDir) {
    let collection = server.collection(test);
    let dir = tempfile::tempdir().unwrap();
    fs::copy(
        gallery().join("objects/blue-cap.webp"),
        dir.path().join("cap.webp"),
    )
    .unwrap();
    let run = ingest()
        .args("--quiet --collection")
        .args(&collection.name)
        .args("--model")
        .args(model)
        .arg(dir.path());
    server.run(run).run().expect_code(0);
    (collection, dir)
}

#[track_caller]
fn snapshot(name: &str, server: &Server, run: Run, hidden: &[(&str, &str)]) {
    let mut hidden = hidden.to_vec();
    hidden.push((&server.uri, "[URI]"));
    insta::assert_snapshot!(name, server.run(run).run().expect_code(1).text(&hidden));
}

pub(crate) fn kind(server: &Server) -> &'static str {
    if server.token.is_some() {
        "standalone"
    } else {
        "lite"
    }
}

on_both_servers! {
    fn a_filter_that_cannot_be_parsed(server: &Server) {
        let (collection, _dir) = small(server, "badfilter", "lit-b0");
        for (name, filter) in [("syntax", "colour ==== 3"), ("field", "nosuchfield == 3")] {
            let run = search().args("--text cat --collection").args(&collection.name)
                .args("--filter").arg(filter);
            let name = format!("filter_{name}_{}", kind(server));
            snapshot(&name, server, run, &[(&collection.name, "[COLLECTION]")]);
        }
    }

    /// A collection keeps the variant that filled it: a search opens that one.
    fn a_variant_is_a_model_of_its_own(server: &Server) {
        let (collection, dir) = small(server, "variant", "resnet50:torchvision");
        let name = collection.name.as_str();
        let found = search().args("--format json --limit 1 --collection").args(name)
            .args("--image").arg(dir.path().join("cap.webp"));
        let found = server.run(found).run().expect_code(0);
        assert!(found.stdout.contains("cap"), "{found:?}");
        let base = ingest().args("--model resnet50 --collection").args(name).arg(dir.path());
        let refused = server.run(base).run().expect_code(1);
        assert!(refused.stderr.contains("resnet50:torchvision"), "{refused:?}");
    }

    fn another_model_is_refused(server: &Server) {
        let (collection, dir) = small(server, "othermodel", "lit-b0");
        let hidden = [(collection.name.as_str(), "[COLLECTION]")];
        let run = ingest().args("--model pixels --collection").args(&collection.name).arg(dir.path());
        snapshot("other_model_ingest", server, run, &hidden);
        let run = search().args("--text cat --model resnet50 --collection").args(&collection.name);
        snapshot("other_model_search", server, run, &hidden);
    }

    fn a_model_without_text_is_not_asked_for_words(server: &Server) {
        let (collection, _dir) = small(server, "notext", "pixels");
        let run = search().args("--text cat --collection").args(&collection.name);
        snapshot("no_text", server, run, &[]);
    }

    fn a_collection_that_is_not_there(server: &Server) {
        let (collection, _dir) = small(server, "present", "pixels");
        let missing = server.collection("missing");
        let run = search().args("--text cat --collection").args(&missing.name);
        let ran = server.run(run).run().expect_code(1);
        assert!(ran.stderr.starts_with(&format!("error: there is no collection `{}`\n", missing.name)));
        assert!(ran.stderr.contains(&collection.name), "those that there are: {}", ran.stderr);
        let run = search().args("--text cat --collection no-name");
        snapshot("invalid_name", server, run, &[]);
    }

    fn several_collections_are_listed(server: &Server) {
        let (one, _dir) = small(server, "several", "pixels");
        let (other, _dir) = small(server, "several", "pixels");
        let ran = server.run(search().args("--image").arg(gallery().join("objects/blue-cap.webp"))).run();
        let said = ran.expect_code(1).stderr;
        assert!(said.contains("collections to search"), "{said}");
        assert!(said.contains(&one.name) && said.contains(&other.name), "{said}");
        assert!(said.contains("--collection"), "{said}");
    }

    fn a_query_picture_that_is_none(server: &Server) {
        let (collection, dir) = small(server, "badquery", "pixels");
        let bad = dir.path().join("bad.jpg");
        fs::write(&bad, "hello").unwrap();
        let ask = |image: &std::path::Path| {
            search().args("--collection").args(&collection.name).args("--image").arg(image)
        };
        snapshot("query_picture_bad", server, ask(&bad), &[]);
        snapshot("query_picture_missing", server, ask(std::path::Path::new("/nonexistent.jpg")), &[]);
    }

    fn the_runtime_that_is_missing(server: &Server) {
        let (collection, _dir) = small(server, "noruntime", "lit-b0");
        let run = search().args("--text cat --collection").args(&collection.name)
            .env("ORT_DYLIB_PATH", "/nonexistent/libonnxruntime.so");
        snapshot("runtime_missing", server, run, &[]);
    }

    fn the_default_model_says_how_to_fetch_it(server: &Server) {
        let collection = server.collection("clip");
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("clip-vit-b-32");
        fs::create_dir(&folder).unwrap();
        fs::copy(repo().join("models/clip-vit-b-32/model.toml"), folder.join("model.toml")).unwrap();
        let run = ingest().args("--collection").args(&collection.name).arg(gallery())
            .args("--models-dir").arg(dir.path());
        snapshot("clip_missing", server, run, &[(dir.path().to_str().unwrap(), "[DIR]")]);
    }
}

/// What the traps of Lite are found out from.
#[test]
fn servers_are_told_apart() {
    crate::servers::block_on(async {
        let lite = Server::lite().store().await;
        assert_eq!(
            (lite.server().version.as_str(), lite.server().lite),
            ("3.2.2", true)
        );
        let whole = Server::standalone().store().await;
        assert!(!whole.server().lite, "{:?}", whole.server());
        assert!(whole.server().version.starts_with("2.3.5"));
    });
}

#[test]
fn a_wrong_token() {
    let mut server = Server::standalone();
    server.token = Some("root:wrong".to_owned());
    snapshot("token_wrong", &server, search().args("--text cat"), &[]);
    server.token = None;
    snapshot("token_absent", &server, search().args("--text cat"), &[]);
}

/// Not in the most talkative log either, plain or encoded.
#[test]
fn a_token_is_never_shown() {
    use base64::Engine;
    let mut server = Server::standalone();
    let token = "root:not-the-password";
    server.token = Some(token.to_owned());
    let run = search().args("-vv --text cat").env("RUST_LOG", "trace");
    let said = server.run(run).run().expect_code(1).text(&[]);
    assert!(said.lines().count() > 20, "the log was on: {said}");
    let encoded = base64::engine::general_purpose::STANDARD.encode(token);
    assert!(!said.contains("not-the-password") && !said.contains(&encoded));
}

#[test]
fn a_database_that_is_not_there() {
    let server = Server::standalone();
    snapshot(
        "database_missing",
        &server,
        search().args("--text cat --database nowhere"),
        &[],
    );
}

/// On a real server somebody released it for a reason; Lite forgets at each
/// restart, so there it is loaded without asking.
#[test]
fn a_collection_that_is_not_loaded() {
    let server = Server::standalone();
    let (collection, _dir) = small(&server, "released", "pixels");
    collection.release();
    let image = gallery().join("objects/blue-cap.webp");
    let ask = |more: &str| {
        search()
            .args("--collection")
            .args(&collection.name)
            .args(more)
            .args("--image")
            .arg(&image)
    };
    snapshot(
        "not_loaded",
        &server,
        ask(""),
        &[(&collection.name, "[COLLECTION]")],
    );
    server.run(ask("--load")).run().expect_code(0);

    let lite = Server::lite();
    let (collection, _dir) = small(&lite, "released", "pixels");
    collection.release();
    let run = search()
        .args("--collection")
        .args(&collection.name)
        .args("--image")
        .arg(&image);
    lite.run(run).run().expect_code(0);
}
