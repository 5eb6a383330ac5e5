//! Why a file could not be fetched, and what to do about it.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::entity::Hint;
use crate::model::Source;

/// Why a model's files could not be fetched. Addresses are shown as they were
/// asked for: what a hub redirects to may carry a signature.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The manifest names no repository.
    #[error("model `{name}` is on no hub")]
    NotOnHub {
        /// The model.
        name: String,
        /// Where its files come from instead.
        source_kind: Source,
    },
    /// The mirror's address is none.
    #[error("cannot fetch from {given:?}: {wrong}")]
    Address {
        /// What was given, without what may be secret.
        given: String,
        /// What is wrong with it.
        wrong: &'static str,
    },
    /// The token cannot stand in a header.
    #[error("the token holds a character that cannot be sent")]
    Token,
    /// The HTTP client could not be set up.
    #[error("cannot prepare HTTP requests")]
    Client {
        /// What went wrong.
        source: reqwest::Error,
    },
    /// Another fetch holds the folder.
    #[error("another fetch of model `{name}` is running: {} is locked", lock.display())]
    Busy {
        /// The model.
        name: String,
        /// The file that it holds.
        lock: PathBuf,
    },
    /// No place has the file.
    #[error("{file:?} was not found: tried {}", tried.join(", "))]
    NotFound {
        /// Path inside the model's folder.
        file: String,
        /// Addresses or paths that were tried.
        tried: Vec<String>,
    },
    /// The server wants to know who asks, or does not want this one (401, 403).
    #[error("{url} refuses access (HTTP {status})")]
    Refused {
        /// What was asked for.
        url: String,
        /// 401 or 403.
        status: u16,
        /// Whether a token was sent.
        token_sent: bool,
        /// The model's page on the hub.
        page: Option<String>,
    },
    /// Another answer that brings no file.
    #[error("{url} answered HTTP {status}")]
    Status {
        /// What was asked for.
        url: String,
        /// The status code.
        status: u16,
        /// How long the server asks to wait.
        retry_after: Option<Duration>,
    },
    /// The answer is a page for people.
    #[error("{url} answered with a web page, not with the file")]
    Page {
        /// What was asked for.
        url: String,
    },
    /// No answer at all.
    #[error("cannot reach {url}: {obstacle}")]
    Unreachable {
        /// What was asked for.
        url: String,
        /// Where it failed.
        obstacle: Obstacle,
        /// What the client said.
        source: reqwest::Error,
    },
    /// The server fell silent.
    #[error("{url} sent nothing for {} s", after.as_secs_f32())]
    Stalled {
        /// What was asked for.
        url: String,
        /// The longest silence that is waited for.
        after: Duration,
    },
    /// The file ended too early.
    #[error("{url} broke off after {received} bytes")]
    Cut {
        /// What was asked for.
        url: String,
        /// Bytes that are there now.
        received: u64,
        /// What the client said.
        source: Option<reqwest::Error>,
    },
    /// The file does not end where it should.
    #[error("{origin} sends more than {limit} bytes")]
    TooLong {
        /// Address or path.
        origin: String,
        /// Size in the manifest, else the announced one.
        limit: u64,
    },
    /// Another file than the pinned one.
    #[error(
        "{origin} is not the file that the manifest names: {what} is {found}, expected {expected}"
    )]
    Different {
        /// Address or path.
        origin: String,
        /// What was compared: `size` or `sha256`.
        what: &'static str,
        /// What came.
        found: String,
        /// What the manifest says.
        expected: String,
    },
    /// A file or folder cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Where an attempt to reach a server failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// Its name has no address.
    Name,
    /// It cannot prove who it is, or does not speak TLS.
    Tls,
    /// It did not answer in time.
    Timeout,
    /// It redirects in circles, or nowhere.
    Redirect,
    /// It takes no connections, or the way to it is closed.
    Connection,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "the host name does not resolve",
            Self::Tls => "no secure connection",
            Self::Timeout => "no connection in time",
            Self::Redirect => "it redirects without end",
            Self::Connection => "no connection",
        })
    }
}

impl Obstacle {
    fn hint(self) -> &'static str {
        match self {
            Self::Name | Self::Timeout | Self::Connection => {
                "check the network, set HTTPS_PROXY if the way out is a proxy, or use a mirror with `--from URL-OR-FOLDER`"
            }
            Self::Tls => {
                "install the system's certificates (package ca-certificates); if the server's authority is your own, name its PEM file in SSL_CERT_FILE"
            }
            Self::Redirect => "check the address that `--from` gives",
        }
    }
}

impl Hint for FetchError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotOnHub { source_kind, .. } => not_on_hub(source_kind),
            Self::Address { .. } => format!(
                "give a folder, or an address such as {} without user, password, query or fragment; a token goes into HF_TOKEN",
                super::DEFAULT_HUB
            ),
            Self::Token => "set HF_TOKEN to the token alone, or unset it".to_owned(),
            Self::Client { .. } => "check that SSL_CERT_FILE, or the system's certificates, are PEM files that can be read".to_owned(),
            Self::Busy { .. } => "let it end, then run the command again".to_owned(),
            Self::NotFound { .. } => "put the file at one of these places, name another with `--from URL-OR-FOLDER`, or correct `source` and `files` in the model's manifest".to_owned(),
            Self::Refused {
                token_sent, page, ..
            } => refused(*token_sent, page.as_deref()),
            Self::Status {
                status,
                retry_after,
                ..
            } => unexpected(*status, *retry_after),
            Self::Page { .. } => "open the address in a browser: a proxy or a login may stand in between; a mirror goes into `--from URL-OR-FOLDER`".to_owned(),
            Self::Unreachable { obstacle, .. } => obstacle.hint().to_owned(),
            Self::Stalled { .. } | Self::Cut { .. } => {
                "run the command again: it goes on where it stopped".to_owned()
            }
            Self::TooLong { .. } | Self::Different { .. } => "fetch from elsewhere with `--from URL-OR-FOLDER`, or correct the manifest if this is the right file".to_owned(),
            Self::Read { .. } => return None,
            Self::Write { source, .. } => return unwritable(source.kind()),
        })
    }
}

fn not_on_hub(source: &Source) -> String {
    let way = match source {
        Source::Built { command } => {
            format!("build it once with `{command}` in the project's folder")
        }
        Source::Shipped | Source::Hub { .. } => {
            "restore its files from the project's repository".to_owned()
        }
    };
    format!("{way}, or name a place that has them with `--from URL-OR-FOLDER`")
}

fn refused(token_sent: bool, page: Option<&str>) -> String {
    match (token_sent, page) {
        (false, Some(page)) => format!(
            "if the model is gated, accept its licence at {page} and set HF_TOKEN to a token of that account"
        ),
        (true, Some(page)) => format!(
            "check that the token in HF_TOKEN is valid, and that its account has accepted the licence at {page}"
        ),
        (false, None) => "if the server wants a token, set HF_TOKEN to it".to_owned(),
        (true, None) => "check that the token in HF_TOKEN is valid there".to_owned(),
    }
}

fn unexpected(status: u16, retry_after: Option<Duration>) -> String {
    match (status, retry_after) {
        (_, Some(wait)) => format!(
            "the server asks for a wait of {} s; run the command again then, it goes on where it stopped",
            wait.as_secs()
        ),
        (407, _) => "the proxy wants a login: write it into HTTPS_PROXY".to_owned(),
        (408 | 429 | 500.., _) => {
            "the server is busy or broken: run the command again later, it goes on where it stopped"
                .to_owned()
        }
        _ => "check the address, or use another with `--from URL-OR-FOLDER`".to_owned(),
    }
}

fn unwritable(kind: io::ErrorKind) -> Option<String> {
    match kind {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some(
            "free some space and run the command again: it goes on where it stopped".to_owned(),
        ),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Some(
            "make the folder writable, or copy the models folder to one that is and name that with `--models-dir`"
                .to_owned(),
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_fit_the_cause() {
        let write = |kind: io::ErrorKind| {
            let error = FetchError::Write {
                path: "a".into(),
                source: kind.into(),
            };
            error.hint().unwrap_or_default()
        };
        assert!(write(io::ErrorKind::StorageFull).contains("free some space"));
        assert!(write(io::ErrorKind::PermissionDenied).contains("--models-dir"));
        assert_eq!(write(io::ErrorKind::IsADirectory), "");
        let built = FetchError::NotOnHub {
            name: "resnet50".to_owned(),
            source_kind: Source::Built {
                command: "make resnet50".to_owned(),
            },
        };
        assert!(built.hint().unwrap().contains("`make resnet50`"));
        let waiting = FetchError::Status {
            url: "u".to_owned(),
            status: 429,
            retry_after: Some(Duration::from_secs(900)),
        };
        assert!(waiting.hint().unwrap().contains("900 s"));
    }
}
