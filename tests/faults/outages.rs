//! Servers that go away in mid-run, and come back or do not.

use std::io::Read;
use std::process::Child;
use std::time::{Duration, Instant};

use crate::fake::Fault;
use crate::scene::{PICTURES, Scene, counts_of};
use crate::support::{Ran, Run};

/// Longest wait for anything in these tests.
const LIMIT: Duration = Duration::from_secs(60);

/// An `ingest` under way, whose standard error is read as it comes.
struct UnderWay {
    child: Child,
    stderr: std::sync::Arc<std::sync::Mutex<String>>,
    reading: std::thread::JoinHandle<()>,
}

fn start(run: &Run) -> UnderWay {
    let mut child = run.command().spawn().unwrap();
    drop(child.stdin.take());
    let mut from = child.stderr.take().unwrap();
    let stderr = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let into = std::sync::Arc::clone(&stderr);
    let reading = std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..read]).into_owned();
            into.lock().unwrap().push_str(&text);
        }
    });
    UnderWay {
        child,
        stderr,
        reading,
    }
}

impl UnderWay {
    #[track_caller]
    fn wait_for(&self, what: &str, holds: impl Fn(&str) -> bool) {
        let begun = Instant::now();
        while !holds(&self.stderr.lock().unwrap()) {
            let said = self.stderr.lock().unwrap().clone();
            assert!(begun.elapsed() < LIMIT, "{what} does not come: {said}");
            nap();
        }
    }

    fn finish(mut self) -> Ran {
        let mut stdout = String::new();
        let mut from = self.child.stdout.take().unwrap();
        from.read_to_string(&mut stdout).unwrap();
        let code = self.child.wait().unwrap().code();
        self.reading.join().unwrap();
        let stderr = self.stderr.lock().unwrap().clone();
        Ran {
            code,
            stdout,
            stderr,
        }
    }
}

#[cfg(unix)]
fn signal(under_way: &UnderWay, name: &str) {
    let killed = std::process::Command::new("kill")
        .args([&format!("-{name}"), &under_way.child.id().to_string()])
        .status();
    assert!(killed.unwrap().success());
}

fn nap() {
    std::thread::park_timeout(Duration::from_millis(20));
}

/// Runs until the third upsert, where the server dies.
fn dies_in_mid_run(scene: &Scene) -> UnderWay {
    scene
        .milvus
        .schedule("upsert", [None, None, Some(Fault::Unanswered)]);
    let under_way = start(&scene.ingest().args("--retry-for 3600 --retry-max-wait 1"));
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
    signal(&under_way, "INT");
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

/// What is under way when the signal comes is finished, and said.
#[test]
#[cfg(unix)]
fn a_run_that_is_terminated_drains() {
    for name in ["INT", "TERM"] {
        let scene = Scene::new(10);
        let (tell, told) = std::sync::mpsc::channel();
        scene.milvus.once("upsert", move || told.recv().unwrap());
        let under_way = start(&scene.ingest());
        under_way.wait_for("the first upsert", |_| scene.milvus.takes("upsert"));
        signal(&under_way, name);
        under_way.wait_for("the answer", |said| said.contains("interrupted: finishing"));
        tell.send(()).unwrap();
        let ran = under_way.finish().expect_code(130);
        let counts = counts_of(&ran);
        assert!(counts["upserted"] >= 2, "{name}: {counts:?}");
        let left = counts["cancelled"];
        assert_eq!(counts["upserted"] + left, 10, "{name}: {counts:?}");
        assert_eq!(scene.rows().len() as u64, counts["upserted"]);
        scene.ingest().run().expect_code(0);
        scene.expect_rows();
    }
}

/// The first signal waits for the answer, the second for nothing.
#[test]
#[cfg(unix)]
fn a_second_signal_leaves_at_once() {
    let pairs = [["INT", "INT"], ["TERM", "TERM"], ["INT", "TERM"]];
    for [first, second] in pairs {
        let scene = Scene::new(10);
        scene
            .milvus
            .schedule("upsert", [None, Some(Fault::Unanswered)]);
        let mut under_way = start(&scene.ingest());
        under_way.wait_for("the second upsert", |_| scene.milvus.calls("upsert") == 2);
        signal(&under_way, first);
        under_way.wait_for("the answer", |said| said.contains("again to leave at once"));
        nap();
        assert!(under_way.child.try_wait().unwrap().is_none(), "{first}");
        let begun = Instant::now();
        signal(&under_way, second);
        let ran = under_way.finish().expect_code(130);
        assert!(begun.elapsed() < Duration::from_secs(5), "{second}");
        assert_eq!(ran.stdout, "");
        scene.ingest().run().expect_code(0);
        scene.expect_rows();
    }
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
    let under_way = start(&scene.ingest());
    let told = "another program writes to the collection `pictures`";
    under_way.wait_for("the reason", |said| said.contains(told));
    assert_eq!(scene.milvus.calls("upsert"), 0);
    let begun = Instant::now();
    signal(&under_way, "INT");
    let ran = under_way.finish().expect_code(130);
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert_eq!(counts_of(&ran)["cancelled"], 4);
    // Once it is over the run goes on.
    let under_way = start(&scene.ingest());
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
    let under_way = start(&scene.ingest().args("--timeout 1 --retry-for 4"));
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
