//! Ctrl-C and SIGTERM: the first drains what is under way and says what is
//! left, the second leaves at once, whatever the run is stuck on.
#![cfg(unix)]

use std::io::{PipeReader, PipeWriter, Write};
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::fake::Fault;
use crate::scene::{Scene, counts_of};
use crate::support::Run;
use crate::support::under_way::UnderWay;

/// Far less than the server's time limit, which is a minute.
const AT_ONCE: Duration = Duration::from_secs(5);

const ASKED_TWICE: &str = "interrupted: finishing what is under way; again to leave at once";

/// Runs until the server hangs in the third of five upserts.
fn hangs_in_an_upsert(scene: &Scene, run: &Run) -> UnderWay {
    let faults = [None, None, Some(Fault::Unanswered)];
    scene.milvus.schedule("upsert", faults);
    let mut under_way = run.start();
    under_way.wait_for("the third upsert", |_| scene.milvus.calls("upsert") == 3);
    under_way
}

#[test]
fn the_first_waits_for_what_is_under_way() {
    for signal in ["-INT", "-TERM"] {
        let scene = Scene::new(10);
        // What is embedded is written; what is not answered is given up in time.
        let run = scene.ingest().args("--timeout 2");
        let mut under_way = hangs_in_an_upsert(&scene, &run);
        under_way.signal(signal);
        under_way.wait_for("the word", |said| said.contains(ASKED_TWICE));
        let ran = under_way.finish().expect_code(130);
        let counts = counts_of(&ran);
        assert!(counts["upserted"] >= 4, "{ran:?}");
        assert!(counts["cancelled"] >= 2, "{ran:?}");
        assert_eq!(ran.json()["complete"], true, "{ran:?}");
        let next = counts_of(&scene.ingest().run().expect_code(0));
        assert!(next["unchanged"] >= counts["upserted"], "{next:?}");
        scene.expect_rows();
    }
}

#[test]
fn the_second_leaves_though_the_server_hangs() {
    for signals in [["-INT", "-INT"], ["-TERM", "-TERM"], ["-INT", "-TERM"]] {
        let scene = Scene::new(10);
        let mut under_way = hangs_in_an_upsert(&scene, &scene.ingest());
        under_way.signal(signals[0]);
        under_way.wait_for("the word", |said| said.contains(ASKED_TWICE));
        under_way.signal(signals[1]);
        let ran = under_way.end_within(AT_ONCE).expect_code(130);
        assert_eq!(ran.stdout, "", "nobody waited for the summary");
        // What was left is done by the next run.
        scene.ingest().run().expect_code(0);
        scene.expect_rows();
    }
}

#[test]
fn what_is_left_is_said() {
    let scene = Scene::new(10);
    let run = scene.for_people(2).args("--timeout 2");
    let under_way = hangs_in_an_upsert(&scene, &run);
    under_way.signal("-TERM");
    let ran = under_way.finish().expect_code(130);
    assert!(
        ran.stdout
            .contains(" cancelled: run the same command again for the rest\n"),
        "{ran:?}"
    );
}

/// Far more pictures than are looked for ahead of the work.
#[test]
fn what_was_not_looked_for_is_said_too() {
    let scene = Scene::new(1);
    scene.add_copies(3000);
    let said =
        "cancelled, and not all pictures were found: run the same command again for the rest\n";
    for (run, what) in [
        (scene.ingest(), "\"complete\":false"),
        (scene.for_people(2), said),
    ] {
        let run = run.args("--timeout 2");
        scene.milvus.schedule("upsert", [Some(Fault::Unanswered)]);
        let calls = scene.milvus.calls("upsert");
        let mut under_way = run.start();
        under_way.wait_for("an upsert", |_| scene.milvus.calls("upsert") > calls);
        under_way.signal("-TERM");
        let ran = under_way.finish().expect_code(130);
        assert!(ran.stdout.contains(what), "{ran:?}");
    }
}

#[test]
fn a_server_that_hangs_before_the_first_picture_is_left_at_once() {
    for method in ["create_index", "load_collection", "query"] {
        let scene = Scene::new(10);
        scene.milvus.schedule(method, [Some(Fault::Unanswered)]);
        let mut under_way = scene.ingest().start();
        under_way.wait_for(method, |_| scene.milvus.calls(method) == 1);
        under_way.signal("-TERM");
        if method == "query" {
            // A request of the run itself is under way: it is waited for.
            under_way.wait_for("the word", |said| said.contains(ASKED_TWICE));
            under_way.signal("-TERM");
        }
        under_way.end_within(AT_ONCE).expect_code(130);
    }
}

/// Reading, pruning, comparing, repairing: none waits out the server's pause
/// once it was interrupted, and that is no failure.
#[test]
fn a_server_that_takes_nothing_is_not_waited_for() {
    for (args, method) in [
        ("", "query"),
        ("--prune --prune-limit 50", "delete"),
        ("--verify", "query"),
        ("--verify --repair --prune-limit 50", "delete"),
    ] {
        let scene = Scene::new(10);
        scene.expect_all(&scene.ingest().run());
        for number in 0..3 {
            scene.lose(number);
        }
        let faults = vec![Some(Fault::Quota); 1000];
        scene.milvus.schedule(method, faults);
        let run = scene.ingest().args("--retry-max-wait 1").args(args);
        let mut under_way = run.start();
        under_way.wait_for("the pause", |said| said.contains("takes nothing now"));
        under_way.signal("-TERM");
        let ran = under_way.end_within(AT_ONCE).expect_code(130);
        assert!(!ran.stderr.contains("error:"), "{args}: {ran:?}");
        assert_eq!(scene.rows().len(), 10, "{args}: {ran:?}");
        // The next run does what is left.
        scene.milvus.schedule(method, []);
        scene.ingest().args(args).run();
        let left = if method == "delete" { 7 } else { 10 };
        assert_eq!(scene.rows().len(), left, "{args}");
    }
}

/// A reader of standard error that stalls holds up the run, and not the way out.
#[test]
fn the_second_leaves_though_nobody_reads() {
    let scene = Scene::new(10);
    scene.milvus.schedule("upsert", [Some(Fault::Unanswered)]);
    let child = Stuck::start(&scene.ingest().args("-vv"));
    let begun = Instant::now();
    while scene.milvus.calls("upsert") == 0 {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "it writes nothing"
        );
        std::thread::park_timeout(Duration::from_millis(10));
    }
    child.fill();
    child.signal("-TERM");
    std::thread::park_timeout(Duration::from_millis(200));
    child.signal("-TERM");
    assert_eq!(child.code_within(AT_ONCE), Some(130));
}

/// A command whose standard error is a pipe that is full.
struct Stuck {
    child: Child,
    reader: PipeReader,
    writer: PipeWriter,
}

impl Stuck {
    fn start(run: &Run) -> Self {
        let (reader, writer) = std::io::pipe().unwrap();
        let mut command = run.command();
        let child = command.stderr(writer.try_clone().unwrap()).spawn().unwrap();
        Self {
            child,
            reader,
            writer,
        }
    }

    /// Writes until the pipe takes no more.
    fn fill(&self) {
        let mut writer = self.writer.try_clone().unwrap();
        let filled = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&filled);
        // Ends when the reader goes away.
        std::thread::spawn(move || {
            while writer.write_all(&[b'.'; 512]).is_ok() {
                counted.fetch_add(1, Ordering::Relaxed);
            }
        });
        let mut before = usize::MAX;
        while before != filled.load(Ordering::Relaxed) || before == 0 {
            before = filled.load(Ordering::Relaxed);
            std::thread::park_timeout(Duration::from_millis(100));
        }
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([name, &pid]).status();
        assert!(sent.unwrap().success());
    }

    fn code_within(mut self, limit: Duration) -> Option<i32> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                drop(self.reader);
                return status.code();
            }
            if begun.elapsed() > limit {
                self.child.kill().unwrap();
                panic!("it goes on after {limit:?}");
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }
}
