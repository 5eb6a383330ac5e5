//! Random faults, one after the other, against a model of what must come of
//! them: the ledger balances, and the rows are the model's.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::fake::Fault;
use crate::scene::{Scene, counts_of};

/// Pictures of a run.
const PICTURES: usize = 30;

/// Rows of one message.
const BATCH: usize = 2;

/// Times that a row is sent which the server leaves out.
const PART_TRIES: usize = 5;

/// Mostly faults that pass; few that take a second, few that end the run.
fn fault() -> impl Strategy<Value = Option<Fault>> {
    prop_oneof![
        8 => Just(None),
        4 => Just(Some(Fault::Unavailable)),
        4 => Just(Some(Fault::RateLimit)),
        4 => Just(Some(Fault::CutBefore)),
        4 => Just(Some(Fault::CutAfter)),
        8 => prop_oneof![Just(vec![0]), Just(vec![1]), Just(vec![0, 1])]
            .prop_map(|rows| Some(Fault::Partial(rows))),
        1 => Just(Some(Fault::Unanswered)),
        1 => Just(Some(Fault::Quota)),
        1 => Just(Some(Fault::Expired)),
        1 => Just(Some(Fault::Altered)),
        1 => Just(Some(Fault::Dropped)),
    ]
}

/// What must come of a schedule.
#[derive(Debug, Default)]
struct Model {
    /// Pictures whose rows the server holds.
    rows: BTreeSet<usize>,
    /// Pictures that the run says it wrote.
    upserted: u64,
    failed: u64,
    ended: bool,
}

impl Model {
    fn of(schedule: &[Option<Fault>]) -> Self {
        let mut model = Self::default();
        let mut faults = schedule.iter().cloned();
        let pictures: Vec<usize> = (0..PICTURES).collect();
        for batch in pictures.chunks(BATCH) {
            model.write(batch.to_vec(), &mut faults);
            if model.ended {
                break;
            }
        }
        model
    }

    fn write(&mut self, mut batch: Vec<usize>, faults: &mut impl Iterator<Item = Option<Fault>>) {
        let sent = batch.len() as u64;
        let mut refusals = 0;
        while !batch.is_empty() {
            match faults.next().flatten() {
                None => self.rows.extend(std::mem::take(&mut batch)),
                Some(Fault::CutAfter | Fault::Unanswered) => self.rows.extend(&batch),
                Some(Fault::Partial(places)) => {
                    let (left, written): (Vec<_>, Vec<_>) = (0u32..)
                        .zip(&batch)
                        .partition(|(place, _)| places.contains(place));
                    self.rows
                        .extend(written.iter().map(|(_, picture)| **picture));
                    batch = left.iter().map(|(_, picture)| **picture).collect();
                    refusals += usize::from(!batch.is_empty());
                    if refusals == PART_TRIES {
                        break;
                    }
                }
                Some(Fault::Expired | Fault::Altered) => {
                    self.ended = true;
                    break;
                }
                Some(Fault::Dropped) => {
                    self.rows.clear();
                    self.ended = true;
                    break;
                }
                Some(_) => {}
            }
        }
        self.failed += batch.len() as u64;
        self.upserted += sent - batch.len() as u64;
    }

    fn code(&self) -> i32 {
        match self {
            Self { ended: true, .. } => 1,
            Self { failed: 1.., .. } => 3,
            _ => 0,
        }
    }
}

/// What a run asks for once it knows that a Milvus is there.
const METHODS: [&str; 11] = [
    "connect",
    "describe_collection",
    "create_collection",
    "create_index",
    "describe_index",
    "load_collection",
    "get_load_state",
    "query",
    "upsert",
    "flush",
    "delete",
];

/// Faults that pass by themselves, whatever was asked.
fn passing() -> impl Strategy<Value = Option<Fault>> {
    prop_oneof![
        4 => Just(None),
        2 => Just(Some(Fault::Unavailable)),
        2 => Just(Some(Fault::RateLimit)),
        2 => Just(Some(Fault::CutBefore)),
        2 => Just(Some(Fault::CutAfter)),
        1 => Just(Some(Fault::Unanswered)),
    ]
}

/// Whatever is asked may fail for a while: a first run, and one that prunes what
/// is gone, end as if nothing had happened.
#[test]
fn faults_that_pass_leave_nothing_behind() {
    let config = Config {
        cases: 8,
        max_shrink_iters: 32,
        failure_persistence: None,
        ..Config::default()
    };
    let schedules = || METHODS.map(|_| proptest::collection::vec(passing(), 0..4));
    let runs = (schedules(), schedules(), 0..6_u64);
    let checked = TestRunner::new(config).run(&runs, |(first, second, lost)| {
        let scene = Scene::new(6);
        let schedule = |scene: &Scene, faults: [Vec<Option<Fault>>; METHODS.len()]| {
            for (method, faults) in METHODS.into_iter().zip(faults) {
                scene.milvus.schedule(method, faults);
            }
        };
        let pace = "--timeout 1 --retry-max-wait 1";
        schedule(&scene, first);
        let ran = scene.ingest().args(pace).run();
        prop_assert_eq!(ran.code, Some(0), "{}", ran.text(&[]));
        prop_assert_eq!(counts_of(&ran)["upserted"], 6);
        scene.expect_rows();

        for number in 0..lost {
            scene.lose(number);
        }
        schedule(&scene, second);
        let prune = "--prune --prune-limit 100";
        let ran = scene.ingest().args(pace).args(prune).run();
        prop_assert_eq!(ran.code, Some(0), "{}", ran.text(&[]));
        prop_assert_eq!(counts_of(&ran)["unchanged"], 6 - lost);
        prop_assert_eq!(&ran.json()["pruned"], lost, "{}", ran.text(&[]));
        let rows: Vec<String> = scene.rows().into_keys().collect();
        let left = (lost..6).map(|n| format!("picture-{n:02}.png"));
        prop_assert_eq!(rows, left.collect::<Vec<_>>());
        Ok(())
    });
    if let Err(error) = checked {
        panic!("{error}");
    }
}

#[test]
fn the_ledger_balances_and_the_rows_are_the_models() {
    let config = Config {
        cases: 16,
        max_shrink_iters: 32,
        failure_persistence: None,
        ..Config::default()
    };
    let schedules = proptest::collection::vec(fault(), 0..24);
    let checked = TestRunner::new(config).run(&schedules, |schedule| {
        let model = Model::of(&schedule);
        let scene = Scene::new(PICTURES as u64);
        scene.milvus.schedule("upsert", schedule);
        let run = scene.ingest().args("--timeout 1 --retry-max-wait 1");
        let ran = run.run();
        prop_assert_eq!(ran.code, Some(model.code()), "{}", ran.text(&[]));
        let counts = counts_of(&ran);
        let count = |name: &str| counts.get(name).copied().unwrap_or(0);
        prop_assert_eq!(count("upserted"), model.upserted, "{}", ran.text(&[]));
        prop_assert_eq!(count("failed"), model.failed, "{}", ran.text(&[]));
        let rows: Vec<String> = scene.rows().into_keys().collect();
        let expected = model.rows.iter().map(|n| format!("picture-{n:02}.png"));
        prop_assert_eq!(rows, expected.collect::<Vec<_>>());

        scene.milvus.schedule("upsert", []);
        let again = run.run();
        prop_assert_eq!(again.code, Some(0), "{}", again.text(&[]));
        scene.expect_rows();
        Ok(())
    });
    if let Err(error) = checked {
        panic!("{error}");
    }
}
