//! The pictures: named, counted and measured, none of them decoded.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::Check;
use super::finding::{Few, Findings, amount, megabytes};
use crate::catalog::{
    Candidate, Entries, Found, NamesOptions, NamesTable, Roots, Skip, SourceName, discover,
};
use crate::config::ImageLimits;
use crate::ingest::job::{Described, describe};
use crate::store::{MAX_JSON_BYTES, TextLimits};

/// Pictures of a source that are looked up in the collection.
const SAMPLE: usize = 256;

/// Sources that are looked up.
const SOURCES: usize = 16;

/// The text that no names table holds.
const PATH: &str = "path";

/// What is looked at.
pub(super) struct Given {
    entries: Entries,
    roots: Roots,
    limits: ImageLimits,
    texts: TextLimits,
}

/// Some pictures of each source.
pub(super) type Sample = HashMap<SourceName, Vec<Candidate>>;

impl Check {
    /// What of this concerns the pictures.
    pub(super) fn pictures(self, texts: TextLimits) -> Option<Given> {
        Some(Given {
            entries: self.entries?,
            roots: self.roots,
            limits: self.limits,
            texts,
        })
    }
}

/// A names table and its file.
pub(super) type Names = (PathBuf, NamesTable);

/// What there is to ingest.
pub(super) struct Walked {
    /// Some of it.
    pub(super) sample: Sample,
    /// Pictures that would be stored.
    pub(super) pictures: u64,
    /// Everything that would have an outcome.
    pub(super) entries: u64,
}

/// Walks the sources, and measures what would be stored.
pub(super) fn check(findings: &mut Findings, given: Given, names: Option<&Names>) -> Walked {
    let mut walk = Walk {
        names,
        most_bytes: given.limits.max_file_bytes,
        tally: Tally::default(),
        lengths: [
            Length::new(PATH, given.texts.path),
            Length::new("display name", given.texts.display_name),
            Length::new("attributes", MAX_JSON_BYTES),
        ],
        sample: Sample::new(),
    };
    for found in discover(given.entries, given.roots) {
        walk.look(found);
    }
    walk.tally
        .tell(findings, given.limits.max_file_bytes, &walk.sample);
    for length in &walk.lengths {
        length.tell(findings);
    }
    if walk.lengths.iter().all(|length| length.over.count == 0) {
        let longest = walk.lengths.each_ref().map(Length::longest);
        findings.ok(
            "lengths",
            format!("the longest in bytes: {}", longest.join(", ")),
        );
    }
    if let Some((path, table)) = names {
        unused(findings, path, table);
    }
    let tally = &walk.tally;
    Walked {
        pictures: tally.pictures,
        entries: tally.pictures + tally.rejected.count + tally.unreadable.count,
        sample: walk.sample,
    }
}

struct Walk<'a> {
    names: Option<&'a Names>,
    most_bytes: u64,
    tally: Tally,
    lengths: [Length; 3],
    sample: Sample,
}

impl Walk<'_> {
    fn look(&mut self, found: Found) {
        let tally = &mut self.tally;
        let (few, problem) = match found {
            Found::Image(candidate) => return self.measure(candidate),
            Found::Skipped(Skip::Hidden) => {
                tally.hidden += 1;
                return;
            }
            Found::Skipped(Skip::NotAnImage) => {
                tally.others += 1;
                return;
            }
            Found::Rejected(problem) => (&mut tally.rejected, problem),
            Found::Failed(problem) => (&mut tally.unreadable, problem),
        };
        few.add(|| format!("{}: {}", problem.path.display(), problem.reason));
    }

    fn measure(&mut self, candidate: Candidate) {
        self.tally.pictures += 1;
        self.tally.bytes += candidate.bytes;
        if candidate.bytes > self.most_bytes {
            let of = || format!("{}: {} bytes", candidate.path_text, candidate.bytes);
            self.tally.too_large.add(of);
        }
        let Described {
            display_name,
            json_bytes,
            ..
        } = describe(self.names.map(|(_, table)| table), &candidate);
        let bytes = [candidate.path_text.len(), display_name.len(), json_bytes];
        for (length, bytes) in self.lengths.iter_mut().zip(bytes) {
            // Where it is to be mended: in the table, or the file's own name.
            let what = length.what;
            length.add(bytes, || {
                let row = self.names.filter(|_| what != PATH);
                let row = row.and_then(|(path, table)| Some((path, table.line_of(&candidate)?)));
                match row {
                    Some((path, line)) => format!(
                        "{}:{line}: {bytes} bytes, of {}",
                        path.display(),
                        candidate.relative
                    ),
                    None => format!("{}: {bytes} bytes", candidate.path_text),
                }
            });
        }
        let sources = self.sample.len();
        if sources < SOURCES || self.sample.contains_key(&candidate.source) {
            let sample = self.sample.entry(candidate.source.clone()).or_default();
            if sample.len() < SAMPLE {
                sample.push(candidate);
            }
        }
    }
}

/// What was found of entries.
#[derive(Default)]
struct Tally {
    pictures: u64,
    bytes: u64,
    hidden: u64,
    others: u64,
    too_large: Few,
    rejected: Few,
    unreadable: Few,
}

impl Tally {
    fn tell(&self, findings: &mut Findings, most_bytes: u64, sample: &Sample) {
        let (hidden, others) = (self.hidden, self.others);
        let passed = match hidden + others {
            0 => String::new(),
            _ => format!("; passed over: {hidden} hidden, {others} not pictures"),
        };
        if self.pictures == 0 {
            findings.warning(
                "pictures",
                format!("none was found{passed}"),
                "name the folder that holds them, and see that its disk is mounted",
            );
        } else {
            let pictures = amount(self.pictures, "picture");
            let (bytes, of) = (megabytes(self.bytes), of_sources(sample));
            findings.ok("pictures", format!("{pictures}, {bytes}{of}{passed}"));
        }
        let unreadable = self.unreadable.count;
        if unreadable > 0 {
            findings.error(
                "pictures",
                format!("{unreadable} cannot be read: {}", self.unreadable.list()),
                "check the paths, their permissions, and that their disk is mounted",
            );
        }
        if self.rejected.count > 0 {
            findings.error(
                "pictures",
                format!(
                    "{} would be rejected: {}",
                    self.rejected.count,
                    self.rejected.list()
                ),
                "do what each asks for, or move it out of the folder",
            );
        }
        if self.too_large.count > 0 {
            let (count, list) = (self.too_large.count, self.too_large.list());
            findings.error(
                "pictures",
                format!("{count} have more than --max-file-bytes {most_bytes}: {list}"),
                "raise --max-file-bytes, or make them smaller",
            );
        }
    }
}

fn of_sources(sample: &Sample) -> String {
    let mut names = sample.keys().map(|source| &*source.name);
    match (sample.len(), names.next()) {
        (1, Some(name)) => format!(", of the source `{name}`"),
        (SOURCES, _) => format!(", of {SOURCES} sources or more"),
        (sources, _) => format!(", of {sources} sources"),
    }
}

/// How long one of a row's texts is, over all pictures.
struct Length {
    what: &'static str,
    /// Bytes that the collection takes.
    most: usize,
    longest: usize,
    over: Few,
}

impl Length {
    fn new(what: &'static str, most: usize) -> Self {
        Self {
            what,
            most,
            longest: 0,
            over: Few::default(),
        }
    }

    fn add(&mut self, bytes: usize, example: impl FnOnce() -> String) {
        self.longest = self.longest.max(bytes);
        if bytes > self.most {
            self.over.add(example);
        }
    }

    fn longest(&self) -> String {
        format!("{} {} of {}", self.what, self.longest, self.most)
    }

    fn tell(&self, findings: &mut Findings) {
        if self.over.count == 0 {
            return;
        }
        let found = format!(
            "{} of {} longer than the collection's {} bytes: {}",
            amount(self.over.count, "picture"),
            match self.what {
                "attributes" => "attributes".to_owned(),
                what => format!("a {what}"),
            },
            self.most,
            self.over.list()
        );
        findings.error("lengths", found, "shorten them: such pictures are rejected");
    }
}

fn at(path: &Path, line: u64, what: &str) -> String {
    format!("{}:{line}: {what}", path.display())
}

/// Reads the names table, and says which rows are of no use.
pub(super) fn names(
    findings: &mut Findings,
    (path, options): &(PathBuf, NamesOptions),
) -> Option<Names> {
    let table = match NamesTable::read(path, options) {
        Ok(table) => table,
        Err(error) => {
            findings.fault("names", &error);
            return None;
        }
    };
    let mut bad = Few::default();
    for row in &table.bad_rows {
        bad.add(|| at(path, row.line, &row.reason));
    }
    if bad.count > 0 {
        findings.warning(
            "names",
            format!(
                "{} cannot be used: {}",
                amount(bad.count, "row"),
                bad.list()
            ),
            "mend them: without its row a picture is called by its file's name",
        );
    }
    let (rows, name, key) = (table.len() as u64, &table.name_column, &table.key_column);
    let rows = amount(rows, "row");
    let mended = match table.mended_rows {
        0 => String::new(),
        mended => format!(
            "; {} with unquoted separators, mended",
            amount(mended, "row")
        ),
    };
    let found = format!("{rows}, joined by `{key}`, with names from `{name}`{mended}");
    findings.ok("names", found);
    Some((path.clone(), table))
}

/// Rows that no picture was found for.
fn unused(findings: &mut Findings, path: &Path, table: &NamesTable) {
    let first = table.unused_rows(Few::MOST);
    let mut rows = Few::default();
    for row in 0..table.unused() {
        rows.add(|| {
            first
                .get(row)
                .map_or_else(String::new, |(line, key)| at(path, *line, key))
        });
    }
    if rows.count > 0 {
        findings.warning(
            "names",
            format!(
                "{} without a picture: {}",
                amount(rows.count, "row"),
                rows.list()
            ),
            "check --names-key: it names the column with the paths, file names or stems",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::check::Level;

    const JPEG: &[u8] = &[0xFF, 0xD8, 0xFF, 0xE0, 0, 0];

    /// Findings of a folder with `files`, held against `path` bytes.
    fn findings(files: &[&str], names: Option<&str>, path: usize) -> (Vec<String>, usize) {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("shop");
        std::fs::create_dir(&root).unwrap();
        for file in files {
            std::fs::write(root.join(file), JPEG).unwrap();
        }
        let table = dir.path().join("names.csv");
        std::fs::write(&table, names.unwrap_or_default()).unwrap();
        let given = Given {
            entries: Entries::new(vec![root.clone()], None),
            roots: Roots::default(),
            limits: ImageLimits {
                max_file_bytes: 5,
                ..ImageLimits::default()
            },
            texts: TextLimits {
                path,
                display_name: 10,
                ..TextLimits::of_new()
            },
        };
        let mut findings = Findings::default();
        let table = names.map(|_| (table, NamesOptions::default()));
        let table = table.and_then(|table| super::names(&mut findings, &table));
        check(&mut findings, given, table.as_ref());
        let told = findings.list.iter().filter(|f| f.level != Level::Ok);
        let told = told.map(|f| format!("{} {}", f.level.as_str(), f.found));
        let folder = dir.path().canonicalize().unwrap();
        let hide = |text: String| {
            text.replace(folder.to_str().unwrap(), "D")
                .replace(dir.path().to_str().unwrap(), "D")
        };
        let length = folder.join("shop/1.jpg").to_str().unwrap().len();
        (told.map(hide).collect(), length)
    }

    #[test]
    fn every_text_is_measured_in_bytes() {
        let names = "id,name\n1,Fünfte Tür\n2,short\n3,gone\nx\n";
        let (told, _) = findings(&["1.jpg", "2.jpg", "much-longer.jpg"], Some(names), 9999);
        assert_eq!(
            told,
            [
                "warning 1 row cannot be used: D/names.csv:5: it has 1 of 2 columns",
                "error 3 have more than --max-file-bytes 5: D/shop/1.jpg: 6 bytes; D/shop/2.jpg: 6 bytes; D/shop/much-longer.jpg: 6 bytes",
                "error 2 pictures of a display name longer than the collection's 10 bytes: D/names.csv:2: 12 bytes, of 1.jpg; D/shop/much-longer.jpg: 11 bytes",
                "warning 1 row without a picture: D/names.csv:4: 3",
            ]
        );
        let (_, length) = findings(&[], None, 1);
        let (told, _) = findings(&["1.jpg", "12.jpg"], None, length);
        assert_eq!(
            told[1..],
            [format!(
                "error 1 picture of a path longer than the collection's {length} bytes: D/shop/12.jpg: {} bytes",
                length + 1
            )]
        );
    }

    #[test]
    fn a_folder_without_pictures_is_a_warning() {
        let (told, _) = findings(&[], None, 9999);
        assert_eq!(told, ["warning none was found"]);
        let (told, _) = findings(&[], Some(""), 9999);
        assert_eq!(told[0], "error the names table D/names.csv is empty");
    }
}
