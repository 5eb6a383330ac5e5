//! The collection: there or to be created, of our shape, of this model,
//! indexed, loaded, and open to this user.

use super::Check;
use super::finding::Findings;
use super::machine::Examined;
use crate::entity::{ImageId, chain};
use crate::store::{Authority, Collection, Shape, Store, StoreError, TextLimits};

/// Remedy where a collection has fields that are not ours.
const OTHER_COLLECTION: &str =
    "name a collection that `ingest` created, or another name to create one";

/// Bytes of a file's hash in hexadecimal.
const HASH_BYTES: usize = 64;

/// What is known of the collection.
pub(super) enum Looked {
    /// It could not be asked for.
    Unknown,
    /// There is none of that name.
    Missing,
    /// It is there.
    There(Box<Shape>),
}

impl Looked {
    pub(super) fn shape(&self) -> Option<&Shape> {
        match self {
            Self::There(shape) => Some(shape),
            Self::Unknown | Self::Missing => None,
        }
    }

    /// How long texts may be.
    pub(super) fn limits(&self) -> TextLimits {
        self.shape()
            .map_or_else(TextLimits::of_new, |shape| shape.limits)
    }
}

/// Asks what the server says of the collection.
pub(super) async fn look(findings: &mut Findings, store: &Store, name: &str) -> Looked {
    match store.shape(name).await {
        Ok(Some(shape)) => Looked::There(Box::new(shape)),
        Ok(None) => Looked::Missing,
        Err(error) => {
            let check = match error {
                StoreError::DatabaseMissing { .. } => "database",
                _ => "collection",
            };
            findings.fault(check, &error);
            Looked::Unknown
        }
    }
}

/// Holds the collection against the run; says whether its rows can be read.
pub(super) async fn check(
    findings: &mut Findings,
    check: &Check,
    store: &Store,
    looked: &Looked,
    model: Option<&Examined>,
) -> bool {
    let target = &check.target;
    let name = &target.collection;
    let mut needed = vec![Authority::Load, Authority::Read, Authority::Write];
    if target.prune.is_some() {
        needed.push(Authority::Delete);
    }
    let mut loaded = false;
    match looked {
        Looked::Unknown => return false,
        Looked::Missing => {
            let by = model.map_or(String::new(), |examined| {
                let manifest = &examined.model.manifest;
                format!("{}, {}-d, ", manifest.name, manifest.dimension)
            });
            let index = &target.index;
            findings.ok(
                "collection",
                format!(
                    "`{name}` is not there: the run creates it ({by}{}, {})",
                    index.kind.as_str(),
                    index.metric
                ),
            );
            needed.insert(0, Authority::CreateIndex);
            needed.insert(0, Authority::CreateCollection);
        }
        Looked::There(shape) => {
            filled_by(findings, name, shape, model);
            fields(findings, name, shape);
            if !index(findings, check, store).await {
                needed.insert(0, Authority::CreateIndex);
            }
            loaded = load_state(findings, store, name).await;
        }
    }
    authority(findings, store, name, &needed).await && loaded
}

fn filled_by(findings: &mut Findings, name: &str, shape: &Shape, model: Option<&Examined>) {
    let Some(examined) = model else {
        let filled = match &shape.mark {
            Some(mark) => format!("was filled with {}", mark.model),
            None => "does not say which model filled it".to_owned(),
        };
        findings.ok("collection", format!("`{name}` is there, and {filled}"));
        return;
    };
    let manifest = &examined.model.manifest;
    let collection = Collection {
        name: name.to_owned(),
        mark: shape.mark.clone(),
        dimension: shape.dimension.unwrap_or(manifest.dimension),
    };
    // Without the files there is no fingerprint: the name alone is compared.
    let mark = match (&examined.mark, &shape.mark) {
        (None, Some(stored)) if stored.model == manifest.name => stored.clone(),
        (None, _) => crate::store::ModelMark {
            model: manifest.name.clone(),
            fingerprint: "not known".to_owned(),
        },
        (Some(mark), _) => mark.clone(),
    };
    match collection.require_model(&mark, manifest.dimension) {
        Err(error) => findings.fault("collection", &error),
        Ok(()) => findings.ok(
            "collection",
            format!(
                "`{name}` was filled with {}, {}-d",
                mark.model, collection.dimension
            ),
        ),
    }
}

fn fields(findings: &mut Findings, name: &str, shape: &Shape) {
    let before = findings.list.len();
    for (field, expected) in &shape.missing {
        let error = StoreError::Schema {
            collection: name.to_owned(),
            field: field.clone(),
            expected,
        };
        findings.fault("schema", &error);
    }
    if !shape.unfilled.is_empty() {
        let fields = shape.unfilled.join("`, `");
        let found = format!("every row of `{name}` must fill `{fields}`, which no run does");
        findings.error("schema", found, OTHER_COLLECTION);
    }
    if shape.generates_ids {
        let found = format!("`{name}` makes up its ids: a picture would be stored again each time");
        findings.error("schema", found, OTHER_COLLECTION);
    }
    let limits = shape.limits;
    for (field, most, needed) in [
        ("id", limits.id, ImageId::LENGTH),
        ("content_hash", limits.content_hash, HASH_BYTES),
    ] {
        if most < needed {
            let found = format!("`{field}` of `{name}` takes {most} bytes, and needs {needed}");
            findings.error("schema", found, OTHER_COLLECTION);
        }
    }
    if findings.list.len() == before {
        findings.ok("schema", "every field is there, with its type");
    }
}

/// Says whether there is an index.
async fn index(findings: &mut Findings, check: &Check, store: &Store) -> bool {
    let wanted = &check.target.index;
    let index = match store.index(&check.target.collection).await {
        Ok(Some(index)) => index,
        Ok(None) => {
            let kind = wanted.kind.as_str();
            let found = format!("none yet: the run creates {kind}, {}", wanted.metric);
            findings.ok("index", found);
            return false;
        }
        Err(error) => {
            findings.fault("index", &error);
            return true;
        }
    };
    let found = format!("{}, {}", index.kind, index.metric);
    let other_metric = check.metric.is_some_and(|metric| metric != index.metric);
    // What a server makes of AUTOINDEX, it may call by another name.
    let asked = check.index.filter(|asked| *asked != "AUTOINDEX");
    if other_metric || asked.is_some_and(|asked| asked != index.kind) {
        findings.warning(
            "index",
            format!("{found}: the collection has it already, and keeps it"),
            "leave --metric and --index-type out, or create another collection",
        );
    } else {
        findings.ok("index", found);
    }
    true
}

async fn load_state(findings: &mut Findings, store: &Store, name: &str) -> bool {
    match store.is_loaded(name).await {
        Ok(true) => {
            findings.ok("loaded", "the collection is in memory");
            true
        }
        Ok(false) => {
            let found = "not yet: the run loads it, and only then are its rows compared with";
            findings.ok("loaded", found);
            false
        }
        // Said with the others.
        Err(StoreError::PermissionDenied { .. }) => false,
        Err(error) => {
            findings.fault("loaded", &error);
            false
        }
    }
}

/// Says whether rows may be read.
async fn authority(
    findings: &mut Findings,
    store: &Store,
    name: &str,
    needed: &[Authority],
) -> bool {
    if store.server().lite {
        findings.ok(
            "authority",
            "Milvus Lite has no users: whoever reaches it may write",
        );
        return true;
    }
    let (mut may, mut reads) = (Vec::new(), false);
    for authority in needed {
        let said = authority.as_str();
        match store.may(*authority, name).await {
            Ok(()) => {
                may.push(said);
                reads |= *authority == Authority::Read;
            }
            Err(error @ StoreError::PermissionDenied { .. }) => {
                findings.fault("authority", &error);
            }
            Err(error) => findings.warning(
                "authority",
                format!(
                    "not checked whether this user may {said}: {}",
                    chain(&error)
                ),
                "ask the server's administrator",
            ),
        }
    }
    if !may.is_empty() {
        findings.ok("authority", format!("this user may {}", may.join(", ")));
    }
    reads
}
