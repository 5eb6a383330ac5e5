//! A picture with its name, on its way through a run.

use std::path::Path;
use std::sync::Arc;

use super::known::Known;
use crate::catalog::{
    CHANGED, Candidate, FileContent, NamesTable, now_micros, read_file, readable_stem,
    until_settled,
};
use crate::config::ImageLimits;
use crate::entity::{Attributes, ImageRecord, Outcome, Problem, Stage, details_hash};
use crate::store::{HeldRow, MAX_JSON_BYTES, MAX_TEXT_BYTES};

/// A picture to look at.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) candidate: Candidate,
    pub(super) display_name: String,
    pub(super) attributes: Attributes,
    /// Hash of path, name and attributes.
    pub(super) details: i64,
    /// What the collection holds of it.
    pub(super) stored: Option<Stored>,
    /// What it holds of the whole source.
    pub(super) known: Option<Arc<Known>>,
}

/// What the collection holds of a picture that is not the same any more.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) row: HeldRow,
    /// Absolute path at the time of ingest.
    pub(super) path: String,
}

impl Job {
    /// Joins the picture's row of the names table. What Milvus cannot store is
    /// the picture's problem.
    pub(super) fn new(names: Option<&NamesTable>, candidate: Candidate) -> Result<Self, Problem> {
        let Described {
            display_name,
            attributes,
            json_bytes,
        } = describe(names, &candidate);
        let too_long = [
            (
                "display name has",
                display_name.len(),
                MAX_TEXT_BYTES,
                ": shorten it in the names table",
            ),
            ("path has", candidate.path_text.len(), MAX_TEXT_BYTES, ""),
            (
                "attributes have",
                json_bytes,
                MAX_JSON_BYTES,
                ": shorten them in the names table",
            ),
        ]
        .into_iter()
        .find(|(_, bytes, most, _)| bytes > most);
        if let Some((what, bytes, most, remedy)) = too_long {
            return Err(Problem {
                path: candidate.path,
                stage: Stage::Discover,
                reason: format!("its {what} {bytes} bytes, Milvus stores at most {most}{remedy}"),
            });
        }
        Ok(Self {
            details: details_hash(&candidate.path_text, &display_name, &attributes),
            candidate,
            display_name,
            attributes,
            stored: None,
            known: None,
        })
    }

    /// Whether nothing can have changed: the same details, size and time, and a
    /// time that has passed (a clock that runs ahead may show it twice).
    pub(super) fn is_same(&self, row: &HeldRow) -> bool {
        row.details == self.details
            && u64::try_from(row.bytes) == Ok(self.candidate.bytes)
            && row.modified == self.candidate.modified
            && self.candidate.modified <= now_micros()
    }

    /// Whether `row` says all that `record`, of this picture, does.
    pub(super) fn is_stored(&self, row: &HeldRow, record: &ImageRecord) -> bool {
        (row.bytes, row.modified, row.details) == (record.bytes, record.modified, self.details)
    }

    /// Reads the picture: what is to be stored of it, and its bytes.
    pub(super) fn read(&self, limits: &ImageLimits) -> Result<(ImageRecord, Vec<u8>), Outcome> {
        let candidate = &self.candidate;
        let file = read_picture(&candidate.path, candidate.bytes, limits)?;
        let named = ImageRecord {
            id: candidate.id.clone(),
            path: candidate.path_text.clone(),
            display_name: self.display_name.clone(),
            content_hash: String::new(),
            bytes: 0,
            modified: 0,
            attributes: self.attributes.clone(),
        };
        Ok((record_of(&file, named), file.bytes))
    }
}

/// What a picture's row says of it beside its path.
#[derive(Debug)]
pub(super) struct Described {
    pub(super) display_name: String,
    pub(super) attributes: Attributes,
    /// Bytes of the attributes as JSON.
    pub(super) json_bytes: usize,
}

/// Joins the names table; without a row, the file's name is made readable.
pub(super) fn describe(names: Option<&NamesTable>, candidate: &Candidate) -> Described {
    let (name, attributes) = names.map_or((None, None), |names| names.lookup(candidate));
    let attributes = attributes.cloned().unwrap_or_default();
    Described {
        display_name: name.map_or_else(|| readable_stem(&candidate.relative), str::to_owned),
        json_bytes: serde_json::to_string(&attributes).map_or(0, |json| json.len()),
        attributes,
    }
}

/// `named` with what its file says.
pub(super) fn record_of(file: &FileContent, named: ImageRecord) -> ImageRecord {
    ImageRecord {
        content_hash: blake3::hash(&file.bytes).to_hex().to_string(),
        bytes: i64::try_from(file.bytes.len()).unwrap_or(i64::MAX),
        modified: file.modified,
        ..named
    }
}

/// Reads a file that had `bytes` bytes when it was found.
pub(super) fn read_picture(
    path: &Path,
    bytes: u64,
    limits: &ImageLimits,
) -> Result<FileContent, Outcome> {
    let problem = |reason| Problem {
        path: path.to_owned(),
        stage: Stage::Read,
        reason,
    };
    let most = limits.max_file_bytes;
    if bytes > most {
        let reason = format!("the file has {bytes} bytes, --max-file-bytes is {most}");
        return Err(Outcome::Rejected(problem(reason)));
    }
    let file =
        read_file(path, most).map_err(|error| Outcome::Failed(problem(error.to_string())))?;
    // The time that was found is settled, so this is a later one, and may stand
    // for what was written after the reading too.
    if !until_settled(file.modified, now_micros()).is_zero() {
        return Err(Outcome::Failed(problem(CHANGED.to_owned())));
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Source;

    #[test]
    fn a_path_longer_than_its_field_is_rejected() {
        // No system opens such a path; a file of another length stands for it.
        let file = tempfile::NamedTempFile::new().unwrap();
        let source = Source::new(std::path::Path::new("/"), None, true).unwrap();
        let candidate = |bytes: usize| {
            let path = format!("/{}", "a".repeat(bytes - 1));
            let metadata = file.path().metadata().unwrap();
            source.candidate(path.into(), &metadata).unwrap()
        };
        assert!(Job::new(None, candidate(MAX_TEXT_BYTES)).is_ok());
        let problem = Job::new(None, candidate(MAX_TEXT_BYTES + 1)).unwrap_err();
        assert_eq!(
            problem.reason,
            "its path has 65536 bytes, Milvus stores at most 65535"
        );
    }
}
