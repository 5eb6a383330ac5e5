//! A Milvus that keeps rows in memory and fails when it is told to.
//!
//! Clients reach it through a relay that can cut, drip, die and come back on
//! the same port.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use milvus::proto::common::{KeyValuePair, LoadState, Status};
use milvus::proto::milvus::milvus_service_server::{MilvusService, MilvusServiceServer};
use milvus::proto::milvus::{
    ConnectRequest, ConnectResponse, CreateCollectionRequest, CreateIndexRequest, DeleteRequest,
    DescribeCollectionRequest, DescribeCollectionResponse, DescribeIndexRequest,
    DescribeIndexResponse, FlushRequest, FlushResponse, GetLoadStateRequest, GetLoadStateResponse,
    GetVersionRequest, GetVersionResponse, IndexDescription, LoadCollectionRequest, MutationResult,
    QueryRequest, QueryResults, UpsertRequest,
};
use milvus::proto::schema::field_data::Field;
use milvus::proto::schema::scalar_field::Data;
use milvus::proto::schema::{
    CollectionSchema, FieldData, FloatArray, JsonArray, LongArray, ScalarField, StringArray,
    VectorField, vector_field,
};
use prost::Message;
use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response};

use crate::relay::Relay;

/// What happens to one call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fault {
    /// gRPC says UNAVAILABLE.
    Unavailable,
    /// Code 8.
    RateLimit,
    /// Code 9.
    Quota,
    /// The connection is cut before the call has an effect.
    CutBefore,
    /// The connection is cut after the call took effect.
    CutAfter,
    /// The call takes effect and is never answered.
    Unanswered,
    /// Status OK, and these rows, counted from 0, are not written.
    Partial(Vec<u32>),
    /// The token is no longer accepted.
    Expired,
    /// Somebody drops every collection first.
    Dropped,
    /// Somebody drops every collection first, and creates it anew.
    Replaced,
    /// Somebody changed the schema: the rows do not fit.
    Altered,
    /// The answer is this many bytes larger.
    Large(usize),
}

/// One field of one row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    Text(String),
    Number(i64),
    Json(Vec<u8>),
    Vector(Vec<f32>),
}

/// Rows by id.
pub(crate) type Rows = BTreeMap<String, BTreeMap<String, Cell>>;

#[derive(Debug, Default)]
struct Held {
    number: i64,
    schema: CollectionSchema,
    properties: Vec<KeyValuePair>,
    index: Option<Vec<KeyValuePair>>,
    loaded: bool,
    rows: Rows,
}

#[derive(Default)]
struct State {
    collections: HashMap<String, Held>,
    /// What happens to the next calls of a method; `None` lets one pass.
    schedule: HashMap<&'static str, VecDeque<Option<Fault>>>,
    calls: HashMap<&'static str, usize>,
    /// What is done before the next call of a method is answered.
    actions: HashMap<&'static str, Box<dyn FnOnce() + Send>>,
    /// Largest upsert that is taken.
    most_bytes: Option<usize>,
    /// Rows whose path contains this are never written.
    refused: Option<String>,
    /// Whether it says that it is a Milvus Lite.
    lite: bool,
}

impl State {
    fn collection(&mut self, name: &str) -> Result<&mut Held, Status> {
        let missing = || failed(100, "collection not found");
        self.collections.get_mut(name).ok_or_else(missing)
    }
}

#[derive(Clone)]
struct Service {
    state: Arc<Mutex<State>>,
    relay: Relay,
}

/// The server, for as long as it is kept.
pub(crate) struct Fake {
    service: Service,
    runtime: tokio::runtime::Runtime,
}

impl Fake {
    pub(crate) fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let service = runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let inner = listener.local_addr().unwrap();
            let service = Service {
                state: Arc::default(),
                relay: Relay::start(inner).await,
            };
            let server = MilvusServiceServer::new(service.clone())
                .max_decoding_message_size(usize::MAX)
                .max_encoding_message_size(usize::MAX);
            tokio::spawn(
                tonic::transport::Server::builder()
                    .add_service(server)
                    .serve_with_incoming(TcpIncoming::from(listener)),
            );
            service
        });
        Self { service, runtime }
    }

    pub(crate) fn uri(&self) -> String {
        self.service.relay.uri()
    }

    /// Sets what happens to the next calls of `method`.
    pub(crate) fn schedule(
        &self,
        method: &'static str,
        faults: impl IntoIterator<Item = Option<Fault>>,
    ) {
        let mut state = self.service.state();
        state.schedule.insert(method, faults.into_iter().collect());
    }

    /// Does something before the next call of `method` is answered.
    pub(crate) fn once(&self, method: &'static str, action: impl FnOnce() + Send + 'static) {
        let mut state = self.service.state();
        state.actions.insert(method, Box::new(action));
    }

    /// Forgets that any collection is loaded, before the next call of `method`
    /// is answered.
    pub(crate) fn unload_before(&self, method: &'static str) {
        let service = self.service.clone();
        self.once(method, move || {
            let mut state = service.state();
            state
                .collections
                .values_mut()
                .for_each(|held| held.loaded = false);
        });
    }

    pub(crate) fn takes_at_most(&self, bytes: usize) {
        self.service.state().most_bytes = Some(bytes);
    }

    /// Says from now on that it is a Milvus Lite.
    pub(crate) fn be_lite(&self) {
        self.service.state().lite = true;
    }

    pub(crate) fn refuses(&self, path: &str) {
        self.service.state().refused = Some(path.to_owned());
    }

    /// How often a method was called.
    pub(crate) fn calls(&self, method: &str) -> usize {
        self.service.state().calls.get(method).copied().unwrap_or(0)
    }

    /// Changes a field of the row whose path ends so.
    pub(crate) fn alter(&self, collection: &str, path_end: &str, field: &str, cell: Cell) {
        let mut state = self.service.state();
        let held = state.collections.get_mut(collection).unwrap();
        let of_path = |row: &&mut BTreeMap<String, Cell>| match &row["path"] {
            Cell::Text(path) => path.ends_with(path_end),
            _ => false,
        };
        let row = held.rows.values_mut().find(of_path).unwrap();
        row.insert(field.to_owned(), cell);
    }

    /// Rows of a collection.
    pub(crate) fn rows(&self, collection: &str) -> Rows {
        let mut state = self.service.state();
        state
            .collection(collection)
            .map_or_else(|_| Rows::new(), |held| held.rows.clone())
    }

    /// Whether answers come one byte a second.
    pub(crate) fn drip(&self, drips: bool) {
        self.service.relay.drip(drips);
    }

    /// Nothing listens any more.
    pub(crate) fn die(&self) {
        self.service.relay.die();
    }

    /// Listens again, on the same port.
    pub(crate) fn come_back(&self) {
        self.runtime.block_on(self.service.relay.listen());
    }
}

impl Service {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Counts a call, and does what the schedule says of it.
    async fn answer<R: Says>(
        &self,
        method: &'static str,
        apply: impl FnOnce(&mut State, Option<&Fault>) -> Result<R, Status>,
    ) -> Result<Response<R>, tonic::Status> {
        let action = self.state().actions.remove(method);
        if let Some(action) = action {
            action();
        }
        let fault = {
            let mut state = self.state();
            *state.calls.entry(method).or_default() += 1;
            let scheduled = state.schedule.get_mut(method);
            scheduled.and_then(VecDeque::pop_front).flatten()
        };
        let apply = |fault: Option<&Fault>| apply(&mut self.state(), fault).unwrap_or_else(R::says);
        let reply = match &fault {
            Some(Fault::Unavailable) => {
                return Err(tonic::Status::unavailable("the proxy is not ready"));
            }
            Some(Fault::Expired) => {
                return Err(tonic::Status::unauthenticated("the token has expired"));
            }
            Some(Fault::RateLimit) => R::says(failed(8, "rate limit exceeded")),
            Some(Fault::Quota) => R::says(failed(9, "quota exceeded: disk full")),
            Some(Fault::Altered) => R::says(failed(1, "the schema does not match")),
            Some(Fault::CutBefore) => {
                self.relay.cut();
                std::future::pending().await
            }
            Some(Fault::CutAfter) => {
                drop(apply(None));
                self.relay.cut();
                std::future::pending().await
            }
            Some(Fault::Unanswered) => {
                drop(apply(None));
                std::future::pending().await
            }
            Some(Fault::Dropped) => {
                self.state().collections.clear();
                apply(None)
            }
            Some(Fault::Replaced) => {
                for held in self.state().collections.values_mut() {
                    held.rows.clear();
                    held.number += 1;
                }
                apply(None)
            }
            Some(Fault::Partial(_) | Fault::Large(_)) | None => apply(fault.as_ref()),
        };
        Ok(Response::new(reply))
    }
}

fn failed(code: i32, reason: &str) -> Status {
    Status {
        code,
        reason: reason.to_owned(),
        ..Default::default()
    }
}

/// A reply that can say that something went wrong.
trait Says {
    fn says(status: Status) -> Self;
}

impl Says for Status {
    fn says(status: Status) -> Self {
        status
    }
}

macro_rules! says {
    ($($reply:ident),* $(,)?) => {
        $(impl Says for $reply {
            fn says(status: Status) -> Self {
                Self { status: Some(status), ..Default::default() }
            }
        })*
    };
}

says!(
    ConnectResponse,
    DescribeCollectionResponse,
    DescribeIndexResponse,
    FlushResponse,
    GetLoadStateResponse,
    GetVersionResponse,
    MutationResult,
    QueryResults,
);

/// Every other method answers UNIMPLEMENTED, as the trait has it.
#[tonic::async_trait]
impl MilvusService for Service {
    async fn get_version(
        &self,
        _: Request<GetVersionRequest>,
    ) -> Result<Response<GetVersionResponse>, tonic::Status> {
        self.answer("get_version", |state, _| {
            let version = if state.lite {
                "milvus_lite-3.2.2"
            } else {
                "v2.4.0"
            };
            Ok(GetVersionResponse {
                version: version.to_owned(),
                ..GetVersionResponse::says(Status::default())
            })
        })
        .await
    }

    async fn connect(
        &self,
        _: Request<ConnectRequest>,
    ) -> Result<Response<ConnectResponse>, tonic::Status> {
        self.answer("connect", |_, _| {
            Ok(ConnectResponse::says(Status::default()))
        })
        .await
    }

    async fn create_collection(
        &self,
        request: Request<CreateCollectionRequest>,
    ) -> Result<Response<Status>, tonic::Status> {
        let request = request.into_inner();
        self.answer("create_collection", |state, _| {
            let held = Held {
                schema: CollectionSchema::decode(&request.schema[..]).unwrap(),
                properties: request.properties,
                ..Default::default()
            };
            match state.collections.entry(request.collection_name) {
                // As Milvus Lite has it; Milvus itself lets it pass.
                Entry::Occupied(_) => Err(failed(1, "collection already exists")),
                Entry::Vacant(place) => {
                    place.insert(held);
                    Ok(Status::default())
                }
            }
        })
        .await
    }

    async fn describe_collection(
        &self,
        request: Request<DescribeCollectionRequest>,
    ) -> Result<Response<DescribeCollectionResponse>, tonic::Status> {
        let name = request.into_inner().collection_name;
        self.answer("describe_collection", |state, _| {
            let held = state.collection(&name)?;
            Ok(DescribeCollectionResponse {
                schema: Some(held.schema.clone()),
                collection_id: held.number,
                properties: held.properties.clone(),
                ..DescribeCollectionResponse::says(Status::default())
            })
        })
        .await
    }

    async fn create_index(
        &self,
        request: Request<CreateIndexRequest>,
    ) -> Result<Response<Status>, tonic::Status> {
        let request = request.into_inner();
        self.answer("create_index", |state, _| {
            let held = state.collection(&request.collection_name)?;
            if held.index.is_some() {
                return Err(failed(35, "index already exists"));
            }
            held.index = Some(request.extra_params);
            Ok(Status::default())
        })
        .await
    }

    async fn describe_index(
        &self,
        request: Request<DescribeIndexRequest>,
    ) -> Result<Response<DescribeIndexResponse>, tonic::Status> {
        let request = request.into_inner();
        self.answer("describe_index", |state, _| {
            let index = state.collection(&request.collection_name)?.index.clone();
            let params = index.ok_or_else(|| failed(700, "index not found"))?;
            Ok(DescribeIndexResponse {
                index_descriptions: vec![IndexDescription {
                    field_name: request.field_name,
                    params,
                    ..Default::default()
                }],
                ..DescribeIndexResponse::says(Status::default())
            })
        })
        .await
    }

    async fn load_collection(
        &self,
        request: Request<LoadCollectionRequest>,
    ) -> Result<Response<Status>, tonic::Status> {
        let name = request.into_inner().collection_name;
        self.answer("load_collection", |state, _| {
            state.collection(&name)?.loaded = true;
            Ok(Status::default())
        })
        .await
    }

    async fn get_load_state(
        &self,
        request: Request<GetLoadStateRequest>,
    ) -> Result<Response<GetLoadStateResponse>, tonic::Status> {
        let name = request.into_inner().collection_name;
        self.answer("get_load_state", |state, _| {
            let loaded = state.collection(&name)?.loaded;
            let reached = if loaded {
                LoadState::Loaded
            } else {
                LoadState::NotLoad
            };
            Ok(GetLoadStateResponse {
                state: reached as i32,
                ..GetLoadStateResponse::says(Status::default())
            })
        })
        .await
    }

    async fn flush(
        &self,
        _: Request<FlushRequest>,
    ) -> Result<Response<FlushResponse>, tonic::Status> {
        self.answer("flush", |_, _| Ok(FlushResponse::says(Status::default())))
            .await
    }

    async fn upsert(
        &self,
        request: Request<UpsertRequest>,
    ) -> Result<Response<MutationResult>, tonic::Status> {
        let request = request.into_inner();
        let (bytes, most) = (request.encoded_len(), self.state().most_bytes);
        if let Some(most) = most.filter(|most| bytes > *most) {
            return Err(tonic::Status::resource_exhausted(format!(
                "grpc: received message larger than max ({bytes} vs. {most})"
            )));
        }
        self.answer("upsert", |state, fault| {
            let refused = state.refused.clone();
            let held = state.collection(&request.collection_name)?;
            let mut err_index = match fault {
                Some(Fault::Partial(rows)) => rows.clone(),
                _ => Vec::new(),
            };
            for (place, row) in (0..).zip(rows_of(&request)) {
                let is_refused = refused.as_ref().is_some_and(
                    |refused| matches!(&row["path"], Cell::Text(path) if path.contains(refused)),
                );
                if is_refused {
                    err_index.push(place);
                } else if !err_index.contains(&place) {
                    held.rows.insert(id_of(&row), row);
                }
            }
            err_index.retain(|place| *place < request.num_rows);
            Ok(MutationResult {
                upsert_cnt: i64::from(request.num_rows) - count(err_index.len()),
                err_index,
                ..MutationResult::says(Status::default())
            })
        })
        .await
    }

    async fn delete(
        &self,
        request: Request<DeleteRequest>,
    ) -> Result<Response<MutationResult>, tonic::Status> {
        let request = request.into_inner();
        self.answer("delete", |state, _| {
            let held = state.collection(&request.collection_name)?;
            let before = held.rows.len();
            held.rows.retain(|id, _| !matches(&request.expr, id));
            Ok(MutationResult {
                delete_cnt: count(before - held.rows.len()),
                ..MutationResult::says(Status::default())
            })
        })
        .await
    }

    async fn query(
        &self,
        request: Request<QueryRequest>,
    ) -> Result<Response<QueryResults>, tonic::Status> {
        let request = request.into_inner();
        self.answer("query", |state, fault| {
            let held = state.collection(&request.collection_name)?;
            if !held.loaded {
                return Err(failed(101, "collection not loaded"));
            }
            let limit = request.query_params.iter().find(|pair| pair.key == "limit");
            let limit = limit.map_or(usize::MAX, |pair| pair.value.parse().unwrap());
            let found = held
                .rows
                .iter()
                .filter(|(id, _)| matches(&request.expr, id));
            let found: Vec<_> = found.map(|(_, row)| row).take(limit).collect();
            let mut fields_data: Vec<FieldData> = request
                .output_fields
                .iter()
                .map(|field| column(field, &found))
                .collect();
            if let Some(Fault::Large(bytes)) = fault {
                let ballast =
                    BTreeMap::from([("ballast".to_owned(), Cell::Text("x".repeat(*bytes)))]);
                fields_data.push(column("ballast", &[&ballast]));
            }
            Ok(QueryResults {
                fields_data,
                ..QueryResults::says(Status::default())
            })
        })
        .await
    }
}

fn count(rows: usize) -> i64 {
    i64::try_from(rows).unwrap()
}

fn id_of(row: &BTreeMap<String, Cell>) -> String {
    match &row["id"] {
        Cell::Text(id) => id.clone(),
        other => panic!("{other:?} is no id"),
    }
}

/// The columns of an upsert as rows.
fn rows_of(request: &UpsertRequest) -> Vec<BTreeMap<String, Cell>> {
    let mut rows = vec![BTreeMap::new(); request.num_rows as usize];
    for field in &request.fields_data {
        let cells: Vec<Cell> = match field.field.as_ref().unwrap() {
            Field::Scalars(scalars) => match scalars.data.as_ref().unwrap() {
                Data::StringData(texts) => texts.data.iter().cloned().map(Cell::Text).collect(),
                Data::LongData(longs) => longs.data.iter().copied().map(Cell::Number).collect(),
                Data::JsonData(jsons) => jsons.data.iter().cloned().map(Cell::Json).collect(),
                other => panic!("{other:?} is not ours"),
            },
            Field::Vectors(vectors) => match vectors.data.as_ref().unwrap() {
                vector_field::Data::FloatVector(floats) => floats
                    .data
                    .chunks(usize::try_from(vectors.dim).unwrap())
                    .map(|vector| Cell::Vector(vector.to_vec()))
                    .collect(),
                other => panic!("{other:?} is not ours"),
            },
            Field::StructArrays(_) => panic!("nothing of ours is made of structs"),
        };
        assert_eq!(cells.len(), rows.len(), "{}", field.field_name);
        for (row, cell) in rows.iter_mut().zip(cells) {
            row.insert(field.field_name.clone(), cell);
        }
    }
    rows
}

/// A field of rows as a column; `count(*)` counts them.
fn column(name: &str, rows: &[&BTreeMap<String, Cell>]) -> FieldData {
    let texts = || {
        rows.iter().map(|row| match &row[name] {
            Cell::Text(text) => text.clone(),
            other => panic!("{other:?} is no text"),
        })
    };
    let data = match rows.first().map(|row| row.get(name)) {
        _ if name == "count(*)" => Data::LongData(LongArray {
            data: vec![count(rows.len())],
        }),
        None => {
            return FieldData {
                field_name: name.to_owned(),
                ..Default::default()
            };
        }
        Some(Some(Cell::Text(_))) => Data::StringData(StringArray {
            data: texts().collect(),
        }),
        Some(Some(Cell::Number(_))) => Data::LongData(LongArray {
            data: rows
                .iter()
                .filter_map(|row| match row[name] {
                    Cell::Number(number) => Some(number),
                    _ => None,
                })
                .collect(),
        }),
        Some(Some(Cell::Json(_))) => Data::JsonData(JsonArray {
            data: rows
                .iter()
                .filter_map(|row| match &row[name] {
                    Cell::Json(json) => Some(json.clone()),
                    _ => None,
                })
                .collect(),
        }),
        Some(Some(Cell::Vector(first))) => return vectors(name, first.len(), rows),
        Some(None) => panic!("no row has a {name}"),
    };
    FieldData {
        field_name: name.to_owned(),
        field: Some(Field::Scalars(ScalarField {
            data: Some(data),
            ..Default::default()
        })),
        ..Default::default()
    }
}

fn vectors(name: &str, dimension: usize, rows: &[&BTreeMap<String, Cell>]) -> FieldData {
    let numbers = rows.iter().flat_map(|row| match &row[name] {
        Cell::Vector(vector) => vector.clone(),
        other => panic!("{other:?} is no vector"),
    });
    let data = FloatArray {
        data: numbers.collect(),
    };
    FieldData {
        field_name: name.to_owned(),
        field: Some(Field::Vectors(VectorField {
            dim: count(dimension),
            data: Some(vector_field::Data::FloatVector(data)),
            ..Default::default()
        })),
        ..Default::default()
    }
}

/// `id in ["a","b"]`, `id > "a"`, `id < "b"`, and several of them with `and`.
fn matches(expr: &str, id: &str) -> bool {
    let text = |quoted: &str| serde_json::from_str::<String>(quoted).unwrap();
    expr.split(" and ")
        .filter(|part| !part.is_empty())
        .all(|part| {
            let rest = part.trim().strip_prefix("id ");
            let rest = rest.unwrap_or_else(|| panic!("{part}: only ids are asked for"));
            let (operator, operand) = rest.split_once(' ').unwrap();
            match operator {
                "in" => serde_json::from_str::<Vec<String>>(operand)
                    .unwrap()
                    .iter()
                    .any(|wanted| wanted == id),
                ">" => id > text(operand).as_str(),
                "<" => id < text(operand).as_str(),
                ">=" => id >= text(operand).as_str(),
                "<=" => id <= text(operand).as_str(),
                "!=" => id != text(operand),
                other => panic!("{other} is not spoken here"),
            }
        })
}
