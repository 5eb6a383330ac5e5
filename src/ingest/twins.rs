//! Pictures with the same content: embedded once, their vector copied.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::entity::{CompactId, ImageId};
use crate::store::ContentKey;

/// Bytes of vectors that are kept at hand. What is under way to Milvus (batches
/// of 8 MiB, four at once) is a part of it, so that a vector that is not here
/// any more can be asked of the collection.
const MOST_BYTES: usize = 64 << 20;

/// Longest wait before a waiting worker looks whether the run was cancelled.
const WAIT: Duration = Duration::from_millis(100);

/// Who embeds a content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Claim {
    /// The caller, who must settle or drop the claim.
    Mine,
    /// Another picture, which is not done yet.
    Pending,
    /// Another picture, which is done.
    Done(ImageId),
}

/// What this run has embedded, by content.
#[derive(Debug, Default)]
pub(super) struct Twins {
    inner: Mutex<Inner>,
    settled: Condvar,
}

#[derive(Debug, Default)]
struct Inner {
    /// `None` while it is being embedded. 39 bytes each.
    claims: HashMap<ContentKey, Option<CompactId>>,
    vectors: HashMap<ContentKey, Arc<[f32]>>,
    order: VecDeque<ContentKey>,
    bytes: usize,
}

impl Twins {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Each change is one insert: a panic between two leaves it whole.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks to embed `content`.
    pub(super) fn claim(&self, content: ContentKey) -> Claim {
        match self.lock().claims.entry(content) {
            std::collections::hash_map::Entry::Vacant(entry) => {
                entry.insert(None);
                Claim::Mine
            }
            std::collections::hash_map::Entry::Occupied(entry) => match entry.get() {
                None => Claim::Pending,
                Some(id) => Claim::Done(ImageId::from_compact(*id)),
            },
        }
    }

    /// The picture `id` has that content, and is embedded.
    pub(super) fn settle(&self, content: ContentKey, id: &ImageId, vector: &[f32]) {
        self.keep(content, vector);
        self.lock().claims.insert(content, id.compact());
        self.settled.notify_all();
    }

    /// It could not be embedded: whoever waits for it may try.
    pub(super) fn give_up(&self, content: ContentKey) {
        self.lock().claims.remove(&content);
        self.settled.notify_all();
    }

    /// Waits a little for a claim to be settled or given up.
    pub(super) fn wait(&self) {
        let waited = self.settled.wait_timeout(self.lock(), WAIT);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// Keeps a vector at hand, and forgets the oldest beyond [`MOST_BYTES`].
    pub(super) fn keep(&self, content: ContentKey, vector: &[f32]) {
        let mut inner = self.lock();
        if inner.vectors.insert(content, vector.into()).is_some() {
            return;
        }
        inner.order.push_back(content);
        inner.bytes += size_of_val(vector);
        while inner.bytes > MOST_BYTES
            && let Some(oldest) = inner.order.pop_front()
        {
            let vector = inner.vectors.remove(&oldest);
            inner.bytes -= vector.map_or(0, |vector| size_of_val(&*vector));
        }
    }

    /// A vector that is at hand.
    pub(super) fn vector(&self, content: ContentKey) -> Option<Arc<[f32]>> {
        self.lock().vectors.get(&content).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_is_embedded_once() {
        let (twins, id) = (Twins::default(), ImageId::new("s", "a.jpg"));
        let content = [7; 16];
        assert_eq!(twins.claim(content), Claim::Mine);
        assert_eq!(twins.claim(content), Claim::Pending);
        twins.settle(content, &id, &[1.0, 2.0]);
        assert_eq!(twins.claim(content), Claim::Done(id));
        assert_eq!(&*twins.vector(content).unwrap(), [1.0, 2.0]);
        twins.give_up(content);
        assert_eq!(twins.claim(content), Claim::Mine);
    }

    #[test]
    fn the_oldest_vectors_are_forgotten() {
        let twins = Twins::default();
        let vector = vec![0.5; 1 << 20];
        for number in 0..20 {
            twins.keep([number; 16], &vector);
        }
        let kept = (0..20).filter(|number| twins.vector([*number; 16]).is_some());
        assert_eq!(kept.collect::<Vec<_>>(), (4..20).collect::<Vec<_>>());
    }
}
