//! The shape of a collection: read from `migrations/`, sent to Milvus, and
//! compared with what Milvus describes.

use milvus::proto::common::KeyValuePair;
use milvus::proto::milvus::DescribeCollectionResponse;
use milvus::proto::schema::{CollectionSchema, DataType, FieldSchema};
use serde::Deserialize;

use super::error::StoreError;

/// Primary key.
pub(super) const ID: &str = "id";
/// Absolute path.
pub(super) const PATH: &str = "path";
/// Name shown to people.
pub(super) const DISPLAY_NAME: &str = "display_name";
/// Hash of the file's bytes.
pub(super) const CONTENT_HASH: &str = "content_hash";
/// Size of the file.
pub(super) const BYTES: &str = "bytes";
/// Modification time.
pub(super) const MODIFIED: &str = "modified";
/// Hash of path, display name and attributes.
pub(super) const DETAILS_HASH: &str = "details_hash";
/// Further columns of the names table.
pub(super) const ATTRIBUTES: &str = "attributes";
/// The vector.
pub(super) const EMBEDDING: &str = "embedding";

/// Bytes that Milvus takes in a JSON field.
/// <https://milvus.io/docs/limitations.md>
pub const MAX_JSON_BYTES: usize = 65_536;

/// Bytes that Milvus takes in a VARCHAR field; it counts bytes, not characters.
pub const MAX_TEXT_BYTES: usize = 65_535;

const CREATE_IMAGES: &str = include_str!("../../migrations/V0001__create_images.toml");

/// A migration that creates a collection.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Migration {
    pub(super) version: u32,
    #[expect(dead_code, reason = "part of the file's format, for its reader")]
    name: String,
    fields: Vec<Field>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Field {
    name: String,
    r#type: FieldType,
    max_length: Option<u32>,
    #[serde(default)]
    primary_key: bool,
    description: String,
    dimension: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum FieldType {
    Varchar,
    Int64,
    Json,
    FloatVector,
}

impl FieldType {
    fn data_type(self) -> DataType {
        match self {
            Self::Varchar => DataType::VarChar,
            Self::Int64 => DataType::Int64,
            Self::Json => DataType::Json,
            Self::FloatVector => DataType::FloatVector,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Varchar => "VARCHAR",
            Self::Int64 => "INT64",
            Self::Json => "JSON",
            Self::FloatVector => "FLOAT_VECTOR",
        }
    }
}

/// The migration that creates a collection of pictures.
pub(super) fn create_images() -> Migration {
    toml::from_str(CREATE_IMAGES).expect("the compiled-in migration parses; this is a bug")
}

impl Migration {
    /// The collection as Milvus takes it.
    pub(super) fn schema(&self, collection: &str, dimension: usize) -> CollectionSchema {
        let field = |field: &Field| {
            let length = field.max_length.map(|length| pair("max_length", &length));
            let dimension = field.dimension.as_ref().map(|_| pair("dim", &dimension));
            FieldSchema {
                name: field.name.clone(),
                is_primary_key: field.primary_key,
                description: field.description.clone(),
                data_type: field.r#type.data_type() as i32,
                type_params: length.into_iter().chain(dimension).collect(),
                ..Default::default()
            }
        };
        CollectionSchema {
            name: collection.to_owned(),
            fields: self.fields.iter().map(field).collect(),
            ..Default::default()
        }
    }

    /// Name and type of each field that we fill and that a collection lacks, or
    /// has with another type.
    pub(super) fn differences(
        &self,
        found: &DescribeCollectionResponse,
    ) -> Vec<(String, &'static str)> {
        let is_there = |wanted: &&Field| {
            fields(found).iter().any(|field| {
                field.name == wanted.name
                    && field.data_type == wanted.r#type.data_type() as i32
                    && field.is_primary_key == wanted.primary_key
            })
        };
        let missing = self.fields.iter().filter(|wanted| !is_there(wanted));
        missing
            .map(|field| (field.name.clone(), field.r#type.as_str()))
            .collect()
    }

    /// Whether we fill a field of that name.
    pub(super) fn fills(&self, name: &str) -> bool {
        self.fields.iter().any(|field| field.name == name)
    }

    /// Checks that a collection that exists has every field that we fill, and
    /// returns the dimension of its vectors.
    pub(super) fn check(
        &self,
        collection: &str,
        found: &DescribeCollectionResponse,
    ) -> Result<usize, StoreError> {
        if let Some((field, expected)) = self.differences(found).into_iter().next() {
            return Err(StoreError::Schema {
                collection: collection.to_owned(),
                field,
                expected,
            });
        }
        let fields = fields(found);
        let vector = fields.iter().find(|field| field.name == EMBEDDING);
        vector
            .and_then(|field| value(&field.type_params, "dim"))
            .and_then(|dimension| dimension.parse().ok())
            .ok_or(StoreError::Malformed {
                operation: "describe the collection",
                what: "the vector field has no dimension",
            })
    }
}

/// The fields of a collection as Milvus describes it.
pub(super) fn fields(found: &DescribeCollectionResponse) -> &[FieldSchema] {
    found.schema.as_ref().map_or(&[], |schema| &schema.fields)
}

/// Milvus's rule for names: `[A-Za-z_][A-Za-z0-9_]*`, at most 255 bytes.
pub(super) fn is_name(name: &str) -> bool {
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    starts && name.len() <= 255 && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

pub(super) fn pair(key: &str, value: &dyn std::fmt::Display) -> KeyValuePair {
    KeyValuePair {
        key: key.to_owned(),
        value: value.to_string(),
    }
}

pub(super) fn value<'a>(pairs: &'a [KeyValuePair], key: &str) -> Option<&'a str> {
    pairs
        .iter()
        .find(|pair| pair.key == key)
        .map(|pair| pair.value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_migration_is_the_schema_that_the_code_fills() {
        let migration = create_images();
        let schema = migration.schema("images", 512);
        let names: Vec<&str> = schema.fields.iter().map(|f| f.name.as_str()).collect();
        assert_eq!(
            names,
            [
                ID,
                PATH,
                DISPLAY_NAME,
                CONTENT_HASH,
                BYTES,
                MODIFIED,
                DETAILS_HASH,
                ATTRIBUTES,
                EMBEDDING
            ]
        );
        let keys: Vec<bool> = schema.fields.iter().map(|f| f.is_primary_key).collect();
        assert_eq!(keys.iter().filter(|key| **key).count(), 1);
        let described = DescribeCollectionResponse {
            schema: Some(schema.clone()),
            ..Default::default()
        };
        assert_eq!(migration.check("images", &described).unwrap(), 512);

        let mut other = described;
        other.schema.as_mut().unwrap().fields.remove(5);
        let error = migration.check("images", &other).expect_err("a field less");
        assert!(error.to_string().contains("`modified` of type INT64"));
    }
}
