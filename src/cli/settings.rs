//! Where settings come from: flag, then environment, then file, then default.
#![expect(
    clippy::doc_markdown,
    reason = "the doc comments of arguments are their --help"
)]

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow};
use serde::Deserialize;

use super::failure::Failure;
use crate::config::{Connection, Secret};
use crate::model::ModelDirs;

const DEFAULT_URI: &str = "http://localhost:19530";

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Name of the configuration file in the working folder.
const LOCAL_FILE: &str = "milvus-image-search.toml";

/// Which Milvus.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Milvus")]
pub(super) struct MilvusArgs {
    /// Address of Milvus: http://host:port, or https:// for TLS [default: http://localhost:19530]
    #[arg(long, env = "MILVUS_URI", value_name = "URI", hide_env_values = true)]
    uri: Option<String>,

    /// File that holds the token (`user:password` or an API key)
    ///
    /// The token itself is never taken on the command line, where every user
    /// of the machine could read it. Set MILVUS_TOKEN instead of this flag to
    /// pass it through the environment.
    #[arg(long, env = "MILVUS_TOKEN_FILE", value_name = "FILE")]
    token: Option<PathBuf>,

    /// Database [default: the server's]
    #[arg(long, env = "MILVUS_DATABASE", value_name = "NAME")]
    database: Option<String>,

    /// PEM file of the authority that signed the server's certificate
    /// [default: those the system trusts]
    #[arg(long, env = "MILVUS_TLS_CA", value_name = "FILE")]
    tls_ca: Option<PathBuf>,

    /// Longest wait for one answer, in seconds [default: 60]
    #[arg(long, env = "MILVUS_TIMEOUT", value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    timeout: Option<u64>,

    /// How long a request is tried again after transient faults, in seconds
    /// [default: 3600 for ingest, 10 for search]
    #[arg(long, env = "MILVUS_RETRY_FOR", value_name = "SECONDS")]
    retry_for: Option<u64>,

    /// Longest wait before a request is tried a second time, in milliseconds;
    /// it doubles with each try, and each wait is drawn below it [default: 100]
    #[arg(long, env = "MILVUS_RETRY_FIRST_WAIT", value_name = "MS", value_parser = clap::value_parser!(u64).range(1..))]
    retry_first_wait: Option<u64>,

    /// Longest wait between two tries, in seconds [default: 10]
    #[arg(long, env = "MILVUS_RETRY_MAX_WAIT", value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    retry_max_wait: Option<u64>,
}

/// Where models and settings are.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Models and settings")]
pub(super) struct PlaceArgs {
    /// Folder that holds the models [default: models/ of the project]
    #[arg(long, env = "MILVUS_MODELS_DIR", value_name = "DIR", global = true)]
    models_dir: Option<PathBuf>,

    /// Configuration file [default: ./milvus-image-search.toml, then
    /// ~/.config/milvus-image-search/config.toml]
    #[arg(
        long,
        env = "MILVUS_IMAGE_SEARCH_CONFIG",
        value_name = "FILE",
        global = true
    )]
    config: Option<PathBuf>,
}

/// The configuration file. Every key is optional.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    /// The file itself; `None` where there is none.
    #[serde(skip)]
    pub(super) path: Option<PathBuf>,
    uri: Option<String>,
    #[serde(rename = "token_file")]
    token: Option<PathBuf>,
    database: Option<String>,
    tls_ca: Option<PathBuf>,
    timeout: Option<u64>,
    retry_for: Option<u64>,
    retry_first_wait: Option<u64>,
    retry_max_wait: Option<u64>,
    models_dir: Option<PathBuf>,
    pub(super) collection: Option<String>,
    pub(super) model: Option<String>,
    #[serde(default)]
    pub(super) index: IndexFile,
}

/// The `[index]` table of the configuration file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IndexFile {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) metric: Option<String>,
    pub(super) m: Option<u32>,
    pub(super) ef_construction: Option<u32>,
    pub(super) nlist: Option<u32>,
}

impl PlaceArgs {
    /// Reads the configuration file: the one that was named, else the first
    /// that exists.
    pub(super) fn file(&self) -> Result<File, Failure> {
        let home = std::env::var_os("XDG_CONFIG_HOME")
            .filter(|folder| !folder.is_empty())
            .map(PathBuf::from)
            .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".config")))
            .map(|folder| folder.join("milvus-image-search/config.toml"));
        let usual = || {
            let mut places = std::iter::once(PathBuf::from(LOCAL_FILE)).chain(home);
            places.find(|path| path.is_file())
        };
        let Some(path) = self.config.clone().or_else(usual) else {
            return Ok(File::default());
        };
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read the configuration file {}", path.display()))
            .map_err(|error| Failure::new(error, "check the path and its permissions"))?;
        let mut file: File = toml::from_str(&text).map_err(|error| {
            let error = anyhow!("{}", error.to_string().trim_end()).context(format!(
                "the configuration file {} is wrong",
                path.display()
            ));
            Failure::new(error, "correct the line; README.md lists the keys")
        })?;
        // Paths in a file count from the file, wherever the command runs.
        let folder = path.parent().unwrap_or(Path::new(""));
        for path in [&mut file.token, &mut file.tls_ca, &mut file.models_dir] {
            *path = path.take().map(|path| folder.join(path));
        }
        file.path = Some(path);
        Ok(file)
    }

    /// Where models are looked for.
    pub(super) fn model_dirs(&self, file: &File) -> ModelDirs {
        ModelDirs::new(self.models_dir.clone().or_else(|| file.models_dir.clone()))
    }
}

impl MilvusArgs {
    /// Everything that a connection needs.
    pub(super) fn connection(
        &self,
        file: &File,
        default_retry: Duration,
    ) -> Result<Connection, Failure> {
        let timeout = self.timeout.or(file.timeout).unwrap_or(60).max(1);
        let retry = self.retry_for.or(file.retry_for);
        let first_wait = self.retry_first_wait.or(file.retry_first_wait);
        let max_wait = self.retry_max_wait.or(file.retry_max_wait);
        Ok(Connection {
            uri: self
                .uri
                .clone()
                .or_else(|| file.uri.clone())
                .unwrap_or_else(|| DEFAULT_URI.to_owned()),
            token: self.token(file)?,
            database: self.database.clone().or_else(|| file.database.clone()),
            tls_ca: self.tls_ca.clone().or_else(|| file.tls_ca.clone()),
            connect_timeout: CONNECT_TIMEOUT,
            request_timeout: Duration::from_secs(timeout),
            retry_deadline: retry.map_or(default_retry, Duration::from_secs),
            retry_first_wait: Duration::from_millis(first_wait.unwrap_or(100).max(1)),
            retry_max_wait: Duration::from_secs(max_wait.unwrap_or(10).max(1)),
        })
    }

    fn token(&self, file: &File) -> Result<Option<Secret>, Failure> {
        let from_file = match (&self.token, std::env::var("MILVUS_TOKEN")) {
            (Some(path), _) => Some(path),
            (None, Ok(token)) if !token.is_empty() => return Ok(Some(Secret::new(token))),
            (None, _) => file.token.as_ref(),
        };
        let Some(path) = from_file else {
            return Ok(None);
        };
        // The path is not repeated: somebody may have typed the token itself.
        let token = std::fs::read_to_string(path)
            .context("the file that --token names cannot be read")
            .map_err(|error| {
                Failure::new(
                    error,
                    "--token takes the path of a file that holds the token; set MILVUS_TOKEN to pass the token itself",
                )
            })?;
        Ok(Some(Secret::new(token.trim().to_owned())))
    }
}
