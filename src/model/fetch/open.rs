//! Beginning to read a file at one place, and what the answers mean.

use std::error::Error;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::header::{self, HeaderMap, HeaderValue};
use reqwest::{ClientBuilder, Response, Url};

use super::place::Place;
use super::{FetchError, FetchOptions, Job, Obstacle};
use crate::model::ModelFile;

/// Read at once from a mirror's folder: large enough that system calls vanish
/// beside copying, small enough that an interruption is seen at once.
const BLOCK_BYTES: u64 = 256 * 1024;

/// Why a try did not bring the whole file.
pub(super) enum Setback {
    /// Trying again would not help.
    Final(FetchError),
    /// It may help, after the wait that the server asks for.
    Passing {
        error: FetchError,
        retry_after: Option<Duration>,
    },
    /// This place does not have the file, or does not show it to us: some
    /// stores answer 403 for what they do not have.
    Elsewhere(Option<FetchError>),
    /// The server cannot go on in the middle of the file.
    NoRange,
}

impl From<FetchError> for Setback {
    fn from(error: FetchError) -> Self {
        Self::Final(error)
    }
}

/// A file that has begun to arrive.
pub(super) struct Opening {
    /// Where in the file the next byte belongs.
    pub(super) position: u64,
    /// Size of the whole file, where it is announced.
    pub(super) total: Option<u64>,
    body: Body,
}

enum Body {
    File(PathBuf, File),
    Answer(Url, Response),
}

/// Client with the settings of `options`. Proxies come from the environment,
/// as everywhere (`HTTPS_PROXY`, `NO_PROXY`).
pub(super) fn client(options: &FetchOptions) -> ClientBuilder {
    reqwest::Client::builder()
        .user_agent(concat!(
            env!("CARGO_PKG_NAME"),
            "/",
            env!("CARGO_PKG_VERSION")
        ))
        .connect_timeout(options.connect_timeout)
        .read_timeout(options.stall_timeout)
}

/// Begins to read `file` at `place`, if possible at `offset`.
pub(super) async fn open(
    place: &Place,
    job: &Job<'_>,
    file: &ModelFile,
    offset: u64,
) -> Result<Opening, Setback> {
    let (url, page) = match place {
        Place::File(path) => return open_file(path, offset),
        Place::Url { url, page } => (url, page),
    };
    let token = token(job.options)?;
    let token_sent = token.is_some();
    // A hash belongs to the bytes as they are, not to a compressed form.
    let mut request = job
        .client
        .get(url.clone())
        .header(header::ACCEPT_ENCODING, "identity");
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, token);
    }
    if offset > 0 {
        request = request.header(header::RANGE, format!("bytes={offset}-"));
    }
    let answer = match request.send().await {
        Ok(answer) => answer,
        Err(error) => return Err(unanswered(url, offset, error, job.options)),
    };
    match answer.status().as_u16() {
        status @ (401 | 403) => Err(Setback::Elsewhere(Some(FetchError::Refused {
            url: url.to_string(),
            status,
            token_sent,
            page: page.as_ref().map(Url::to_string),
        }))),
        _ => read_answer(url, file, offset, answer),
    }
}

fn open_file(path: &Path, offset: u64) -> Result<Opening, Setback> {
    let unreadable = |source| FetchError::Read {
        path: path.to_owned(),
        source,
    };
    if !path.is_file() {
        return Err(Setback::Elsewhere(None));
    }
    let mut file = File::open(path).map_err(unreadable)?;
    let total = file.metadata().map_err(unreadable)?.len();
    if total < offset {
        return Err(Setback::NoRange);
    }
    file.seek(SeekFrom::Start(offset)).map_err(unreadable)?;
    Ok(Opening {
        position: offset,
        total: Some(total),
        body: Body::File(path.to_owned(), file),
    })
}

fn token(options: &FetchOptions) -> Result<Option<HeaderValue>, FetchError> {
    let token = options.token.as_ref().map_or("", |token| token.expose());
    if token.trim().is_empty() {
        return Ok(None);
    }
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.trim()))
        .map_err(|_| FetchError::Token)?;
    value.set_sensitive(true);
    Ok(Some(value))
}

/// What a request without an answer means.
fn unanswered(url: &Url, offset: u64, error: reqwest::Error, options: &FetchOptions) -> Setback {
    if !error.is_connect() && !error.is_redirect() {
        return broken(url, offset, error, options.stall_timeout);
    }
    let obstacle = obstacle(&error);
    let error = FetchError::Unreachable {
        url: url.to_string(),
        obstacle,
        source: error.without_url(),
    };
    match obstacle {
        Obstacle::Tls | Obstacle::Redirect => Setback::Final(error),
        Obstacle::Name | Obstacle::Timeout | Obstacle::Connection => passing(error),
    }
}

/// A connection that ended or fell silent. Here and above the client's error
/// loses its address, which after a redirect may hold a signature.
fn broken(url: &Url, received: u64, error: reqwest::Error, stall_timeout: Duration) -> Setback {
    let url = url.to_string();
    passing(if error.is_timeout() {
        FetchError::Stalled {
            url,
            after: stall_timeout,
        }
    } else {
        FetchError::Cut {
            url,
            received,
            source: Some(error.without_url()),
        }
    })
}

fn passing(error: FetchError) -> Setback {
    Setback::Passing {
        error,
        retry_after: None,
    }
}

/// The client has no kinds for these: failures to resolve a name come as the
/// text `dns error`, TLS faults as an I/O error of kind `InvalidData`.
fn obstacle(error: &reqwest::Error) -> Obstacle {
    if error.is_redirect() {
        return Obstacle::Redirect;
    }
    if error.is_timeout() {
        return Obstacle::Timeout;
    }
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.to_string() == "dns error" {
            return Obstacle::Name;
        }
        if error.downcast_ref().is_some_and(is_invalid_data) {
            return Obstacle::Tls;
        }
        cause = error.source();
    }
    Obstacle::Connection
}

/// Looks into wrapped I/O errors, which their `source` passes over.
fn is_invalid_data(error: &io::Error) -> bool {
    let wrapped = || error.get_ref().and_then(|inner| inner.downcast_ref());
    error.kind() == io::ErrorKind::InvalidData || wrapped().is_some_and(is_invalid_data)
}

/// What an answer means, apart from a refused access.
fn read_answer(
    url: &Url,
    file: &ModelFile,
    offset: u64,
    answer: Response,
) -> Result<Opening, Setback> {
    let status = answer.status().as_u16();
    let retry_after = retry_after(answer.headers());
    let other = || FetchError::Status {
        url: url.to_string(),
        status,
        retry_after,
    };
    let (position, total) = match status {
        200 => (0, answer.content_length()),
        206 => match content_range(answer.headers()) {
            Some((start, total)) if start == offset => (start, total),
            _ if offset > 0 => return Err(Setback::NoRange),
            _ => return Err(other().into()),
        },
        404 | 410 => return Err(Setback::Elsewhere(None)),
        416 if offset > 0 => return Err(Setback::NoRange),
        408 | 429 | 500 | 502 | 503 | 504 => {
            return Err(Setback::Passing {
                error: other(),
                retry_after,
            });
        }
        _ => return Err(other().into()),
    };
    // A server that calls everything a page may still have the right file.
    if is_page(answer.headers()) && (total.is_none() || total != file.bytes) {
        let url = url.to_string();
        return Err(FetchError::Page { url }.into());
    }
    Ok(Opening {
        position,
        total,
        body: Body::Answer(url.clone(), answer),
    })
}

fn is_page(headers: &HeaderMap) -> bool {
    text_of(headers, &header::CONTENT_TYPE)
        .is_some_and(|value| value.to_ascii_lowercase().starts_with("text/html"))
}

/// The form in seconds; for a date, our own waits do.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = text_of(headers, &header::RETRY_AFTER)?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// Start and whole size in `Content-Range: bytes START-END/SIZE`.
fn content_range(headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
    let value = text_of(headers, &header::CONTENT_RANGE)?;
    let (range, size) = value.strip_prefix("bytes ")?.split_once('/')?;
    let (start, _) = range.split_once('-')?;
    Some((start.trim().parse().ok()?, size.trim().parse().ok()))
}

fn text_of<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> Option<&'a str> {
    Some(headers.get(name)?.to_str().ok()?.trim())
}

impl Opening {
    /// Puts the next bytes into `block`; none at the end of the file.
    pub(super) async fn next(
        &mut self,
        block: &mut Vec<u8>,
        options: &FetchOptions,
    ) -> Result<(), Setback> {
        block.clear();
        match &mut self.body {
            Body::File(path, file) => {
                let unreadable = |source| FetchError::Read {
                    path: path.clone(),
                    source,
                };
                file.take(BLOCK_BYTES)
                    .read_to_end(block)
                    .map_err(unreadable)?;
                // A read from disk gives nobody else a turn; this does.
                tokio::task::yield_now().await;
            }
            Body::Answer(url, answer) => match answer.chunk().await {
                Ok(chunk) => block.extend_from_slice(&chunk.unwrap_or_default()),
                Err(error) => {
                    return Err(broken(url, self.position, error, options.stall_timeout));
                }
            },
        }
        self.position += block.len() as u64;
        Ok(())
    }
}
