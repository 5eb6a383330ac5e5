//! The collection that a run writes to: there, ours, indexed and loaded.

use super::{IngestError, Observer, Run, Target};
use crate::entity::MetricType;
use crate::store::{ModelMark, Store};

/// What preparation found.
pub(super) struct Ready {
    /// Whether the collection can be asked for what it holds.
    pub(super) exists: bool,
    /// How its index compares vectors.
    pub(super) metric: MetricType,
    /// Which collection of that name it is; `None` where none is written to.
    pub(super) number: Option<i64>,
}

/// Makes sure that the collection is the one that the run began with.
///
/// # Errors
/// It is not: rows that were written are gone, or the server failed.
pub(super) async fn still_there(run: &Run) -> Result<(), IngestError> {
    if run.number.is_some() && run.store.collection_number(&run.collection).await? != run.number {
        let collection = run.collection.clone();
        return Err(IngestError::Replaced { collection });
    }
    Ok(())
}

/// Makes the collection ready: creates it where it is missing, refuses one of
/// another model, creates a missing index, loads it. Each step looks before it
/// acts, so that a run that was killed in between is simply run again.
pub(super) async fn prepare(
    store: &Store,
    target: &Target,
    mark: &ModelMark,
    dimension: usize,
    observer: &dyn Observer,
) -> Result<Ready, IngestError> {
    let name = &target.collection;
    match store.find_collection(name).await? {
        Some(found) => found.require_model(mark, dimension)?,
        None if target.dry_run => {
            observer.note(&format!("the collection `{name}` would be created"));
            return Ok(Ready {
                exists: false,
                metric: target.index.metric,
                number: None,
            });
        }
        None => {
            store.create_collection(name, dimension, mark).await?;
            // Another run may have been quicker, with another model.
            let found = store.require_collection(name).await?;
            found.require_model(mark, dimension)?;
            observer.note(&format!(
                "created the collection `{name}` ({}, {dimension}-d, {}, {})",
                mark.model,
                target.index.kind.as_str(),
                target.index.metric
            ));
        }
    }
    let metric = match store.index(name).await? {
        Some(index) => index.metric,
        None if target.dry_run => target.index.metric,
        None => {
            store.create_index(name, &target.index).await?;
            // Here too.
            let index = store.index(name).await?;
            index.map_or(target.index.metric, |index| index.metric)
        }
    };
    if !store.is_loaded(name).await? {
        if target.dry_run {
            observer.note(&format!(
                "the collection `{name}` is not loaded: what it holds cannot be compared"
            ));
            return Ok(Ready {
                exists: false,
                metric,
                number: None,
            });
        }
        store.load(name).await?;
    }
    let number = if target.dry_run {
        None
    } else {
        store.collection_number(name).await?
    };
    Ok(Ready {
        exists: true,
        metric,
        number,
    })
}
