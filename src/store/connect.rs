//! The connection: address, TLS, token, database, and what the server is.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use milvus::proto::common::ClientInfo;
use milvus::proto::milvus::milvus_service_client::MilvusServiceClient;
use milvus::proto::milvus::{ConnectRequest, GetVersionRequest};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

use super::error::{Reason, StoreError};
use super::retry::Retry;
use super::watch::{Health, Watch};
use crate::config::Connection;

/// Largest reply that is accepted. The SDK's client stops at 4 MiB, which
/// 4,000 vectors of 512 exceed.
const MAX_REPLY_BYTES: usize = 256 << 20;

/// Interval of HTTP/2 pings: a server that vanished without a word is noticed
/// within two of them, also while a long request waits.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

pub(super) type Stub = MilvusServiceClient<InterceptedService<Channel, Headers>>;

/// What kind of server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Version, without a leading `v`.
    pub version: String,
    /// Milvus Lite: the embedded one, with limits of its own.
    pub lite: bool,
    /// How it says that it is deployed, such as `STANDALONE`; mostly empty.
    pub mode: String,
}

/// A connection to one Milvus.
#[derive(Debug, Clone)]
pub struct Store {
    pub(super) stub: Stub,
    pub(super) uri: String,
    pub(super) token_given: bool,
    pub(super) database: Option<String>,
    pub(super) request_timeout: Duration,
    pub(super) retry: Retry,
    pub(super) health: Health,
    /// Whether a collection that the server forgot to be loaded is loaded again.
    pub(super) reloads: bool,
    /// Held during a request to a Milvus Lite.
    pub(super) under_way: Arc<tokio::sync::Mutex<()>>,
    server: Server,
}

/// Adds token and database to each request.
#[derive(Clone)]
pub(super) struct Headers {
    token: Option<MetadataValue<Ascii>>,
    database: Option<MetadataValue<Ascii>>,
}

impl std::fmt::Debug for Headers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Headers").finish_non_exhaustive()
    }
}

impl Interceptor for Headers {
    fn call(
        &mut self,
        mut request: tonic::Request<()>,
    ) -> Result<tonic::Request<()>, tonic::Status> {
        let metadata = request.metadata_mut();
        if let Some(token) = &self.token {
            metadata.insert("authorization", token.clone());
        }
        if let Some(database) = &self.database {
            metadata.insert("dbname", database.clone());
        }
        Ok(request)
    }
}

impl Store {
    /// Connects, authenticates, and asks the server what it is.
    ///
    /// # Errors
    /// The address is wrong, nothing answers, the token is refused, or what
    /// answers is no Milvus.
    pub async fn connect(connection: &Connection) -> Result<Self, StoreError> {
        let channel = open(connection).await?;
        let headers = Headers::new(connection)?;
        let stub = MilvusServiceClient::with_interceptor(channel, headers)
            .max_decoding_message_size(MAX_REPLY_BYTES)
            .max_encoding_message_size(MAX_REPLY_BYTES);
        let mut store = Self {
            stub,
            uri: connection.uri.clone(),
            token_given: connection.token.is_some(),
            database: connection.database.clone(),
            request_timeout: connection.request_timeout,
            // A wrong address is found at once; only later faults are waited out.
            retry: Retry::NEVER,
            health: Health::new(&connection.uri),
            reloads: false,
            under_way: Arc::default(),
            server: Server {
                version: String::new(),
                lite: false,
                mode: String::new(),
            },
        };
        let version = store.version().await?;
        store.retry = Retry {
            first_wait: connection.retry_first_wait,
            max_wait: connection.retry_max_wait,
            deadline: connection.retry_deadline,
        };
        store.server = store.identify(&version).await?;
        tracing::debug!(uri = store.uri, server = ?store.server, "connected");
        Ok(store)
    }

    /// Tells `watch` of long outages, and lets it end the waiting.
    #[must_use]
    pub fn with_watch(mut self, watch: Arc<dyn Watch>) -> Self {
        self.health = self.health.watched_by(watch);
        self
    }

    /// Loads a collection again that was loaded, and is not any more: a server
    /// that is started anew forgets it, for a while or for good.
    #[must_use]
    pub fn with_reloads(mut self) -> Self {
        self.reloads = true;
        self
    }

    /// What answers.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Address of the server, as it was given.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    async fn version(&self) -> Result<String, StoreError> {
        const OPERATION: &str = "say which version it is";
        let reply = self
            .call(
                OPERATION,
                GetVersionRequest {},
                |mut stub, request| async move { stub.get_version(request).await },
            )
            .await
            .map_err(|error| self.not_milvus(error))?;
        self.check(OPERATION, reply.status.as_ref())?;
        Ok(reply.version)
    }

    async fn identify(&self, version: &str) -> Result<Server, StoreError> {
        // 2.3.5 answers GetVersion without looking at the token; Connect looks.
        let deploy_mode = self.handshake().await?;
        // The package of 2.3.5 calls itself `2.3.5-lite` and is a whole server.
        let embedded = version.strip_prefix("milvus_lite-");
        let version = embedded.unwrap_or_else(|| version.trim_start_matches('v'));
        Ok(Server {
            version: version.to_owned(),
            lite: embedded.is_some() || deploy_mode == "embedded",
            mode: deploy_mode,
        })
    }

    /// Greets the server, which says how it is deployed.
    async fn handshake(&self) -> Result<String, StoreError> {
        const OPERATION: &str = "greet";
        let client = ClientInfo {
            sdk_type: "Rust".to_owned(),
            sdk_version: env!("CARGO_PKG_VERSION").to_owned(),
            ..Default::default()
        };
        let request = ConnectRequest {
            client_info: Some(client),
            ..Default::default()
        };
        let reply = self
            .call(OPERATION, request, |mut stub, request| async move {
                stub.connect(request).await
            })
            .await?;
        self.check(OPERATION, reply.status.as_ref())?;
        let info = reply.server_info;
        Ok(info.map(|info| info.deploy_mode).unwrap_or_default())
    }

    fn not_milvus(&self, error: StoreError) -> StoreError {
        let uri = self.uri.clone();
        match error {
            StoreError::Transport {
                code: tonic::Code::Unavailable | tonic::Code::DeadlineExceeded,
                source,
                ..
            } => StoreError::Unreachable { uri, source },
            StoreError::Transport { source, .. } => StoreError::NotMilvus { uri, source },
            other => other,
        }
    }
}

impl Headers {
    fn new(connection: &Connection) -> Result<Self, StoreError> {
        let token = match &connection.token {
            None => None,
            Some(token) => {
                let encoded =
                    base64::engine::general_purpose::STANDARD.encode(token.expose().as_bytes());
                let mut value: MetadataValue<Ascii> =
                    encoded.parse().map_err(|_| StoreError::InvalidToken)?;
                // Keeps it out of the HTTP/2 layer's own debug output.
                value.set_sensitive(true);
                Some(value)
            }
        };
        let database = match &connection.database {
            None => None,
            Some(database) => Some(database.parse().map_err(|_| StoreError::DatabaseMissing {
                database: database.clone(),
                source: Reason::new("its name holds characters that cannot be sent"),
            })?),
        };
        Ok(Self { token, database })
    }
}

/// No answer, or no effect, within `limit`.
pub(super) fn too_late(operation: &'static str, limit: Duration) -> StoreError {
    StoreError::Transport {
        operation,
        code: tonic::Code::DeadlineExceeded,
        source: Reason::new(format!("not done within {} s", limit.as_secs())),
    }
}

async fn open(connection: &Connection) -> Result<Channel, StoreError> {
    let invalid = || StoreError::InvalidUri {
        uri: connection.uri.clone(),
    };
    let authority = connection.uri.split('/').nth(2).unwrap_or_default();
    if authority.contains('@') {
        // Not repeated: it may hold a password.
        return Err(StoreError::LoginInUri);
    }
    let tls = connection.uri.starts_with("https://");
    if !tls && !connection.uri.starts_with("http://") {
        return Err(invalid());
    }
    let mut endpoint = Endpoint::from_shared(connection.uri.clone())
        .map_err(|_| invalid())?
        .connect_timeout(connection.connect_timeout)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE);
    if endpoint.uri().host().is_none_or(str::is_empty) {
        return Err(invalid());
    }
    let unreachable = |error: &tonic::transport::Error| StoreError::Unreachable {
        uri: connection.uri.clone(),
        source: Reason::innermost(error),
    };
    if tls {
        let mut settings = ClientTlsConfig::new();
        settings = match &connection.tls_ca {
            None => settings.with_native_roots(),
            Some(path) => {
                let pem = std::fs::read(path).map_err(|source| StoreError::Certificate {
                    path: path.clone(),
                    source,
                })?;
                settings.ca_certificate(Certificate::from_pem(pem))
            }
        };
        endpoint = endpoint
            .tls_config(settings)
            .map_err(|error| unreachable(&error))?;
    }
    // The connector's own timeout covers the TCP handshake alone; TLS with a
    // silent peer would wait for ever.
    match tokio::time::timeout(connection.connect_timeout, endpoint.connect()).await {
        Ok(Ok(channel)) => Ok(channel),
        Ok(Err(error)) => Err(unreachable(&error)),
        Err(_) => Err(StoreError::Unreachable {
            uri: connection.uri.clone(),
            source: Reason::new(format!(
                "no answer within {} s",
                connection.connect_timeout.as_secs()
            )),
        }),
    }
}
