//! `--check`: all that can fail before the first picture is decoded, looked at
//! without writing a row.
//!
//! Nothing is created, loaded or changed, on the server or on disk. A finding
//! ends nothing: a server that is away does not hide a file that is missing.
//! An error is what would make the run stop or leave pictures out; so a check
//! without errors promises a run that ends well, as far as can be known.

mod collection;
mod disk;
mod finding;
mod machine;
mod neighbours;
mod pictures;
mod server;

use std::path::PathBuf;

pub use finding::{Finding, Findings, Level};

use super::Target;
use crate::catalog::{Entries, NamesOptions, Roots};
use crate::config::{Connection, ImageLimits};
use crate::entity::MetricType;
use crate::model::{Model, ModelDirs};

/// What a run would be given.
pub struct Check {
    /// Where the pictures go.
    pub target: Target,
    /// Metric that was asked for by name; `None` where it is the default.
    pub metric: Option<MetricType>,
    /// Index type that was asked for by name.
    pub index: Option<&'static str>,
    /// How to reach the server; `None` where that is known to be wrong.
    pub connection: Option<Connection>,
    /// Where models are looked for.
    pub dirs: ModelDirs,
    /// The model that was asked for.
    pub model: Option<String>,
    /// The one where neither the user nor the collection names any.
    pub default_model: &'static str,
    /// Memory of the workers that would run that model.
    pub memory: Box<dyn Fn(&Model) -> Memory>,
    /// Folders, files and lists; `None` where they are known to be wrong.
    pub entries: Option<Entries>,
    /// How they become sources.
    pub roots: Roots,
    /// The names table.
    pub names: Option<(PathBuf, NamesOptions)>,
    /// Bounds on a single file.
    pub limits: ImageLimits,
    /// The file of rejects.
    pub rejects: Option<PathBuf>,
}

impl std::fmt::Debug for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Check")
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}

/// Memory, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// Workers that would run.
    pub workers: usize,
    /// What they take together, by estimate.
    pub needed: u64,
    /// What can be had without swapping; `None` where the system does not tell.
    pub free: Option<u64>,
}

impl Check {
    /// Looks at everything, and adds what it finds. Returns the name of the
    /// model that would embed, where that is known.
    pub async fn run(self, findings: &mut Findings) -> Option<String> {
        let store = match &self.connection {
            Some(connection) => server::check(findings, connection).await,
            None => None,
        };
        let shape = match &store {
            Some(store) => collection::look(findings, store, &self.target.collection).await,
            None => collection::Looked::Unknown,
        };
        let model = machine::model(findings, &self, &shape);
        // The estimate goes by the size of the files.
        if let Some(examined) = model.as_ref().filter(|examined| examined.mark.is_some()) {
            machine::memory(findings, (self.memory)(&examined.model));
        }
        let readable = match &store {
            Some(store) => collection::check(findings, &self, store, &shape, model.as_ref()).await,
            None => false,
        };
        let limits = shape.limits();
        if store.as_ref().is_some_and(|store| store.server().lite) {
            machine::turns(findings);
        }
        if let Some(rejects) = &self.rejects {
            machine::rejects(findings, rejects);
        }
        let dimension = model.as_ref().map(|e| e.model.manifest.dimension);
        let model = model.map(|examined| examined.model.manifest.name);
        let collection = self.target.collection.clone();
        let names = self.names.as_ref();
        let names = names.and_then(|given| pictures::names(findings, given));
        let rejects = self.rejects.clone();
        if let Some(given) = self.pictures(limits) {
            let walked = pictures::check(findings, given, names.as_ref());
            if let Some(dimension) = dimension {
                disk::rows(findings, walked.pictures, dimension);
            }
            if let Some(rejects) = rejects {
                disk::rejects(findings, walked.entries, &rejects);
            }
            let sample = walked.sample;
            // Only rows that can be read can be compared with.
            if let Some(store) = store.filter(|_| readable) {
                neighbours::check(findings, &store, &collection, &sample).await;
            }
        }
        model
    }
}
