//! Servers that go away in mid-run, and come back or do not.

use std::time::{Duration, Instant};

use crate::fake::Fault;
use crate::scene::{PICTURES, Scene, counts_of};
use crate::support::under_way::UnderWay;

/// Runs until the third upsert, where the server dies.
fn dies_in_mid_run(scene: &Scene) -> UnderWay {
    scene
        .milvus
        .schedule("upsert", [None, None, Some(Fault::Unanswered)]);
    let mut under_way = scene
        .ingest()
        .args("--retry-for 3600 --retry-max-wait 1")
        .start();
    under_way.wait_for("the third upsert", |_| scene.milvus.calls("upsert") == 3);
    scene.milvus.die();
    under_way.wait_for("the pause", |said| said.contains("Ctrl-C stops"));
    under_way
}

#[test]
fn a_server_that_comes_back_finds_the_run_waiting() {
    let scene = Scene::new(10);
    let under_way = dies_in_mid_run(&scene);
    scene.milvus.come_back();
    let ran = under_way.finish();
    scene.expect_all(&ran);
    let uri = scene.milvus.uri();
    let paused = format!("Milvus at {uri} does not answer (");
    let resumed = format!("Milvus at {uri} answers again: going on");
    assert_eq!(ran.stderr.matches(&paused).count(), 1, "{}", ran.stderr);
    assert_eq!(ran.stderr.matches(&resumed).count(), 1, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("waiting, up to 60 minutes"),
        "{}",
        ran.stderr
    );
}

#[test]
#[cfg(unix)]
fn an_interrupted_run_does_not_wait_for_the_server() {
    let scene = Scene::new(10);
    let under_way = dies_in_mid_run(&scene);
    let begun = Instant::now();
    under_way.signal("-INT");
    let ran = under_way.finish().expect_code(130);
    assert!(begun.elapsed() < Duration::from_secs(10));
    let counts = counts_of(&ran);
    assert_eq!(counts["upserted"], 4, "{counts:?}");
    assert_eq!(counts["upserted"] + counts["cancelled"], 10, "{counts:?}");
    // What was left is done by the next run; what the cut request wrote, too.
    scene.milvus.come_back();
    scene.ingest().run().expect_code(0);
    scene.expect_rows();
}

/// Whoever writes to a Milvus Lite has locked a file; it may have been stopped,
/// and then it keeps it.
#[test]
#[cfg(unix)]
fn a_writer_that_does_not_end_its_turn_is_told_of_and_need_not_be_waited_for() {
    let scene = Scene::new(4);
    scene.milvus.be_lite();
    let uri = scene.milvus.uri();
    let port = uri.rsplit_once(':').unwrap().1;
    let key = format!("{port}\nNone\n{PICTURES}");
    let hash = blake3::hash(key.as_bytes()).to_hex();
    let name = format!("milvus-image-search-{}.lock", &hash[..16]);
    let path = std::env::temp_dir().join(name);
    let file = std::fs::File::create(&path).unwrap();
    file.lock().unwrap();
    let mut under_way = scene.ingest().start();
    let told = "another program writes to the collection `pictures`";
    under_way.wait_for("the reason", |said| said.contains(told));
    assert_eq!(scene.milvus.calls("upsert"), 0);
    let begun = Instant::now();
    under_way.signal("-INT");
    let ran = under_way.finish().expect_code(130);
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert!(counts_of(&ran).is_empty(), "{ran:?}");
    assert_eq!(scene.milvus.calls("upsert"), 0);
    // Once it is over the run goes on.
    let mut under_way = scene.ingest().start();
    under_way.wait_for("the reason", |said| said.contains(told));
    drop(file);
    scene.expect_all(&under_way.finish());
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_server_that_drips_is_given_up_in_time() {
    let scene = Scene::new(4);
    scene.expect_all(&scene.ingest().run());
    scene.milvus.schedule("query", [Some(Fault::Unanswered)]);
    let before = scene.milvus.calls("query");
    let mut under_way = scene.ingest().args("--timeout 1 --retry-for 4").start();
    under_way.wait_for("the query", |_| scene.milvus.calls("query") > before);
    scene.milvus.drip(true);
    let begun = Instant::now();
    let ran = under_way.finish().expect_code(1);
    assert!(begun.elapsed() < Duration::from_secs(30));
    assert!(ran.stderr.contains("not done within 1 s"), "{}", ran.stderr);
    scene.milvus.drip(false);
    let ran = scene.ingest().run().expect_code(0);
    assert_eq!(counts_of(&ran)["unchanged"], 4);
}
