//! `ingest --verify [--repair]`: the collection against the disk.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;

use super::failure::{Exit, Failure};
use super::ingest::{Session, Settings, unless_unread};
use super::ingest_args::{IngestArgs, SummaryFormat};
use super::ingest_verify_report::{Repair, View, write_json, write_text};
use super::progress::Progress;
use super::terminal::{self, complain, tell};
use crate::catalog::Source;
use crate::ingest::{Pictures, Prune, Target, Verification, VerifyTarget};

/// Compares, and repairs where asked.
pub(super) async fn run(
    args: &IngestArgs,
    mut session: Session,
    settings: &Settings,
    pictures: Pictures,
) -> Result<Exit, Failure> {
    let target = VerifyTarget {
        collection: settings.target.collection.clone(),
        sources: sources(args, settings)?,
        sample: args.comparing.sample,
    };
    let found = session.verify(&target, pictures).await?;
    let done = found.is_clean() || found.interrupted;
    let Some(prune) = settings.target.prune.filter(|_| !done) else {
        let rejects = session.observer.finish();
        let printed = print(args, &session, &target, (&found, None));
        let exit = exit(&found);
        return rejects.and(unless_unread(printed)).map(|()| exit);
    };
    if args.format == SummaryFormat::Text {
        unless_unread(print(args, &session, &target, (&found, None)))?;
    }
    let repaired = session.repair(args, settings, &found, prune).await;
    let repair = match repaired {
        Ok(repair) => repair,
        Err(failure) => {
            session.observer.finish()?;
            if args.format == SummaryFormat::Json {
                unless_unread(print(args, &session, &target, (&found, None)))?;
            }
            return Err(failure);
        }
    };
    if !args.common.quiet {
        tell(&repair.line());
    }
    session.observer.restart();
    let pictures = settings.pictures(args, true)?;
    let left = session.verify(&target, pictures).await?;
    let rejects = session.observer.finish();
    let printed = print(args, &session, &target, (&left, Some(&repair)));
    let mut exit = exit(&left);
    if let Some(fatal) = repair.report.fatal {
        complain(&fatal.into());
        exit = Exit::Failed;
    }
    rejects.and(unless_unread(printed)).map(|()| exit)
}

impl Session {
    async fn verify(
        &mut self,
        target: &VerifyTarget,
        pictures: Pictures,
    ) -> Result<Verification, Failure> {
        let observer = Arc::<Progress>::clone(&self.observer);
        let verify = self.ingest.verify(target, pictures, observer, &self.cancel);
        Ok(verify.await?)
    }

    /// Deletes what is wrong, and lets an ordinary run write it.
    async fn repair(
        &mut self,
        args: &IngestArgs,
        settings: &Settings,
        found: &Verification,
        prune: Prune,
    ) -> Result<Repair, Failure> {
        let collection = &settings.target.collection;
        let deleted = self.ingest.clear(collection, found, prune, &self.cancel);
        let deleted = deleted.await?;
        self.observer.restart();
        let target = Target {
            collection: collection.clone(),
            index: settings.target.index.clone(),
            dry_run: false,
            prune: None,
        };
        let report = self.ingest(target, settings.pictures(args, true)?).await?;
        Ok(Repair { deleted, report })
    }
}

fn sources(args: &IngestArgs, settings: &Settings) -> Result<Vec<Source>, Failure> {
    let source = |folder: &Path| {
        let root = settings.roots.root.as_deref().unwrap_or(folder);
        Source::new(root, settings.roots.name.as_deref(), true)
            .with_context(|| format!("cannot look at {}", folder.display()))
            .map_err(|error| Failure::new(error, "check the path, and that its disk is mounted"))
    };
    args.paths.iter().map(|folder| source(folder)).collect()
}

fn print(
    args: &IngestArgs,
    session: &Session,
    target: &VerifyTarget,
    (verification, repair): (&Verification, Option<&Repair>),
) -> Result<(), Failure> {
    let view = View {
        collection: &target.collection,
        model: &session.model,
        verification,
        repair,
        repairs: args.comparing.repair,
    };
    match args.format {
        SummaryFormat::Json => terminal::print(|out| write_json(&view, out)),
        SummaryFormat::Text if args.common.quiet => Ok(()),
        SummaryFormat::Text => terminal::print(|out| write_text(&view, out)),
    }
}

fn exit(verification: &Verification) -> Exit {
    match (verification.interrupted, verification.is_clean()) {
        (true, _) => Exit::Interrupted,
        (false, true) => Exit::Done,
        (false, false) => Exit::Incomplete,
    }
}
