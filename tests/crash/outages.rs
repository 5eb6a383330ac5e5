//! Milvus is killed at random moments of a run, and started again: the run
//! waits for it, and nothing is lost. Or the run dies with it.

use std::time::{Duration, Instant};

use milvus_image_search::config::{IndexKind, IndexSettings};
use milvus_image_search::entity::{Attributes, Entity, ImageId, ImageRecord, MetricType};
use milvus_image_search::store::ModelMark;

use crate::chance::{Chance, kills};
use crate::own::OwnServer;
use crate::rows::Rows;
use crate::servers::{Collection, block_on};
use crate::shop::{Shop, State};
use crate::support::Run;

/// What is killed, and in which run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Round {
    /// Milvus, in a run after changes; it stays away for long.
    Long,
    /// Milvus, in a first run.
    First,
    /// Milvus and `ingest`, in a run after changes.
    Both,
}

struct Scene {
    own: OwnServer,
    shop: Shop,
    chance: Chance,
}

impl Scene {
    fn new(own: OwnServer, test: &str) -> Self {
        Self {
            own,
            // More than are planned at once: rows are read in mid-run too.
            shop: Shop::new(300),
            chance: Chance::of(test),
        }
    }

    fn ingest(&self, collection: &Collection) -> Run {
        let run = self.shop.ingest().args("--model pixels --collection");
        let run = run.args(&collection.name).args("--prune --prune-limit 100");
        self.own.server.run(run)
    }

    /// One row in a message, so that the run takes its time.
    fn under_test(&self, collection: &Collection) -> Run {
        let pace = "-v --batch 1 --upsert-bytes 60000 --retry-for 300 --retry-max-wait 1";
        self.ingest(collection).args(pace)
    }

    /// A collection at the beginning of a run.
    fn collection(&self, round: Round) -> Collection {
        let collection = self.own.server.collection("outage");
        if round != Round::First {
            self.shop.put(State::Before);
            self.ingest(&collection).run().expect_code(0);
            self.shop.put(State::After);
        }
        collection
    }

    /// What a run leaves that nobody disturbs, and how long it takes.
    fn undisturbed(&self, round: Round) -> (Rows, Duration) {
        let collection = self.collection(round);
        let begun = Instant::now();
        self.under_test(&collection).run().expect_code(0);
        (Rows::of(&collection), begun.elapsed())
    }

    fn killed_at_random(&mut self) {
        let (wanted, life_after_changes) = self.undisturbed(Round::Both);
        let (first, first_life) = self.undisturbed(Round::First);
        assert_eq!(first.difference(&wanted), "", "synchronised, and new");
        let rounds = [Round::Long, Round::First, Round::Both];
        let mut left = rounds.repeat(usize::try_from(kills().div_ceil(50)).unwrap());
        while let Some(&round) = left.last() {
            let life = match round {
                Round::First => first_life,
                Round::Long | Round::Both => life_after_changes,
            };
            let moment = self.chance.within(life);
            let seed = self.chance.seed();
            let story = format!("{round:?} after {moment:?} of {life:?}, CRASH_SEED={seed}");
            let collection = self.collection(round);
            let mut under_way = self.under_test(&collection).start();
            // A server that is not there when a run begins is not waited for.
            under_way.wait_for("the connection", |said| said.contains("connected"));
            std::thread::park_timeout(moment);
            if under_way.has_ended() {
                under_way.finish().expect_code(0);
                continue;
            }
            left.pop();
            self.own.kill();
            let ran = match round {
                Round::Both => {
                    under_way.kill();
                    self.own.up();
                    self.under_test(&collection).run()
                }
                Round::Long => {
                    under_way.wait_for("the pause", |said| said.contains("Ctrl-C stops"));
                    self.own.up();
                    under_way.finish()
                }
                Round::First => {
                    self.own.up();
                    under_way.finish()
                }
            };
            assert_eq!(ran.code, Some(0), "{story}: {ran:?}");
            if round == Round::Long {
                assert!(
                    ran.stderr.contains("answers again: going on"),
                    "{story}: {ran:?}"
                );
            }
            let difference = Rows::of(&collection).difference(&wanted);
            assert!(difference.is_empty(), "{story}: {ran:?}\n{difference}");
            eprintln!("{story}: {} rows as they were", wanted.len());
        }
    }
}

#[test]
fn lite_is_killed_in_mid_run() {
    Scene::new(OwnServer::lite(), "lite").killed_at_random();
}

#[test]
fn standalone_is_killed_in_mid_run() {
    Scene::new(OwnServer::standalone(), "standalone").killed_at_random();
}

/// Lite opens a collection anew for each of the requests that come together
/// after its start, and forgets what was written to all of these but the last.
#[test]
fn lite_keeps_what_is_written_right_after_a_start() {
    let own = OwnServer::lite_beside();
    let collection = own.server.collection("start");
    let name = &collection.name;
    let row = |number: u32| Entity {
        record: ImageRecord {
            id: ImageId::new("shop", &number.to_string()),
            path: format!("/shop/{number}.png"),
            display_name: String::new(),
            content_hash: "0".repeat(64),
            bytes: 1,
            modified: 1,
            attributes: Attributes::default(),
        },
        embedding: vec![0.5; 64],
    };
    block_on(async {
        let store = own.server.store().await.with_reloads();
        let mark = ModelMark {
            model: "none".to_owned(),
            fingerprint: "none".to_owned(),
        };
        store.create_collection(name, 64, &mark).await.unwrap();
        let index = IndexSettings {
            kind: IndexKind::Flat,
            metric: MetricType::Cosine,
        };
        store.create_index(name, &index).await.unwrap();
        // Enough that opening takes its time.
        for thousand in 0..10 {
            let rows: Vec<Entity> = (0..1000).map(|n| row(thousand * 1000 + n)).collect();
            assert!(store.upsert(name, &rows).await.faults.is_empty());
        }
        for number in 10_000..10_004 {
            own.kill();
            own.up();
            let (new, old) = ([row(number)], [row(1).record.id]);
            let ids = [new[0].record.id.clone()];
            let read = || store.held_paths(name, &old);
            let (written, ..) =
                tokio::join!(store.upsert(name, &new), read(), read(), read(), read());
            assert!(written.faults.is_empty(), "{written:?}");
            let held = store.held_paths(name, &ids).await.unwrap();
            assert_eq!(held.len(), 1, "{number} is lost");
        }
    });
}
