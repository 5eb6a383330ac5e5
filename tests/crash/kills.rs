//! `ingest` is killed at random moments of its life.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use milvus_image_search::entity::{Entity, ImageId};
use milvus_image_search::store::WholeRow;

use crate::chance::{Chance, kills};
use crate::rows::Rows;
use crate::servers::{Collection, Server, block_on};
use crate::shop::{Shop, State};
use crate::support::{Ran, Run};

/// Tests that kill `ingest`, on both servers: each kills its share.
const TESTS: u64 = 2 * 4;

/// Most kills before a run is left alone.
const IN_A_ROW: u64 = 5;

/// Runs of one kind, killed and not.
struct Scene<'a> {
    server: &'a Server,
    test: &'static str,
    shop: Shop,
    model: &'static str,
    /// More arguments of the runs under test.
    args: &'static str,
    /// Brings a collection to where they begin.
    begin: fn(&Scene, &Collection),
}

impl<'a> Scene<'a> {
    fn new(server: &'a Server, test: &'static str, args: &'static str) -> Self {
        Self {
            server,
            test,
            shop: Shop::new(60),
            model: "pixels",
            args,
            begin: |_, _| {},
        }
    }

    /// Begins with the shop of before in the collection, and that of after on
    /// disk.
    fn after_changes(self) -> Self {
        Self {
            begin: |scene, collection| {
                scene.shop.put(State::Before);
                let first = scene.ingest(collection).args("--batch 4");
                first.run().expect_code(0);
                scene.shop.put(State::After);
            },
            ..self
        }
    }

    /// A run of `ingest` into that collection.
    fn ingest(&self, collection: &Collection) -> Run {
        let run = self
            .shop
            .ingest()
            .args("--quiet --collection")
            .args(&collection.name);
        self.server.run(run.args("--model").args(self.model))
    }

    /// The run under test.
    fn under_test(&self, collection: &Collection) -> Run {
        let run = self.ingest(collection).args("--workers 2 --threads 1");
        run.args(self.args)
    }

    /// A new collection, ready for the run under test.
    fn collection(&self) -> Collection {
        let collection = self.server.collection(self.test);
        (self.begin)(self, &collection);
        collection
    }

    /// Kills runs at random moments, a few in a row; lets the next one live;
    /// and compares. Until the share of kills is reached.
    fn killed_at_random(&self) {
        let engine = if self.server.token.is_some() {
            "standalone"
        } else {
            "lite"
        };
        let mut chance = Chance::of(&format!("{} {engine}", self.test));
        let undisturbed = self.collection();
        let begun = Instant::now();
        self.under_test(&undisturbed).run().expect_code(0);
        let life = begun.elapsed();
        let wanted = Rows::of(&undisturbed);

        let share = kills().div_ceil(TESTS);
        let (mut killed, mut rounds) = (0, 0);
        while killed < share {
            rounds += 1;
            assert!(rounds < 20 * share + 20, "hardly a run is killed");
            let collection = self.collection();
            let mut moments = Vec::new();
            for _ in 0..=chance.below(IN_A_ROW) {
                // Later ones have less to do, and end before a late moment.
                let moment = chance.within(life);
                moments.push(moment);
                let ran = killed_after(moment, &self.under_test(&collection));
                if ran.code.is_some() {
                    ran.expect_code(0);
                    break;
                }
                killed += 1;
            }
            let ran = self.under_test(&collection).run().expect_code(0);
            let story = || {
                let (test, seed) = (self.test, chance.seed());
                format!("{test} on {engine}, CRASH_SEED={seed}, killed after {moments:?}: {ran:?}")
            };
            let difference = Rows::of(&collection).difference(&wanted);
            assert!(difference.is_empty(), "{}\n{difference}", story());
            // What a crash left is all gone: nothing is left to do.
            let again = self.under_test(&collection).run().expect_code(0).json();
            if again.get("unchanged").is_some() {
                assert_eq!(
                    again["unchanged"],
                    again["discovered"],
                    "{again} {}",
                    story()
                );
                assert_eq!(again["pruned"], 0, "{again} {}", story());
            }
        }
        let (test, seed) = (self.test, chance.seed());
        eprintln!(
            "{test} on {engine}: {killed} kills in {rounds} rounds of {} rows, life {life:?}, CRASH_SEED={seed}",
            wanted.len()
        );
    }
}

/// Runs, and kills it after that time, unless it has ended by then.
fn killed_after(moment: Duration, run: &Run) -> Ran {
    let until = Instant::now() + moment;
    let mut under_way = run.start();
    while Instant::now() < until && !under_way.has_ended() {
        std::thread::park_timeout(Duration::from_millis(1));
    }
    under_way.kill()
}

on_both_servers! {
    fn a_first_run(server: &Server) {
        Scene::new(server, "first", "--batch 1 --upsert-bytes 120000").killed_at_random();
    }

    fn a_run_after_changes(server: &Server) {
        let args = "--batch 1 --upsert-bytes 120000 --prune --prune-limit 100";
        Scene::new(server, "changes", args).after_changes().killed_at_random();
    }

    /// A kill changes which pictures come together in a batch.
    fn a_run_after_changes_with_a_network(server: &Server) {
        let args = "--batch 4 --upsert-bytes 4000 --prune --prune-limit 100";
        let scene = Scene {
            model: "lit-b0",
            ..Scene::new(server, "network", args)
        };
        scene.after_changes().killed_at_random();
    }

    fn a_repair(server: &Server) {
        let args = "--batch 16 --upsert-bytes 120000 --verify --repair --sample all --prune-limit 100";
        let scene = Scene {
            begin: spoil,
            ..Scene::new(server, "repair", args)
        };
        scene.killed_at_random();
    }
}

/// Leaves a collection with some of everything that `--repair` mends.
fn spoil(scene: &Scene, collection: &Collection) {
    let server = scene.server;
    scene.shop.put(State::Before);
    scene.ingest(collection).run().expect_code(0);
    let id = |number: u32| ImageId::new("shop", &format!("{number:04}.png"));
    block_on(async {
        let store = server.store().await;
        let name = &collection.name;
        let mut rows = HashMap::new();
        let prefix = ImageId::prefix("shop");
        let reading = store.whole_rows(name, &prefix, 14_400, |row: WholeRow| {
            rows.insert(row.entity.record.id.clone(), row.entity);
        });
        reading.await.unwrap();
        let mut wrong = Vec::new();
        for number in [1, 20, 40] {
            // Another's vector, which only embedding again can tell.
            let other = rows[&id(number + 1)].embedding.clone();
            wrong.push(Entity {
                embedding: other,
                ..rows[&id(number)].clone()
            });
            let mut named = rows[&id(number + 2)].clone();
            named.record.display_name.push('!');
            wrong.push(named);
            let mut timed = rows[&id(number + 3)].clone();
            timed.record.modified += 1;
            wrong.push(timed);
            collection.insert_again(&id(number + 4)).await;
        }
        let written = store.upsert(name, &wrong).await;
        assert!(written.faults.is_empty(), "{written:?}");
        let missing = [id(10), id(30), id(50)];
        store.delete_rows(name, &missing).await.unwrap();
    });
    for number in [15, 35, 55] {
        scene.shop.lose(number);
    }
}
