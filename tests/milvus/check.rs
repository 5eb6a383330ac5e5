//! `ingest --check`: what it finds on both servers, and that it leaves no
//! trace.

use std::fs;
use std::path::Path;

use milvus::proto::common::KeyValuePair;
use milvus::proto::schema::{CollectionSchema, DataType, FieldSchema};
use serde_json::Value;

use crate::errors::{kind, small};
use crate::servers::{Server, Stranger, block_on};
use crate::support::{Run, gallery, ingest};

fn check(collection: &str, folder: &Path) -> Run {
    ingest()
        .args("--check --collection")
        .args(collection)
        .arg(folder)
}

/// Texts of the findings of a check that are of this level.
fn found(document: &Value, level: &str) -> Vec<(String, String)> {
    let findings = document["findings"].as_array().unwrap().iter();
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    findings
        .filter(|finding| finding["level"] == level)
        .map(|finding| (text(finding, "check"), text(finding, "found")))
        .collect()
}

/// The errors of a check, which ends as such a check does.
#[track_caller]
fn errors(server: &Server, run: Run) -> Vec<(String, String)> {
    let document = server
        .run(run.args("--format json"))
        .run()
        .expect_code(3)
        .json();
    let errors = found(&document, "error");
    assert_eq!(document["errors"], errors.len());
    errors
}

/// Without what differs between machines.
fn steady(text: &str) -> String {
    let lines = text
        .lines()
        .map(|line| match line.get(9..19).map(str::trim_end) {
            Some(check @ ("runtime" | "memory" | "lengths")) => format!("{}[{check}]", &line[..20]),
            _ => match line.split_once("fingerprint ") {
                Some((before, _)) => format!("{before}fingerprint [HASH]"),
                None => line.to_owned(),
            },
        });
    lines.collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn snapshot(name: &str, server: &Server, run: Run, code: i32, hidden: &[(&str, &str)]) {
    let mut hidden = hidden.to_vec();
    hidden.push((&server.uri, "[URI]"));
    let name = format!("check_{name}_{}", kind(server));
    let ran = server.run(run).run().expect_code(code);
    insta::assert_snapshot!(name, steady(&ran.text(&hidden)));
}

/// As ours, less two fields, with one more, and paths of 9 bytes.
fn another_shape() -> CollectionSchema {
    let pair = |key: &str, value: &str| KeyValuePair {
        key: key.to_owned(),
        value: value.to_owned(),
    };
    let field = |name: &str, data_type: DataType, params: &[KeyValuePair]| FieldSchema {
        name: name.to_owned(),
        data_type: data_type as i32,
        is_primary_key: name == "id",
        type_params: params.to_vec(),
        ..Default::default()
    };
    let text = |name, length| field(name, DataType::VarChar, &[pair("max_length", length)]);
    let number = |name| field(name, DataType::Int64, &[]);
    let fields = vec![
        text("id", "64"),
        text("path", "9"),
        text("display_name", "99"),
        text("content_hash", "64"),
        number("bytes"),
        number("details_hash"),
        number("owner"),
        field("embedding", DataType::FloatVector, &[pair("dim", "8")]),
    ];
    CollectionSchema {
        fields,
        ..Default::default()
    }
}

fn exists(server: &Server, collection: &str) -> bool {
    block_on(async {
        let store = server.store().await;
        store.find_collection(collection).await.unwrap().is_some()
    })
}

on_both_servers! {
    fn nothing_stands_against_a_first_run(server: &Server) {
        let collection = server.collection("checknew");
        let run = check(&collection.name, &gallery()).args("--model lit-b0 --names")
            .arg(gallery().join("names.csv"));
        snapshot("new", server, run, 0, &[(&collection.name, "[COLLECTION]")]);
        assert!(!exists(server, &collection.name), "a check creates nothing");
    }

    fn a_collection_that_is_filled(server: &Server) {
        let (collection, dir) = small(server, "checkheld", "pixels");
        let count = || block_on(async {
            server.store().await.count_rows(&collection.name, "").await.unwrap()
        });
        let before = count();
        let name = dir.path().file_name().unwrap().to_str().unwrap();
        let hidden = [(collection.name.as_str(), "[COLLECTION]"), (name, "[SOURCE]")];
        let run = check(&collection.name, dir.path()).args("--prune --metric L2");
        snapshot("held", server, run, 0, &hidden);
        assert_eq!(count(), before);
    }

    fn another_model(server: &Server) {
        let (collection, dir) = small(server, "checkmodel", "pixels");
        let errors = errors(server, check(&collection.name, dir.path()).args("--model lit-b0"));
        let [(check, found)] = &errors[..] else { panic!("{errors:?}") };
        assert_eq!(check, "collection");
        assert!(found.contains("filled with the model `pixels`"), "{found}");
    }

    fn a_name_that_is_too_long(server: &Server) {
        let (collection, dir) = small(server, "checklong", "pixels");
        let names = dir.path().join("names.csv");
        // 35,000 characters of two bytes each.
        fs::write(&names, format!("file,name\ncap.webp,{}\n", "ü".repeat(35_000))).unwrap();
        let run = check(&collection.name, dir.path()).arg("--names").arg(&names);
        let errors = errors(server, run);
        let expected = format!(
            "1 picture of a display name longer than the collection's 65535 bytes: {}:2: 70000 bytes, of cap.webp",
            names.display()
        );
        assert_eq!(errors, [("lengths".to_owned(), expected)]);
    }

    fn a_collection_of_another_shape(server: &Server) {
        let collection = server.collection("checkshape");
        collection.create(another_shape());
        let dir = tempfile::tempdir().unwrap();
        fs::copy(gallery().join("objects/red-cap.webp"), dir.path().join("cap.webp")).unwrap();
        let path = dir.path().join("cap.webp").canonicalize().unwrap();
        let run = check(&collection.name, dir.path()).args("--model pixels");
        let name = &collection.name;
        let expected = [
            ("collection", format!("the collection `{name}` does not say which model filled it")),
            ("schema", format!("the collection `{name}` has no field `modified` of type INT64")),
            ("schema", format!("the collection `{name}` has no field `attributes` of type JSON")),
            ("schema", format!("every row of `{name}` must fill `owner`, which no run does")),
            ("lengths", format!(
                "1 picture of a path longer than the collection's 9 bytes: {0}: {1} bytes",
                path.display(), path.to_str().unwrap().len(),
            )),
        ];
        let expected = expected.map(|(check, found)| (check.to_owned(), found));
        assert_eq!(errors(server, run), expected);
    }

    fn another_folder_of_the_same_name(server: &Server) {
        let (collection, dir) = small(server, "checkname", "pixels");
        let other = tempfile::tempdir().unwrap();
        fs::copy(gallery().join("objects/red-cap.webp"), other.path().join("cap.webp")).unwrap();
        let name = dir.path().file_name().unwrap().to_str().unwrap();
        let run = check(&collection.name, other.path()).args("--source").args(name);
        let errors = errors(server, run);
        let [(check, found)] = &errors[..] else { panic!("{errors:?}") };
        assert_eq!(check, "sources");
        assert!(found.contains("another under the same source name"), "{found}");
        assert!(found.contains(dir.path().to_str().unwrap()), "{found}");
    }
}

/// Every right is asked for, and none is used.
#[test]
fn a_user_without_rights() {
    let root = Server::standalone();
    let stranger = Stranger::new(&root);
    let server = stranger.server();
    let missing = root.collection("checkrights");
    let run = check(&missing.name, &gallery()).args("--model pixels");
    let denied = errors(&server, run);
    let may_not = [
        "create the collection",
        "create its index",
        "load it",
        "read rows",
        "write rows",
    ];
    let is = |denied: &(String, String), what: &str| {
        let start = format!("this user may not {what}: Privilege");
        denied.0 == "authority" && denied.1.starts_with(&start)
    };
    assert_eq!(denied.len(), may_not.len(), "{denied:?}");
    for (denied, what) in denied.iter().zip(may_not) {
        assert!(is(denied, what), "{denied:?}");
    }
    assert!(!exists(&root, &missing.name));

    let (held, dir) = small(&root, "checkrights", "pixels");
    let denied = errors(&server, check(&held.name, dir.path()).args("--prune"));
    assert_eq!(denied.len(), 4, "{denied:?}");
    for (denied, what) in denied
        .iter()
        .zip(["load it", "read rows", "write rows", "delete rows"])
    {
        assert!(is(denied, what), "{denied:?}");
    }
    // What the run itself says of it.
    let run = ingest()
        .args("--collection")
        .args(&held.name)
        .arg(dir.path());
    let refused = server.run(run).run().expect_code(1);
    assert!(refused.stderr.contains("this user may not"), "{refused:?}");
}

#[test]
fn a_wrong_password_hides_nothing_else() {
    let mut server = Server::standalone();
    server.token = Some("root:wrong".to_owned());
    let dir = tempfile::tempdir().unwrap();
    let run = check("any", dir.path()).args("--model pixels --rejects /nonexistent/rejects");
    let errors: Vec<String> = errors(&server, run)
        .into_iter()
        .map(|(check, _)| check)
        .collect();
    assert_eq!(errors, ["login", "rejects"]);
}

#[test]
fn a_database_and_a_collection_that_are_not_there() {
    let server = Server::standalone();
    let run = check("any", &gallery()).args("--model pixels --database nowhere");
    let errors = errors(&server, run);
    assert_eq!(errors[0].0, "database", "{errors:?}");
}

#[test]
fn a_collection_that_is_not_in_memory_is_no_error() {
    let server = Server::standalone();
    let (collection, dir) = small(&server, "checkreleased", "pixels");
    collection.release();
    let run = check(&collection.name, dir.path()).args("--format json");
    let document = server.run(run).run().expect_code(0).json();
    let told = found(&document, "ok");
    assert!(
        told.iter()
            .any(|(check, found)| check == "loaded" && found.contains("not yet"))
    );
    let load = block_on(async { server.store().await.is_loaded(&collection.name).await });
    assert!(!load.unwrap(), "a check loads nothing");
}
