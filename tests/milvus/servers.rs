//! The servers under test, and collections that go away with their test.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use milvus::proto::common::ConsistencyLevel;
use milvus::proto::milvus::milvus_service_client::MilvusServiceClient;
use milvus::proto::milvus::{
    CreateCollectionRequest, CreateCredentialRequest, DeleteCredentialRequest,
    DropCollectionRequest, FlushRequest, InsertRequest, QueryRequest, ReleaseCollectionRequest,
};
use milvus::proto::schema::CollectionSchema;
use milvus_image_search::config::{Connection, Secret};
use milvus_image_search::entity::ImageId;
use milvus_image_search::store::Store;
use prost::Message;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

use crate::support::Run;

/// Makes each function a test on both servers.
#[allow(unused_macros, reason = "the bench names its servers one by one")]
macro_rules! on_both_servers {
    ($($(#[$meta:meta])* fn $name:ident($server:ident: &Server) $body:block)*) => {
        mod on_lite {
            $(#[test] fn $name() { super::$name(&crate::servers::Server::lite()); })*
        }
        mod on_standalone {
            $(#[test] fn $name() { super::$name(&crate::servers::Server::standalone()); })*
        }
        $($(#[$meta])* fn $name($server: &Server) $body)*
    };
}

/// A server that `make test` started.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) uri: String,
    pub(crate) token: Option<String>,
    pub(crate) ca: Option<String>,
}

impl Server {
    pub(crate) fn lite() -> Self {
        Self {
            uri: variable("MILVUS_TEST_LITE"),
            token: None,
            ca: None,
        }
    }

    /// With login and TLS.
    pub(crate) fn standalone() -> Self {
        Self {
            uri: variable("MILVUS_TEST_STANDALONE"),
            token: Some(variable("MILVUS_TEST_TOKEN")),
            ca: Some(variable("MILVUS_TEST_CA")),
        }
    }

    /// Points a command at this server.
    pub(crate) fn run(&self, run: Run) -> Run {
        let settings = [("MILVUS_TOKEN", &self.token), ("MILVUS_TLS_CA", &self.ca)];
        settings.into_iter().fold(
            run.env("MILVUS_URI", &self.uri),
            |run, (name, value)| match value {
                Some(value) => run.env(name, value),
                None => run,
            },
        )
    }

    pub(crate) fn connection(&self) -> Connection {
        Connection {
            uri: self.uri.clone(),
            token: self.token.clone().map(Secret::new),
            database: None,
            tls_ca: self.ca.clone().map(Into::into),
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(60),
            retry_deadline: Duration::from_secs(10),
            retry_first_wait: Duration::from_millis(100),
            retry_max_wait: Duration::from_secs(10),
        }
    }

    pub(crate) async fn store(&self) -> Store {
        Store::connect(&self.connection()).await.unwrap()
    }

    /// A name that nobody else uses; the collection of that name goes away
    /// with the guard.
    pub(crate) fn collection(&self, test: &str) -> Collection {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Collection {
            server: self.clone(),
            name: format!("t_{test}_{}_{count}", std::process::id()),
        }
    }

    pub(crate) async fn stub(&self) -> Option<MilvusServiceClient<Channel>> {
        let mut endpoint = Endpoint::from_shared(self.uri.clone()).unwrap();
        if let Some(ca) = &self.ca {
            let ca = Certificate::from_pem(std::fs::read(ca).unwrap());
            endpoint = endpoint
                .tls_config(ClientTlsConfig::new().ca_certificate(ca))
                .unwrap();
        }
        Some(MilvusServiceClient::new(endpoint.connect().await.ok()?))
    }

    pub(crate) fn request<T>(&self, message: T) -> tonic::Request<T> {
        use base64::Engine;
        let mut request = tonic::Request::new(message);
        if let Some(token) = &self.token {
            let encoded = base64::engine::general_purpose::STANDARD.encode(token);
            let value = encoded.parse().unwrap();
            request.metadata_mut().insert("authorization", value);
        }
        request
    }
}

/// A user without any rights, who goes away with the guard.
#[derive(Debug)]
pub(crate) struct Stranger {
    server: Server,
    name: String,
}

impl Stranger {
    const PASSWORD: &str = "Strang3r";

    pub(crate) fn new(server: &Server) -> Self {
        use base64::Engine;
        let name = format!("stranger_{}", std::process::id());
        block_on(async {
            let mut stub = server.stub().await.unwrap();
            let request = server.request(CreateCredentialRequest {
                username: name.clone(),
                password: base64::engine::general_purpose::STANDARD.encode(Self::PASSWORD),
                ..Default::default()
            });
            let status = stub.create_credential(request).await.unwrap().into_inner();
            assert_eq!(status.code, 0, "{}", status.reason);
        });
        Self {
            server: server.clone(),
            name,
        }
    }

    /// The server, as this user sees it.
    pub(crate) fn server(&self) -> Server {
        Server {
            token: Some(format!("{}:{}", self.name, Self::PASSWORD)),
            ..self.server.clone()
        }
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        block_on(async {
            let Some(mut stub) = self.server.stub().await else {
                return;
            };
            let request = self.server.request(DeleteCredentialRequest {
                username: self.name.clone(),
                ..Default::default()
            });
            let _gone = stub.delete_credential(request).await.is_ok();
        });
    }
}

/// A collection of one test.
#[derive(Debug)]
pub(crate) struct Collection {
    pub(crate) server: Server,
    pub(crate) name: String,
}

impl Collection {
    /// Seals what was written, so that the index is built of it.
    pub(crate) async fn flush(&self) {
        let mut stub = self.server.stub().await.unwrap();
        let request = self.server.request(FlushRequest {
            collection_names: vec![self.name.clone()],
            ..Default::default()
        });
        let reply = stub.flush(request).await.unwrap().into_inner();
        assert_eq!(reply.status.unwrap().code, 0);
    }

    /// Inserts a row that is there already once more.
    pub(crate) async fn insert_again(&self, id: &ImageId) {
        let mut stub = self.server.stub().await.unwrap();
        let query = self.server.request(QueryRequest {
            collection_name: self.name.clone(),
            expr: format!("id == \"{id}\""),
            output_fields: vec!["*".to_owned()],
            consistency_level: ConsistencyLevel::Strong as i32,
            ..Default::default()
        });
        let held = stub.query(query).await.unwrap().into_inner();
        assert!(held.fields_data.len() >= 9, "{held:?}");
        let insert = self.server.request(InsertRequest {
            collection_name: self.name.clone(),
            fields_data: held.fields_data,
            num_rows: 1,
            ..Default::default()
        });
        let reply = stub.insert(insert).await.unwrap().into_inner();
        assert_eq!(reply.insert_cnt, 1, "{reply:?}");
    }

    /// Creates it with a schema that is none of ours.
    pub(crate) fn create(&self, mut schema: CollectionSchema) {
        schema.name.clone_from(&self.name);
        block_on(async {
            let mut stub = self.server.stub().await.unwrap();
            let request = self.server.request(CreateCollectionRequest {
                collection_name: self.name.clone(),
                schema: schema.encode_to_vec(),
                ..Default::default()
            });
            let status = stub.create_collection(request).await.unwrap().into_inner();
            assert_eq!(status.code, 0, "{}", status.reason);
        });
    }

    /// Takes the collection out of the server's memory, and waits until it is
    /// out.
    pub(crate) fn release(&self) {
        block_on(async {
            let mut stub = self.server.stub().await.unwrap();
            let request = self.server.request(ReleaseCollectionRequest {
                collection_name: self.name.clone(),
                ..Default::default()
            });
            let status = stub.release_collection(request).await.unwrap().into_inner();
            assert_eq!(status.code, 0, "{}", status.reason);
            let store = self.server.store().await;
            let deadline = Instant::now() + Duration::from_secs(30);
            while store.is_loaded(&self.name).await.unwrap() {
                assert!(Instant::now() < deadline, "the collection stays loaded");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
    }
}

impl Drop for Collection {
    fn drop(&mut self) {
        block_on(async {
            let Some(mut stub) = self.server.stub().await else {
                return;
            };
            let request = self.server.request(DropCollectionRequest {
                collection_name: self.name.clone(),
                ..Default::default()
            });
            // One that was never created cannot be dropped.
            let _gone = stub.drop_collection(request).await.is_ok();
        });
    }
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

fn variable(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run `make test`, which starts the servers"))
}
