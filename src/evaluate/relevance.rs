//! Which rows of a collection are right answers to which queries.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

use super::metrics::Grade;
use crate::entity::{Attributes, ImageId};
use crate::store::{ContentKey, DescribedRow, content_key};

/// What a query's right answers are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Relevance {
    /// Those of these ids, paths, or ends of paths (`shoes/1.jpg`), each with
    /// its grade.
    Named(Vec<(String, Grade)>),
    /// Those whose attributes have these values, in the order of the columns.
    Alike(Vec<String>),
    /// Those with the same values as this stored picture.
    LikeStored(ImageId),
}

/// Looks at the rows of a collection, one by one, for those that are right.
#[derive(Debug)]
pub struct Finder<'a> {
    columns: &'a [String],
    queries: &'a [Relevance],
    /// Queries that name a row, with the grade.
    named: HashMap<&'a str, Vec<(usize, Grade)>>,
    found: Relevant,
    /// Names that came up, and how often.
    seen: HashMap<&'a str, usize>,
}

/// The right answers in one collection.
#[derive(Debug, Default)]
pub struct Relevant {
    /// By query; empty where attributes decide.
    named: Vec<HashMap<ImageId, Grade>>,
    /// Rows by their values of the columns.
    groups: HashMap<Vec<String>, Vec<(ImageId, ContentKey)>>,
    /// Values of the stored pictures that are asked with.
    stored: HashMap<ImageId, Option<Vec<String>>>,
    /// What to tell whoever wrote the queries.
    pub notes: Notes,
}

/// What was odd.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Notes {
    /// Rows that were looked at.
    pub rows: usize,
    /// Names of right answers that no row has; no search can find those.
    pub unknown: Vec<String>,
    /// Names that several rows have: all of them are right.
    pub ambiguous: Vec<String>,
    /// Columns that no row has.
    pub absent: Vec<String>,
    /// Attributes that rows have.
    pub attributes: BTreeSet<String>,
}

impl<'a> Finder<'a> {
    /// For these queries; `columns` are the attributes that decide.
    pub fn new(columns: &'a [String], queries: &'a [Relevance]) -> Self {
        let mut by_name: HashMap<&str, Vec<(usize, Grade)>> = HashMap::new();
        let mut stored = HashMap::new();
        for (place, query) in queries.iter().enumerate() {
            match query {
                Relevance::Named(names) => {
                    for (name, grade) in names {
                        by_name.entry(name).or_default().push((place, *grade));
                    }
                }
                Relevance::LikeStored(id) => {
                    stored.insert(id.clone(), None);
                }
                Relevance::Alike(_) => {}
            }
        }
        Self {
            columns,
            queries,
            named: by_name,
            found: Relevant {
                named: vec![HashMap::new(); queries.len()],
                stored,
                ..Relevant::default()
            },
            seen: HashMap::new(),
        }
    }

    /// Looks at a row.
    pub fn take(&mut self, row: DescribedRow) {
        self.found.notes.rows += 1;
        for attribute in row.attributes.keys() {
            if !self.found.notes.attributes.contains(attribute) {
                self.found.notes.attributes.insert(attribute.clone());
            }
        }
        if !self.named.is_empty() {
            self.take_named(&row);
        }
        if !self.columns.is_empty() {
            let values = values(self.columns, &row.attributes);
            if let Some(stored) = self.found.stored.get_mut(&row.id) {
                stored.clone_from(&values);
            }
            if let Some(values) = values {
                let content = content_key(&row.content_hash);
                let group = self.found.groups.entry(values).or_default();
                group.push((row.id, content));
            }
        }
    }

    fn take_named(&mut self, row: &DescribedRow) {
        let separators = row.path.match_indices('/').map(|(place, _)| place + 1);
        let ends = separators.map(|place| &row.path[place..]);
        let names = ends.chain([row.path.as_str(), row.id.as_str()]);
        for name in names {
            let Some((name, queries)) = self.named.get_key_value(name) else {
                continue;
            };
            *self.seen.entry(name).or_default() += 1;
            for (query, grade) in queries {
                let grades = &mut self.found.named[*query];
                let known = grades.entry(row.id.clone()).or_default();
                *known = (*known).max(*grade);
            }
        }
    }

    /// What was found.
    pub fn finish(mut self) -> Relevant {
        let notes = &mut self.found.notes;
        let absent = self
            .columns
            .iter()
            .filter(|c| !notes.attributes.contains(*c));
        notes.absent = absent.cloned().collect();
        for (name, queries) in &self.named {
            match self.seen.get(name).copied().unwrap_or_default() {
                0 => notes.unknown.push((*name).to_owned()),
                1 => continue,
                _ => {
                    notes.ambiguous.push((*name).to_owned());
                    continue;
                }
            }
            // It counts as not found: an id that no hit has.
            for (query, grade) in queries {
                let nobody = ImageId::from_stored(format!("not stored: {name}"));
                self.found.named[*query].insert(nobody, *grade);
            }
        }
        notes.unknown.sort_unstable();
        notes.ambiguous.sort_unstable();
        debug_assert_eq!(self.found.named.len(), self.queries.len());
        self.found
    }
}

impl Relevant {
    /// The right answers to a query, the pictures that it asks with left out.
    pub fn of(&self, place: usize, query: &Relevance, own: &Own) -> HashMap<ImageId, Grade> {
        let values = match query {
            Relevance::Named(_) => {
                let mut named = self.named[place].clone();
                named.retain(|id, _| !own.ids.contains(id));
                return named;
            }
            Relevance::Alike(values) => Some(values),
            Relevance::LikeStored(id) => self.stored.get(id).and_then(Option::as_ref),
        };
        let group = values.and_then(|values| self.groups.get(values));
        let others = group
            .into_iter()
            .flatten()
            .filter(|(id, content)| !own.ids.contains(id) && !own.contents.contains(content));
        others.map(|(id, _)| (id.clone(), 1)).collect()
    }
}

/// The rows that are a query's own: they are no answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Own {
    /// Stored pictures that it asks with.
    pub ids: Vec<ImageId>,
    /// Contents of the files that it asks with.
    pub contents: Vec<ContentKey>,
}

/// The values of the columns as texts; `None` where one is missing.
fn values(columns: &[String], attributes: &Attributes) -> Option<Vec<String>> {
    let each = columns
        .iter()
        .map(|column| text_of(attributes.get(column)?));
    each.collect()
}

/// A value as the names table wrote it; `None` where it says nothing.
pub fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(path: &str, attributes: &Value) -> DescribedRow {
        DescribedRow {
            id: ImageId::new("shop", path),
            path: format!("/pictures/shop/{path}"),
            content_hash: blake3::hash(path.as_bytes()).to_hex().to_string(),
            attributes: attributes.as_object().unwrap().clone(),
        }
    }

    fn rows() -> Vec<DescribedRow> {
        vec![
            row("red/1.jpg", &json!({"kind": "bag", "size": 4})),
            row("red/2.jpg", &json!({"kind": "bag", "size": 4})),
            row("blue/1.jpg", &json!({"kind": "bag", "size": 5})),
            row("blue/3.jpg", &json!({"kind": "hat"})),
        ]
    }

    fn find(columns: &[String], queries: &[Relevance]) -> Relevant {
        let mut finder = Finder::new(columns, queries);
        for row in rows() {
            finder.take(row);
        }
        finder.finish()
    }

    fn named(names: &[(&str, Grade)]) -> Relevance {
        let names = names
            .iter()
            .map(|(name, grade)| ((*name).to_owned(), *grade));
        Relevance::Named(names.collect())
    }

    #[test]
    fn rows_are_named_by_id_path_or_its_end() {
        let id = ImageId::new("shop", "blue/3.jpg");
        let queries = [
            named(&[("red/1.jpg", 2), ("/pictures/shop/red/2.jpg", 1)]),
            named(&[(id.as_str(), 1), ("1.jpg", 1)]),
            named(&[("ed/1.jpg", 1), ("gone.jpg", 3)]),
        ];
        let found = find(&[], &queries);
        let grade = |query: usize, path: &str| {
            let relevant = found.of(query, &queries[query], &Own::default());
            relevant.get(&ImageId::new("shop", path)).copied()
        };
        assert_eq!(
            (grade(0, "red/1.jpg"), grade(0, "red/2.jpg")),
            (Some(2), Some(1))
        );
        assert_eq!(grade(1, "blue/3.jpg"), Some(1));
        // Two rows end like that: both are right, and it is said.
        assert_eq!(
            (grade(1, "red/1.jpg"), grade(1, "blue/1.jpg")),
            (Some(1), Some(1))
        );
        assert_eq!(found.notes.ambiguous, ["1.jpg"]);
        // An end begins behind a slash. What nobody has counts as not found.
        assert_eq!(found.notes.unknown, ["ed/1.jpg", "gone.jpg"]);
        assert_eq!(found.of(2, &queries[2], &Own::default()).len(), 2);
        assert_eq!(found.notes.rows, 4);
    }

    #[test]
    fn rows_are_alike_by_the_values_of_all_columns() {
        let columns = ["kind", "size"].map(str::to_owned);
        let queries = [
            Relevance::Alike(["bag", "4"].map(str::to_owned).to_vec()),
            Relevance::LikeStored(ImageId::new("shop", "red/2.jpg")),
            Relevance::LikeStored(ImageId::new("shop", "blue/3.jpg")),
        ];
        let found = find(&columns, &queries);
        let count = |query: usize, own: &Own| found.of(query, &queries[query], own).len();
        assert_eq!(count(0, &Own::default()), 2);
        let file = Own {
            contents: vec![content_key(blake3::hash(b"red/1.jpg").to_hex().as_str())],
            ..Own::default()
        };
        assert_eq!(count(0, &file), 1);
        let own = Own {
            ids: vec![ImageId::new("shop", "red/2.jpg")],
            ..Own::default()
        };
        assert_eq!(count(1, &own), 1);
        // It has no size: nothing is like it.
        assert_eq!(count(2, &Own::default()), 0);
        assert!(found.notes.absent.is_empty());
        let columns = ["colour".to_owned()];
        assert_eq!(find(&columns, &[]).notes.absent, ["colour"]);
    }

    #[test]
    fn a_stored_picture_is_no_answer_to_itself_even_where_it_is_named() {
        let queries = [named(&[("red/1.jpg", 1), ("red/2.jpg", 1)])];
        let own = Own {
            ids: vec![ImageId::new("shop", "red/1.jpg")],
            ..Own::default()
        };
        let relevant = find(&[], &queries).of(0, &queries[0], &own);
        assert_eq!(
            relevant.into_keys().collect::<Vec<_>>(),
            [ImageId::new("shop", "red/2.jpg")]
        );
    }
}
