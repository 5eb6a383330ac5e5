//! The columns of a reply.

use milvus::proto::schema::field_data::Field;
use milvus::proto::schema::scalar_field::Data;
use milvus::proto::schema::{FieldData, vector_field};

use super::error::StoreError;
use crate::entity::Attributes;

/// The columns of a reply, by name.
pub(super) struct Columns<'a> {
    pub(super) operation: &'static str,
    pub(super) fields: &'a [FieldData],
}

impl Columns<'_> {
    fn data(&self, name: &str) -> Result<&Data, StoreError> {
        let field = self.fields.iter().find(|field| field.field_name == name);
        match field.and_then(|field| field.field.as_ref()) {
            Some(Field::Scalars(scalars)) => scalars.data.as_ref(),
            _ => None,
        }
        .ok_or(self.malformed("a field is missing"))
    }

    pub(super) fn texts(&self, name: &str) -> Result<&[String], StoreError> {
        match self.data(name)? {
            Data::StringData(texts) => Ok(&texts.data),
            _ => Err(self.malformed("a text field holds something else")),
        }
    }

    pub(super) fn longs(&self, name: &str) -> Result<&[i64], StoreError> {
        match self.data(name)? {
            Data::LongData(numbers) => Ok(&numbers.data),
            _ => Err(self.malformed("a number field holds something else")),
        }
    }

    /// The vectors, one after the other, and the length of each.
    pub(super) fn vectors(&self, name: &str) -> Result<(&[f32], usize), StoreError> {
        let field = self.fields.iter().find(|field| field.field_name == name);
        let Some(Field::Vectors(vectors)) = field.and_then(|field| field.field.as_ref()) else {
            return Err(self.malformed("a field is missing"));
        };
        match (&vectors.data, usize::try_from(vectors.dim)) {
            (Some(vector_field::Data::FloatVector(numbers)), Ok(dimension)) => {
                Ok((&numbers.data, dimension))
            }
            _ => Err(self.malformed("a vector field holds something else")),
        }
    }

    /// Whether there are none: an empty answer may come without columns.
    pub(super) fn is_empty(&self) -> bool {
        self.fields.iter().all(|field| field.field.is_none())
    }

    pub(super) fn text(&self, name: &str, row: usize) -> Result<String, StoreError> {
        let text = self.texts(name)?.get(row);
        text.cloned().ok_or(self.malformed("a row is missing"))
    }

    pub(super) fn object(&self, name: &str, row: usize) -> Result<Attributes, StoreError> {
        let Data::JsonData(json) = self.data(name)? else {
            return Err(self.malformed("a JSON field holds something else"));
        };
        let bytes = json
            .data
            .get(row)
            .ok_or(self.malformed("a row is missing"))?;
        if bytes.is_empty() {
            return Ok(Attributes::new());
        }
        serde_json::from_slice(bytes).map_err(|_| self.malformed("a JSON field is no object"))
    }

    pub(super) fn malformed(&self, what: &'static str) -> StoreError {
        StoreError::Malformed {
            operation: self.operation,
            what,
        }
    }
}
