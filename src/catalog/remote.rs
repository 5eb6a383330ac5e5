//! Pictures at addresses, for questions.

use std::time::Duration;

use reqwest::Url;

use crate::entity::Hint;

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest silence in an answer.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);

/// Why a picture does not come from its address.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// The address is none.
    #[error("the address of a picture cannot be read")]
    Address,
    /// The connection failed.
    #[error("cannot fetch the picture {url}")]
    Fetch {
        /// The address, without a login.
        url: String,
        /// What happened.
        source: reqwest::Error,
    },
    /// The server answers with something else.
    #[error("the server of the picture {url} answers {status}")]
    Status {
        /// The address, without a login.
        url: String,
        /// HTTP status.
        status: u16,
    },
    /// It is larger than what is read.
    #[error("the picture {url} has more than {most} bytes")]
    TooLarge {
        /// The address, without a login.
        url: String,
        /// Most bytes that are read.
        most: u64,
    },
}

impl Hint for RemoteError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Address => "give an address such as https://example.org/q.jpg".to_owned(),
            Self::Fetch { .. } => "check the address and the network".to_owned(),
            Self::Status { .. } => {
                "open the address in a browser: it must show the picture itself".to_owned()
            }
            Self::TooLarge { .. } => {
                "fetch it yourself, make it smaller, and ask with the file".to_owned()
            }
        })
    }
}

/// Whether a picture's name is an address.
pub fn is_address(name: &str) -> bool {
    let lower = name.get(..8).unwrap_or(name).to_ascii_lowercase();
    lower.starts_with("http://") || lower.starts_with("https://")
}

/// Fetches a picture of at most `most` bytes. Proxies come from the
/// environment, as everywhere.
///
/// # Errors
/// There is no answer, or it is no picture's.
pub async fn fetch_picture(address: &str, most: u64) -> Result<Vec<u8>, RemoteError> {
    let url = Url::parse(address).map_err(|_| RemoteError::Address)?;
    let mut shown = url.clone();
    // A login in the address reaches no message.
    let _hidden = shown.set_username("").is_ok() && shown.set_password(None).is_ok();
    let shown = shown.to_string();
    let failed = |error: reqwest::Error| RemoteError::Fetch {
        url: shown.clone(),
        source: error.without_url(),
    };
    let client = reqwest::Client::builder()
        .user_agent(concat!(
            env!("CARGO_PKG_NAME"),
            "/",
            env!("CARGO_PKG_VERSION")
        ))
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(STALL_TIMEOUT)
        .build()
        .map_err(failed)?;
    let mut answer = client.get(url).send().await.map_err(failed)?;
    if !answer.status().is_success() {
        return Err(RemoteError::Status {
            url: shown,
            status: answer.status().as_u16(),
        });
    }
    let too_large = || RemoteError::TooLarge {
        url: shown.clone(),
        most,
    };
    if answer.content_length().is_some_and(|bytes| bytes > most) {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(failed)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() as u64 > most {
            return Err(too_large());
        }
    }
    Ok(bytes)
}
