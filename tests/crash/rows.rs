//! All rows of a collection, read past the code under test.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use milvus::proto::common::ConsistencyLevel;
use milvus::proto::milvus::{QueryRequest, QueryResults};
use milvus::proto::schema::field_data::Field;
use milvus::proto::schema::scalar_field::Data;
use milvus::proto::schema::vector_field;

use crate::servers::{Collection, block_on};

/// One field of one row.
#[derive(Debug, Clone, PartialEq)]
enum Cell {
    Text(String),
    Number(i64),
    Json(serde_json::Value),
    /// A vector, by its bits.
    Bits(Vec<u32>),
}

/// Rows by id.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rows(BTreeMap<String, BTreeMap<String, Cell>>);

impl Rows {
    /// Reads at Strong consistency. No two rows have the same id, and the
    /// server counts as many as it gives.
    #[track_caller]
    pub(crate) fn of(collection: &Collection) -> Self {
        let (read, counted) = block_on(async {
            let read = query(collection, "*").await;
            let counted = query(collection, "count(*)").await;
            (read, counted)
        });
        let [Cell::Number(counted)] = cells(&counted, "count(*)")[..] else {
            panic!("{counted:?} is no count");
        };
        let ids = cells(&read, "id");
        let mut rows = BTreeMap::new();
        for (place, id) in ids.iter().enumerate() {
            let Cell::Text(id) = id else {
                panic!("{id:?} is no id");
            };
            let row = FIELDS.map(|field| (field.to_owned(), cells(&read, field)[place].clone()));
            let before = rows.insert(id.clone(), BTreeMap::from(row));
            assert!(before.is_none(), "two rows have the id {id}");
        }
        assert_eq!(
            usize::try_from(counted).unwrap(),
            rows.len(),
            "rows counted, and rows by id"
        );
        Self(rows)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// What differs from `wanted`; nothing, if nothing does.
    pub(crate) fn difference(&self, wanted: &Self) -> String {
        let mut said = String::new();
        for (id, row) in &wanted.0 {
            let Some(got) = self.0.get(id) else {
                writeln!(said, "missing: {id} {:?}", row["path"]).unwrap();
                continue;
            };
            for (field, cell) in row {
                match (&got[field], cell) {
                    (got, cell) if got == cell => {}
                    (Cell::Bits(got), Cell::Bits(cell)) => {
                        let differ = got.iter().zip(cell).filter(|(a, b)| a != b).count();
                        writeln!(said, "{id} {:?}: {differ} numbers differ", row["path"]).unwrap();
                    }
                    (got, cell) => {
                        writeln!(said, "{id} {field}: {got:?} instead of {cell:?}").unwrap();
                    }
                }
            }
        }
        for (id, row) in &self.0 {
            if !wanted.0.contains_key(id) {
                writeln!(said, "too many: {id} {:?}", row["path"]).unwrap();
            }
        }
        said
    }
}

const FIELDS: [&str; 8] = [
    "path",
    "display_name",
    "content_hash",
    "bytes",
    "modified",
    "details_hash",
    "attributes",
    "embedding",
];

async fn query(collection: &Collection, fields: &str) -> QueryResults {
    let mut output_fields = vec![fields.to_owned()];
    if fields == "*" {
        output_fields = FIELDS.map(str::to_owned).to_vec();
        output_fields.push("id".to_owned());
    }
    let request = collection.server.request(QueryRequest {
        collection_name: collection.name.clone(),
        expr: "id != \"\"".to_owned(),
        output_fields,
        consistency_level: ConsistencyLevel::Strong as i32,
        ..Default::default()
    });
    let stub = collection.server.stub().await.unwrap();
    let mut stub = stub.max_decoding_message_size(1 << 30);
    let reply = stub.query(request).await.unwrap().into_inner();
    let status = reply.status.clone().unwrap();
    assert_eq!(status.code, 0, "{}", status.reason);
    reply
}

/// A column, cell by cell.
fn cells(reply: &QueryResults, name: &str) -> Vec<Cell> {
    let column = reply
        .fields_data
        .iter()
        .find(|field| field.field_name == name);
    let Some(column) = column else {
        return Vec::new();
    };
    match column.field.as_ref().unwrap() {
        Field::Scalars(scalars) => match scalars.data.as_ref().unwrap() {
            Data::StringData(texts) => texts.data.iter().cloned().map(Cell::Text).collect(),
            Data::LongData(longs) => longs.data.iter().copied().map(Cell::Number).collect(),
            Data::JsonData(jsons) => {
                let json = |bytes: &Vec<u8>| Cell::Json(serde_json::from_slice(bytes).unwrap());
                jsons.data.iter().map(json).collect()
            }
            other => panic!("{other:?} is not ours"),
        },
        Field::Vectors(vectors) => match vectors.data.as_ref().unwrap() {
            vector_field::Data::FloatVector(floats) => {
                let dimension = usize::try_from(vectors.dim).unwrap();
                let vectors = floats.data.chunks(dimension);
                vectors
                    .map(|vector| {
                        Cell::Bits(vector.iter().map(|number| number.to_bits()).collect())
                    })
                    .collect()
            }
            other => panic!("{other:?} is not ours"),
        },
        Field::StructArrays(_) => panic!("nothing of ours is made of structs"),
    }
}
