//! One fault a test: exit code, ledger, rows, and what standard error says.

use std::collections::BTreeMap;

use crate::fake::{Cell, Fault};
use crate::scene::{PICTURES, ROW_BYTES, Scene, counts_of};

fn counts(of: &[(&str, u64)]) -> BTreeMap<String, u64> {
    of.iter()
        .map(|(name, n)| ((*name).to_owned(), *n))
        .collect()
}

/// `fault` hits the second and the third upsert of five, and is overcome.
#[track_caller]
fn is_overcome(fault: &Fault) {
    let scene = Scene::new(10);
    let faults = [None, Some(fault.clone()), Some(fault.clone())];
    scene.milvus.schedule("upsert", faults);
    let ran = scene.ingest().args("--timeout 1").run();
    scene.expect_all(&ran);
    assert_eq!(scene.milvus.calls("upsert"), 7, "{}", ran.text(&[]));
    assert_eq!(ran.stderr.matches("error").count(), 0, "{}", ran.text(&[]));
}

/// `fault` hits the second upsert of five, and ends the run.
#[track_caller]
fn ends_the_run(fault: Fault, says: &[&str]) -> Scene {
    let scene = Scene::new(10);
    scene.milvus.schedule("upsert", [None, Some(fault)]);
    let ran = scene.ingest().run().expect_code(1);
    let counts = counts_of(&ran);
    assert_eq!(counts["upserted"], 2, "{counts:?}");
    assert_eq!(counts["failed"], 2, "{counts:?}");
    for words in says {
        assert!(ran.stderr.contains(words), "{}", ran.text(&[]));
    }
    scene
}

#[test]
fn an_undisturbed_run_writes_all_and_a_second_nothing() {
    let scene = Scene::new(10);
    scene.expect_all(&scene.ingest().run());
    assert_eq!(scene.milvus.calls("upsert"), 5);
    let ran = scene.ingest().run().expect_code(0);
    assert_eq!(counts_of(&ran), counts(&[("unchanged", 10)]));
    assert_eq!(scene.milvus.calls("upsert"), 5);
}

#[test]
fn an_unavailable_server_is_asked_again() {
    is_overcome(&Fault::Unavailable);
}

#[test]
fn a_rate_limit_is_waited_out() {
    is_overcome(&Fault::RateLimit);
}

#[test]
fn a_connection_cut_before_the_write_is_made_again() {
    is_overcome(&Fault::CutBefore);
}

#[test]
fn a_connection_cut_after_the_write_writes_no_row_twice() {
    is_overcome(&Fault::CutAfter);
}

#[test]
fn a_write_that_nobody_answers_is_sent_again() {
    is_overcome(&Fault::Unanswered);
}

#[test]
fn rows_that_were_left_out_are_sent_again() {
    is_overcome(&Fault::Partial(vec![0]));
}

#[test]
fn a_quota_pauses_the_run_and_says_so_once() {
    let scene = Scene::new(10);
    let faults = [None, Some(Fault::Quota), Some(Fault::Quota)];
    scene.milvus.schedule("upsert", faults);
    let ran = scene.ingest().args("--retry-max-wait 1").run();
    scene.expect_all(&ran);
    let uri = scene.milvus.uri();
    let paused =
        format!("Milvus at {uri} takes nothing now (quota exceeded: disk full): waiting, up to ");
    assert_eq!(ran.stderr.matches(&paused).count(), 1, "{}", ran.stderr);
    let resumed = format!("Milvus at {uri} answers again: going on");
    assert_eq!(ran.stderr.matches(&resumed).count(), 1, "{}", ran.stderr);
}

#[test]
fn a_row_that_is_never_taken_fails_alone() {
    let scene = Scene::new(10);
    scene.milvus.refuses("picture-03");
    let ran = scene.ingest().run().expect_code(3);
    assert_eq!(counts_of(&ran), counts(&[("failed", 1), ("upserted", 9)]));
    assert!(
        ran.stderr.contains(
            "picture-03.png: upsert: Milvus takes the batch and keeps leaving its row out"
        ),
        "{}",
        ran.stderr
    );
    assert!(!scene.rows().contains_key("picture-03.png"));
}

#[test]
fn a_batch_that_is_too_large_goes_in_halves() {
    let scene = Scene::new(10);
    scene.milvus.takes_at_most(2 * ROW_BYTES);
    let ran = scene.ingest_in_batches(10).run();
    scene.expect_all(&ran);
}

#[test]
fn rows_that_are_too_large_fail_alone() {
    let scene = Scene::new(4);
    scene.milvus.takes_at_most(ROW_BYTES / 2);
    let ran = scene.ingest().run().expect_code(3);
    assert_eq!(counts_of(&ran), counts(&[("failed", 4)]));
    assert!(
        ran.stderr.contains("more than Milvus takes in a message"),
        "{}",
        ran.stderr
    );
}

#[test]
fn an_expired_token_ends_the_run() {
    let scene = ends_the_run(
        Fault::Expired,
        &[
            "to answer without a token",
            "the token has expired",
            "MILVUS_TOKEN",
        ],
    );
    assert_eq!(scene.rows().len(), 2);
}

#[test]
fn a_collection_that_is_dropped_ends_the_run() {
    let scene = ends_the_run(Fault::Dropped, &["there is no collection `pictures`"]);
    assert_eq!(scene.rows().len(), 0);
    // The next run begins anew.
    let ran = scene.ingest().run();
    scene.expect_all(&ran);
}

#[test]
fn a_collection_that_is_dropped_and_created_anew_is_noticed() {
    let scene = Scene::new(10);
    let faults = [None, None, Some(Fault::Replaced)];
    scene.milvus.schedule("upsert", faults);
    let ran = scene.ingest().run().expect_code(1);
    let said = "the collection `pictures` was dropped and created anew during the run";
    assert!(ran.stderr.contains(said), "{}", ran.text(&[]));
    assert_eq!(scene.rows().len(), 6);
    let ran = scene.ingest().run().expect_code(0);
    let expected = counts(&[("unchanged", 6), ("upserted", 4)]);
    assert_eq!(counts_of(&ran), expected);
    scene.expect_rows();
}

#[test]
fn a_collection_that_is_altered_ends_the_run() {
    let scene = ends_the_run(Fault::Altered, &["the schema does not match"]);
    assert_eq!(scene.rows().len(), 2);
    let ran = scene.ingest().run().expect_code(0);
    assert_eq!(
        counts_of(&ran),
        counts(&[("unchanged", 2), ("upserted", 8)])
    );
    scene.expect_rows();
}

#[test]
fn faults_while_the_collection_is_read_are_overcome() {
    let scene = Scene::new(10);
    let faults = [Fault::RateLimit, Fault::CutBefore, Fault::Unavailable];
    scene.milvus.schedule("query", faults.map(Some));
    scene.expect_all(&scene.ingest().run());
    assert!(scene.milvus.calls("query") >= 4);
}

#[test]
fn faults_while_the_collection_is_made_ready_are_overcome() {
    let scene = Scene::new(10);
    let methods = [
        "describe_collection",
        "create_collection",
        "describe_index",
        "create_index",
        "get_load_state",
        "load_collection",
    ];
    for method in methods {
        let faults = [Fault::CutAfter, Fault::RateLimit, Fault::Unavailable];
        scene.milvus.schedule(method, faults.map(Some));
    }
    scene.expect_all(&scene.ingest().run());
    for method in methods {
        assert!(scene.milvus.calls(method) >= 4, "{method}");
    }
}

/// As Milvus Lite does when it is started anew.
#[test]
fn a_collection_that_is_no_longer_loaded_is_loaded_again() {
    let scene = Scene::new(10);
    scene.expect_all(&scene.ingest().run());
    for args in ["", "--verify"] {
        let loads = scene.milvus.calls("load_collection");
        scene.milvus.unload_before("query");
        scene.ingest().args(args).run().expect_code(0);
        assert_eq!(scene.milvus.calls("load_collection"), loads + 1);
    }
}

#[test]
fn an_answer_of_a_hundred_megabytes_is_read() {
    let scene = Scene::new(10);
    scene.expect_all(&scene.ingest().run());
    scene
        .milvus
        .schedule("query", [Some(Fault::Large(100 << 20))]);
    let ran = scene.ingest().run().expect_code(0);
    assert_eq!(counts_of(&ran), counts(&[("unchanged", 10)]));
}

/// What no server would take: a vector that is not finite, a row whose parts
/// do not belong together.
#[test]
fn rows_that_were_spoilt_are_found_and_written_anew() {
    let scene = Scene::new(10);
    scene.expect_all(&scene.ingest().run());
    let mut vector = vec![0.5; 14_400];
    vector[7] = f32::NAN;
    let spoil = |name: &str, field: &str, cell: Cell| {
        scene.milvus.alter(PICTURES, name, field, cell);
    };
    spoil("picture-03.png", "embedding", Cell::Vector(vector));
    spoil(
        "picture-05.png",
        "display_name",
        Cell::Text("another".to_owned()),
    );
    let ordinary = scene.ingest().run().expect_code(0);
    assert_eq!(
        counts_of(&ordinary),
        counts(&[("unchanged", 10)]),
        "it does not look"
    );
    let found = scene.ingest().args("--verify").run().expect_code(3).json();
    assert_eq!(
        (&found["vector"], &found["stale"]),
        (&1.into(), &1.into()),
        "{found}"
    );
    let said = found["differences"].to_string();
    assert!(said.contains("its vector is not finite"), "{said}");
    assert!(said.contains("not those that were written"), "{said}");
    let methods = ["query", "delete", "upsert"];
    for method in methods {
        scene
            .milvus
            .schedule(method, [Fault::CutAfter, Fault::RateLimit].map(Some));
    }
    let found = scene
        .ingest()
        .args("--verify --repair")
        .run()
        .expect_code(0)
        .json();
    assert_eq!(
        (&found["clean"], &found["rows"]),
        (&true.into(), &10.into()),
        "{found}"
    );
    scene.expect_rows();
}
