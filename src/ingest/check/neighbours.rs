//! Other pictures in the collection that these ones would overwrite.

use std::collections::HashMap;
use std::path::Path;

use super::finding::{Few, Findings, amount};
use super::pictures::Sample;
use crate::catalog::Candidate;
use crate::entity::{ImageId, chain};
use crate::store::{Store, StoreError};

const REMEDY: &str = "give one of the folders a --source name of its own";

/// What was found of the pictures that were looked up.
#[derive(Default)]
struct Looked {
    up: u64,
    held: u64,
    /// Certainly another picture: of another size.
    others: Few,
    /// Of the same size: another picture, or a copy.
    doubtful: Few,
}

/// Whether the collection holds other pictures under the same source name and
/// relative paths, from a folder that still exists.
pub(super) async fn check(
    findings: &mut Findings,
    store: &Store,
    collection: &str,
    sample: &Sample,
) {
    let mut looked = Looked::default();
    for candidates in sample.values() {
        if let Err(error) = looked.look(store, collection, candidates).await {
            let found = format!("not checked what the collection holds: {}", chain(&error));
            findings.warning("sources", found, "run it again once the server is well");
            return;
        }
    }
    looked.tell(findings);
}

impl Looked {
    async fn look(
        &mut self,
        store: &Store,
        collection: &str,
        candidates: &[Candidate],
    ) -> Result<(), StoreError> {
        let ids: Vec<ImageId> = candidates.iter().map(|c| c.id.clone()).collect();
        let paths = store.held_paths(collection, &ids).await?;
        let rows = store.held_rows_of(collection, &ids).await?;
        self.up += ids.len() as u64;
        self.held += rows.len() as u64;
        let by_id: HashMap<&ImageId, &Candidate> = candidates.iter().map(|c| (&c.id, c)).collect();
        for (id, stored) in &paths {
            let (Some(candidate), Some(row)) = (by_id.get(id), rows.get(id)) else {
                continue;
            };
            if *stored == candidate.path_text || !Path::new(stored).exists() {
                continue;
            }
            let few = if u64::try_from(row.bytes) == Ok(candidate.bytes) {
                &mut self.doubtful
            } else {
                &mut self.others
            };
            few.add(|| format!("{} beside {stored}", candidate.path_text));
        }
        Ok(())
    }

    fn tell(&self, findings: &mut Findings) {
        let Self { up, held, .. } = self;
        let (others, doubtful) = (&self.others, &self.doubtful);
        if others.count > 0 {
            let found = format!(
                "of {} looked up, {} would be rejected: the collection holds another under the same source name and relative path: {}",
                amount(*up, "picture"),
                others.count,
                others.list()
            );
            findings.error("sources", found, REMEDY);
        }
        if doubtful.count > 0 {
            let found = format!(
                "of {} looked up, the collection holds {} from another folder that still exists, of the same size: {}; one whose content differs would be rejected",
                amount(*up, "picture"),
                doubtful.count,
                doubtful.list()
            );
            findings.warning("sources", found, REMEDY);
        }
        if others.count + doubtful.count == 0 && *up > 0 {
            let found = format!(
                "of {} looked up, the collection holds {held}, none from another folder",
                amount(*up, "picture")
            );
            findings.ok("sources", found);
        }
    }
}
