//! Every error that needs no server: one line what, one line why, one line
//! what to do.

use std::io::{Read, Write};
use std::net::TcpListener;

use crate::support::{Run, ingest, models, repo, search};

/// An address at which nothing listens.
pub(crate) fn closed_port() -> String {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    format!("http://127.0.0.1:{port}")
}

#[track_caller]
fn snapshot(name: &str, run: &Run, hidden: &[(&str, &str)]) {
    insta::assert_snapshot!(name, run.run().text(hidden));
}

#[test]
fn a_server_that_is_down() {
    let uri = closed_port();
    let hidden = [(uri.as_str(), "[URI]")];
    snapshot(
        "server_down_search",
        &search().args("--text cat --uri").arg(&uri),
        &hidden,
    );
    let run = ingest().args("-c a --model lit-b0 . --uri").arg(&uri);
    snapshot("server_down_ingest", &run, &hidden);
}

/// What is wrong with a question is said before any server is asked.
#[test]
fn questions_that_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let csv = folder.path().join("q.csv");
    std::fs::write(&csv, "query,colour\na,b\n").unwrap();
    let labels = folder.path().join("labels.txt");
    std::fs::write(&labels, "\n \n").unwrap();
    let hidden = [(folder.path().to_str().unwrap(), "[FOLDER]")];
    let uri = closed_port();
    let cases = [
        ("question_nothing", search()),
        ("question_only_not", search().args("--not-text a")),
        (
            "question_weight_first",
            search().args("--weight 2 --text a"),
        ),
        ("question_weight_zero", search().args("--text a --weight 0")),
        (
            "question_picture_missing",
            search().args("--image missing.jpg"),
        ),
        (
            "question_address_dead",
            search().args("--image").args(&format!("{uri}/q.jpg")),
        ),
        (
            "question_template",
            search().args("--text a --template photo"),
        ),
        ("question_where", search().args("--text a --where colour")),
        (
            "question_where_name",
            search().args("--text a --where").arg("a\"b=1"),
        ),
        ("question_range", search().args("--text a --range 0.5..0.3")),
        ("question_gap", search().args("--text a --gap=2")),
        (
            "question_too_deep",
            search().args("--text a --limit 16000 --offset 1000"),
        ),
        (
            "question_scores",
            search().args("--text a -c a -c b --min-score 0.3"),
        ),
        (
            "question_labels_empty",
            search().args("--text a --labels").arg(&labels),
        ),
        (
            "question_labels_no_text",
            search().args("--text a --model pixels --labels").arg(&csv),
        ),
        (
            "question_queries_and_text",
            search().args("--text a --queries").arg(&csv),
        ),
    ];
    let hidden = [hidden[0], (uri.as_str(), "[URI]")];
    for (name, run) in cases {
        snapshot(name, &run, &hidden);
    }
}

/// Forgotten flags, quotes and signs.
#[test]
fn words_that_belong_to_no_flag() {
    for (name, args) in [
        ("question_no_flag", "red handbag"),
        ("question_no_quotes", "-n 3 --text red handbag"),
        ("question_way", "--text red --thumbnails kitty"),
    ] {
        snapshot(name, &search().args(args), &[]);
    }
    let picture = repo().join("tests/gallery/names.csv");
    let hidden = [(picture.to_str().unwrap(), "[FILE]")];
    snapshot("question_no_image", &search().arg(&picture), &hidden);
}

/// Forms that have no place for what was asked for.
#[test]
fn forms_that_do_not_suit() {
    let cases = [
        (
            "question_queries_page",
            search().args("--queries q.txt --html a.html"),
        ),
        (
            "question_queries_form",
            search().args("--queries q.txt --format table"),
        ),
        (
            "question_labels_grid",
            search().args("--text a --labels l.txt --thumbnails"),
        ),
        ("question_vectors", search().args("--text a --with-vectors")),
    ];
    for (name, run) in cases {
        snapshot(name, &run, &[]);
    }
}

#[test]
fn something_that_is_no_milvus() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap());
    // A client may come back; the thread ends with the test's process.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = [0; 24];
            let asked = stream.read_exact(&mut head).is_ok();
            let reply = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
            let replied = asked && stream.write_all(reply).is_ok();
            // Closing on unread bytes would reset the connection instead.
            let _drained = replied && std::io::copy(&mut stream, &mut std::io::sink()).is_ok();
        }
    });
    let ran = search()
        .args("--text cat --retry-for 0 --uri")
        .arg(&uri)
        .run()
        .expect_code(1);
    // The cause is the transport's, and a race decides which one.
    let lines: Vec<&str> = ran.stderr.lines().collect();
    assert_eq!(
        lines[0],
        format!("error: what answers at {uri} does not speak as Milvus does")
    );
    assert!(lines[1].starts_with("  caused by: "), "{ran:?}");
    assert!(lines[2].starts_with("hint: check the port"), "{ran:?}");
    assert_eq!(lines.len(), 3);
}

#[test]
fn addresses_that_cannot_be() {
    snapshot(
        "bad_uri",
        &search().args("--text cat --uri localhost:19530"),
        &[],
    );
    let run = search().args("--text cat --uri https://localhost:1 --tls-ca /nonexistent.pem");
    snapshot("bad_certificate", &run, &[]);
}

#[test]
fn a_token_on_the_command_line_is_refused_and_not_repeated() {
    let ran = search().args("--text cat --token root:Milvus").run();
    assert!(
        !ran.text(&[]).contains("root:Milvus"),
        "the token is not repeated"
    );
    insta::assert_snapshot!("token_is_no_file", ran.text(&[]));
}

#[test]
fn nothing_named() {
    snapshot("no_collection", &ingest().args("."), &[]);
    snapshot("no_pictures", &ingest().args("--collection a"), &[]);
    snapshot("empty_text", &search().args("--text").arg(" "), &[]);
}

#[test]
fn names_tables_that_cannot_be_used() {
    let dir = tempfile::tempdir().unwrap();
    let hidden = [(dir.path().to_str().unwrap(), "[DIR]")];
    let table = dir.path().join("names.csv");
    let run = ingest().args("-c a . --names").arg(&table);
    snapshot("names_missing", &run, &hidden);
    std::fs::write(&table, "id,colour\n1,red\n").unwrap();
    snapshot("names_without_name", &run, &hidden);
    std::fs::write(&table, "").unwrap();
    snapshot("names_empty", &run, &hidden);
}

#[test]
fn configuration_files_that_are_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let hidden = [(dir.path().to_str().unwrap(), "[DIR]")];
    let file = dir.path().join("milvus-image-search.toml");
    std::fs::write(&file, "collection = \"a\"\ncolection = \"b\"\n").unwrap();
    let run = search().args("--text cat").folder(dir.path());
    snapshot("config_unknown_key", &run, &hidden);
    snapshot(
        "config_missing",
        &search().args("--text cat --config /nonexistent.toml"),
        &[],
    );
}

#[test]
fn configuration_is_overruled_by_environment_and_flag() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("milvus-image-search.toml");
    std::fs::write(&file, "uri = \"from-file\"\n").unwrap();
    let run = search().args("--text cat").folder(dir.path());
    let said = |run: &Run| run.run().expect_code(1).stderr;
    assert!(said(&run).contains("`from-file`"));
    let run = run.env("MILVUS_URI", "from-environment");
    assert!(said(&run).contains("`from-environment`"));
    let run = run.args("--uri from-flag");
    assert!(said(&run).contains("`from-flag`"));
}

#[test]
fn models_that_are_not_there() {
    let run = ingest().args("-c a --model no-such-model .");
    snapshot("model_unknown", &run, &[]);
    let run = ingest().args("-c a --model lit-b0 --models-dir /nonexistent .");
    snapshot("models_dir_empty", &run, &[]);
    let run = models().args("pull lit-b0 --from /nonexistent");
    assert_eq!(run.run().code, Some(0), "what is there needs no mirror");
}

#[test]
fn a_manifest_that_is_wrong_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("pixels");
    std::fs::create_dir(&folder).unwrap();
    let hidden = [(dir.path().to_str().unwrap(), "[DIR]")];
    let manifest = std::fs::read_to_string(repo().join("models/pixels/model.toml")).unwrap();
    for (name, from, to) in [
        ("manifest_unknown_key", "divide_by", "devide_by"),
        ("manifest_wrong_type", "width = 60", "width = \"60\""),
        (
            "manifest_wrong_dimension",
            "dimension = 14400",
            "dimension = 100",
        ),
        ("manifest_misnamed", "name = \"pixels\"", "name = \"pixel\""),
    ] {
        std::fs::write(folder.join("model.toml"), manifest.replace(from, to)).unwrap();
        snapshot(name, &models().args("check").arg(&folder), &hidden);
    }
    let listed = models()
        .args("list --models-dir")
        .arg(dir.path())
        .run()
        .expect_code(3);
    assert!(listed.stderr.contains("pixel"), "{listed:?}");
}
