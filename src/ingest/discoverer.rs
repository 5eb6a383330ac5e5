//! First stage: names every picture, in chunks.

use tokio::sync::mpsc;

use super::{PLAN_CHUNK, Run};
use crate::catalog::{Candidate, Entries, Found, Roots, discover};
use crate::entity::Outcome;

pub(super) fn run(
    run: &Run,
    entries: Entries,
    roots: Roots,
    to_plan: &mpsc::Sender<Vec<Candidate>>,
) {
    let _guard = run.cancel.on_panic();
    let mut chunk = Vec::with_capacity(PLAN_CHUNK);
    let mut all = discover(entries, roots);
    loop {
        let Some(found) = all.next() else {
            run.ledger.all_found();
            break;
        };
        if run.cancel.is_cancelled() {
            break;
        }
        run.folders.meet(&found);
        let outcome = match found {
            Found::Image(candidate) => {
                run.ledger.discovered(run.observer.as_ref());
                chunk.push(candidate);
                if chunk.len() == PLAN_CHUNK {
                    send(run, to_plan, std::mem::take(&mut chunk));
                }
                continue;
            }
            Found::Skipped(skip) => {
                run.ledger.skipped(skip);
                continue;
            }
            Found::Rejected(problem) => Outcome::Rejected(problem),
            Found::Failed(problem) => {
                run.ledger.not_seen();
                Outcome::Failed(problem)
            }
        };
        run.ledger.discovered(run.observer.as_ref());
        run.ended(&outcome);
    }
    send(run, to_plan, chunk);
    run.observer.discovery_ended();
}

fn send(run: &Run, to_plan: &mpsc::Sender<Vec<Candidate>>, chunk: Vec<Candidate>) {
    if chunk.is_empty() {
        return;
    }
    // The plan only stops taking chunks when the run is over.
    if let Err(unsent) = to_plan.blocking_send(chunk) {
        for _ in unsent.0 {
            run.ended(&Outcome::Cancelled);
        }
    }
}
