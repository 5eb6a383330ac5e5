//! The whole shape of a collection that exists: all that a run would stumble
//! over, not the first of it alone.

use super::collection::{ModelMark, mark_of};
use super::connect::Store;
use super::error::StoreError;
use super::schema::{
    self, CONTENT_HASH, DISPLAY_NAME, EMBEDDING, ID, MAX_TEXT_BYTES, PATH, fields, value,
};
use milvus::proto::milvus::DescribeCollectionResponse;
use milvus::proto::schema::FieldSchema;

/// What Milvus says of a collection, held against the one that we fill.
#[derive(Debug, Clone)]
pub struct Shape {
    /// Model that filled it; `None` where it does not say.
    pub mark: Option<ModelMark>,
    /// Dimension of its vectors; `None` where it has none.
    pub dimension: Option<usize>,
    /// Fields that it lacks or has with another type: name, and type needed.
    pub missing: Vec<(String, &'static str)>,
    /// Fields that every row must fill, and that we do not.
    pub unfilled: Vec<String>,
    /// Whether the server makes up the ids.
    pub generates_ids: bool,
    /// How long texts may be.
    pub limits: TextLimits,
}

/// Bytes that the VARCHAR fields take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextLimits {
    /// Of the primary key.
    pub id: usize,
    /// Of the path.
    pub path: usize,
    /// Of the display name.
    pub display_name: usize,
    /// Of the hash of the file.
    pub content_hash: usize,
}

impl TextLimits {
    /// Of a collection that we create.
    pub fn of_new() -> Self {
        Self::of(&schema::create_images().schema("", 1).fields)
    }

    fn of(fields: &[FieldSchema]) -> Self {
        let most = |name: &str| {
            let field = fields.iter().find(|field| field.name == name);
            field
                .and_then(|field| value(&field.type_params, "max_length"))
                .and_then(|length| length.parse().ok())
                .unwrap_or(MAX_TEXT_BYTES)
        };
        Self {
            id: most(ID),
            path: most(PATH),
            display_name: most(DISPLAY_NAME),
            content_hash: most(CONTENT_HASH),
        }
    }
}

impl Store {
    /// Describes the collection called `name`; `None` where there is none.
    ///
    /// # Errors
    /// The name can be none, or the server failed.
    pub async fn shape(&self, name: &str) -> Result<Option<Shape>, StoreError> {
        Ok(self.describe(name).await?.as_ref().map(shape_of))
    }
}

fn shape_of(found: &DescribeCollectionResponse) -> Shape {
    let migration = schema::create_images();
    let vector = fields(found).iter().find(|field| field.name == EMBEDDING);
    let must_be_filled = |field: &&FieldSchema| {
        !migration.fills(&field.name)
            && !field.nullable
            && !field.auto_id
            && !field.is_dynamic
            && !field.is_function_output
            && field.default_value.is_none()
    };
    Shape {
        mark: mark_of(found),
        dimension: vector
            .and_then(|field| value(&field.type_params, "dim"))
            .and_then(|dimension| dimension.parse().ok()),
        missing: migration.differences(found),
        unfilled: fields(found)
            .iter()
            .filter(must_be_filled)
            .map(|field| field.name.clone())
            .collect(),
        generates_ids: fields(found)
            .iter()
            .any(|field| field.is_primary_key && field.auto_id),
        limits: TextLimits::of(fields(found)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use milvus::proto::schema::DataType;

    #[test]
    fn every_difference_is_found() {
        let mut schema = schema::create_images().schema("images", 8);
        let mut described = DescribeCollectionResponse {
            schema: Some(schema.clone()),
            ..Default::default()
        };
        let shape = shape_of(&described);
        assert_eq!(shape.limits, TextLimits::of_new());
        assert_eq!(shape.dimension, Some(8));
        assert!(shape.missing.is_empty() && shape.unfilled.is_empty() && !shape.generates_ids);

        schema.fields.retain(|field| field.name != "modified");
        schema.fields[0].auto_id = true;
        schema.fields[1].type_params[0].value = "99".to_owned();
        schema.fields[2].data_type = DataType::Json as i32;
        schema.fields.push(FieldSchema {
            name: "owner".to_owned(),
            data_type: DataType::Int64 as i32,
            ..Default::default()
        });
        described.schema = Some(schema);
        let shape = shape_of(&described);
        let missing: Vec<&str> = shape
            .missing
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(missing, ["display_name", "modified"]);
        assert_eq!(shape.unfilled, ["owner"]);
        assert!(shape.generates_ids);
        assert_eq!(shape.limits.path, 99);
    }
}
