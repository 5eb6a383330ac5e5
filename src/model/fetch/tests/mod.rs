//! Fetching from a real server on the loopback, which errs on demand.

mod server;

use std::sync::Mutex;
use std::time::Instant;

use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::sync::Notify;

use super::download::part_of;
use super::*;
use crate::entity::Hint;
use crate::model::{Manifest, ModelError, RECORDED, Source};
use server::{Script, Server, answer, cut, hold, redirect, whole};

const NAME: &str = "a.onnx";

/// Bytes that differ everywhere, so that a wrong offset shows.
fn content(length: u32) -> Vec<u8> {
    (0..length).flat_map(u32::to_le_bytes).collect()
}

fn sha256(content: &[u8]) -> String {
    format!("{:x}", Sha256::digest(content))
}

/// The entry of a manifest for a file with that content.
pub(super) fn pinned(path: &str, content: &[u8]) -> ModelFile {
    ModelFile {
        path: path.to_owned(),
        remote: None,
        repository: None,
        revision: None,
        bytes: Some(content.len() as u64),
        sha256: Some(sha256(content)),
    }
}

/// A model of `owner/name` at revision `abc`, in a folder of its own.
pub(super) fn hub_model(files: Vec<ModelFile>) -> (TempDir, Model) {
    let folder = tempfile::tempdir().unwrap();
    let mut manifest =
        Manifest::parse(include_str!("../../../../models/pixels/model.toml")).unwrap();
    manifest.source = Source::Hub {
        repository: "owner/name".to_owned(),
        revision: "abc".to_owned(),
    };
    manifest.files = files;
    let model = Model {
        manifest,
        folder: folder.path().to_owned(),
    };
    (folder, model)
}

#[derive(Default)]
struct Recorder {
    events: Mutex<Vec<String>>,
    bytes: Mutex<u64>,
    /// Rings at every arrival.
    arrived: Notify,
}

impl Recorder {
    fn log(&self) -> String {
        self.events.lock().unwrap().join("\n")
    }
}

impl FetchProgress for Recorder {
    fn start(&self, file: &str, total: Option<u64>, already: u64) {
        *self.bytes.lock().unwrap() = already;
        let line = format!("start {file} {total:?} {already}");
        self.events.lock().unwrap().push(line);
    }
    fn advance(&self, bytes: u64) {
        *self.bytes.lock().unwrap() += bytes;
        self.arrived.notify_one();
    }
    fn finish(&self, file: &str) {
        self.events.lock().unwrap().push(format!("finish {file}"));
    }
    fn note(&self, message: &str) {
        self.events.lock().unwrap().push(format!("note {message}"));
    }
}

fn options(origin: Origin) -> FetchOptions {
    FetchOptions {
        origin,
        stall_timeout: Duration::from_secs(20),
        attempts: 3,
        backoff: Duration::from_millis(2),
        ..FetchOptions::default()
    }
}

/// Fetches without the proxies of the machine that tests run on.
async fn pull(
    model: &Model,
    options: &FetchOptions,
    progress: &Recorder,
) -> Result<Vec<Fetched>, FetchError> {
    let client = open::client(options).no_proxy().build().unwrap();
    fetch_with(client, model, options, progress).await
}

/// One model with one file, and a server that serves it as scripted.
struct Case {
    content: Vec<u8>,
    _folder: TempDir,
    model: Model,
    server: Server,
    options: FetchOptions,
    progress: Recorder,
}

impl Case {
    fn new(length: u32, scripts: impl FnOnce(&[u8]) -> Vec<Script>) -> Self {
        let content = content(length);
        let (folder, model) = hub_model(vec![pinned(NAME, &content)]);
        let server = Server::start(scripts(&content));
        let options = options(Origin::Url(server.url()));
        Self {
            content,
            _folder: folder,
            model,
            server,
            options,
            progress: Recorder::default(),
        }
    }

    fn path(&self) -> PathBuf {
        self.model.path_of(NAME)
    }

    fn part(&self) -> PathBuf {
        part_of(&self.path())
    }

    async fn pull(&self) -> Result<Vec<Fetched>, FetchError> {
        pull(&self.model, &self.options, &self.progress).await
    }

    /// The error, which must have a hint and no repetition in its chain.
    async fn refused(&self) -> FetchError {
        let error = self.pull().await.expect_err("refused");
        assert!(!self.path().exists(), "nothing is put in its place");
        assert!(error.hint().is_some(), "{error}");
        let mut cause = std::error::Error::source(&error);
        let mut said = error.to_string();
        while let Some(error) = cause {
            let next = error.to_string();
            assert!(!said.contains(&next), "{said:?} repeats {next:?}");
            said = next;
            cause = error.source();
        }
        error
    }

    /// Checks the file, and that nothing is left over; returns what came.
    async fn arrives(&self) -> (u64, String) {
        let fetched = self.pull().await.unwrap();
        assert_eq!(std::fs::read(self.path()).unwrap(), self.content);
        assert!(!self.part().exists());
        assert_eq!(
            *self.progress.bytes.lock().unwrap(),
            self.content.len() as u64
        );
        let [
            Fetched::Downloaded {
                bytes,
                resumed_from,
                verified,
                ..
            },
        ] = &fetched[..]
        else {
            panic!("{fetched:?}")
        };
        assert!(*verified);
        assert_eq!(*bytes, self.content.len() as u64);
        (*resumed_from, self.progress.log())
    }

    /// Where each request asked the file to begin.
    fn offsets(&self) -> Vec<Option<usize>> {
        let requests = self.server.requests();
        requests.iter().map(server::Request::offset).collect()
    }
}

/// An address where nothing listens.
fn closed_port() -> String {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", closed.local_addr().unwrap())
}

#[tokio::test]
async fn fetches_a_file_once() {
    let case = Case::new(5_000, |content| vec![whole(content)]);
    let (resumed_from, log) = case.arrives().await;
    assert_eq!(resumed_from, 0);
    assert_eq!(log, "start a.onnx Some(20000) 0\nfinish a.onnx");
    let requests = case.server.requests();
    assert_eq!(requests[0].path(), "/owner/name/resolve/abc/a.onnx");
    assert_eq!(requests[0].header("accept-encoding"), Some("identity"));
    assert_eq!(requests[0].header("authorization"), None);

    let again = case.pull().await.unwrap();
    assert_eq!(again, [Fetched::AlreadyThere { path: case.path() }]);
    assert_eq!(case.server.requests().len(), 1);
}

#[tokio::test]
async fn a_cut_is_resumed() {
    let case = Case::new(10_000, |content| {
        vec![cut(content, 7_000), cut(content, 9_001), whole(content)]
    });
    let (resumed_from, log) = case.arrives().await;
    assert_eq!(resumed_from, 0, "the cuts were within this fetch");
    assert_eq!(case.offsets(), [None, Some(7_000), Some(16_001)]);
    assert!(
        log.contains("broke off after 7000 bytes; trying again in"),
        "{log}"
    );
    assert!(log.contains("start a.onnx Some(40000) 16001"), "{log}");
}

#[tokio::test]
async fn tries_end_and_the_next_fetch_goes_on() {
    let case = Case::new(10_000, |content| {
        let mut scripts: Vec<_> = (0..3).map(|_| cut(content, 100)).collect();
        scripts.push(whole(content));
        scripts
    });
    let error = case.refused().await;
    assert!(
        matches!(error, FetchError::Cut { received: 300, .. }),
        "{error:?}"
    );
    assert_eq!(std::fs::read(case.part()).unwrap(), case.content[..300]);
    assert_eq!(case.arrives().await.0, 300);
    assert_eq!(case.offsets()[3], Some(300));
}

#[tokio::test]
async fn a_long_file_survives_more_cuts_than_there_are_tries() {
    let step = 1_100_000;
    let case = Case::new(1_300_000, |content| {
        (0..5).map(|_| cut(content, step)).collect()
    });
    case.arrives().await;
    assert_eq!(case.server.requests().len(), 5);
}

#[tokio::test]
async fn a_dropped_fetch_is_resumed() {
    let case = Case::new(10_000, |content| {
        vec![hold(content, 12_345), whole(content)]
    });
    {
        let mut fetching = std::pin::pin!(case.pull());
        while *case.progress.bytes.lock().unwrap() < 12_345 {
            tokio::select! {
                ended = &mut fetching => panic!("the server holds it: {ended:?}"),
                () = case.progress.arrived.notified() => {}
            }
        }
    }
    assert_eq!(std::fs::read(case.part()).unwrap(), case.content[..12_345]);
    let server = Server::start(vec![whole(&case.content)]);
    let case = Case {
        options: options(Origin::Url(server.url())),
        server,
        ..case
    };
    assert_eq!(case.arrives().await.0, 12_345);
    assert_eq!(case.offsets(), [Some(12_345)]);
}

#[tokio::test]
async fn a_server_without_ranges_starts_over() {
    let case = Case::new(10_000, |content| {
        let all = answer("200 OK", "Content-Length: 40000\r\n", content);
        vec![cut(content, 5_000), all]
    });
    let (_, log) = case.arrives().await;
    assert!(log.contains("from the start, starting over"), "{log}");
    assert!(
        log.ends_with("start a.onnx Some(40000) 0\nfinish a.onnx"),
        "{log}"
    );
}

#[tokio::test]
async fn starting_over_forgets_what_was_there() {
    let case = Case::new(10_000, |content| {
        let headers = "Content-Length: 40000\r\n";
        let start = answer("200 OK", headers, &content[..3_000]);
        vec![start, whole(content)]
    });
    std::fs::write(case.part(), [7; 5_000]).unwrap();
    case.arrives().await;
    assert_eq!(case.offsets(), [Some(5_000), Some(3_000)]);
}

#[tokio::test]
async fn a_range_that_was_not_asked_for_starts_over() {
    for odd in [
        "bytes 4000-39999/40000",
        "bytes 6000-39999/40000",
        "rubbish",
    ] {
        let case = Case::new(10_000, |content| {
            let headers = format!("Content-Range: {odd}\r\nContent-Length: 0\r\n");
            let odd = answer("206 Partial Content", &headers, b"");
            vec![cut(content, 5_000), odd, whole(content)]
        });
        case.arrives().await;
        assert_eq!(case.offsets(), [None, Some(5_000), None]);
    }
}

#[tokio::test]
async fn an_unsatisfiable_range_starts_over() {
    let mut case = Case::new(10_000, |content| vec![whole(content), whole(content)]);
    // Without a pinned size, only the server knows that this part is too long.
    case.model.manifest.files[0].bytes = None;
    std::fs::write(case.part(), vec![7; 50_000]).unwrap();
    case.arrives().await;
    assert_eq!(case.offsets(), [Some(50_000), None]);
}

#[tokio::test]
async fn leftovers_that_do_not_belong_are_dropped() {
    let case = Case::new(10_000, |content| vec![whole(content), whole(content)]);
    std::fs::write(case.part(), [7; 5_000]).unwrap();
    let (resumed_from, log) = case.arrives().await;
    assert_eq!(resumed_from, 0);
    assert_eq!(case.offsets(), [Some(5_000), None]);
    assert!(
        log.contains("does not belong to it, starting over"),
        "{log}"
    );

    // Whole but wrong, and longer than the file.
    for length in [40_000, 40_001] {
        let case = Case::new(10_000, |content| vec![whole(content)]);
        std::fs::write(case.part(), vec![7; length]).unwrap();
        case.arrives().await;
        assert_eq!(case.offsets(), [None]);
    }
}

#[tokio::test]
async fn a_whole_leftover_needs_no_server() {
    let case = Case::new(100, |_| vec![]);
    std::fs::write(case.part(), &case.content).unwrap();
    let fetched = case.pull().await.unwrap();
    assert!(matches!(
        fetched[..],
        [Fetched::Downloaded {
            resumed_from: 400,
            ..
        }]
    ));
    assert!(case.model.verify().is_ok());
}

#[tokio::test]
async fn wrong_bytes_are_refused_and_removed() {
    let case = Case::new(100, |content| {
        let mut wrong = content.to_vec();
        wrong[50] ^= 1;
        vec![whole(&wrong)]
    });
    let error = case.refused().await;
    let FetchError::Different {
        what,
        found,
        expected,
        origin,
    } = &error
    else {
        panic!("{error:?}")
    };
    assert_eq!((*what, expected), ("sha256", &sha256(&case.content)));
    assert_ne!(found, expected);
    assert!(origin.starts_with(&case.server.url()));
    assert!(!case.part().exists());
}

#[tokio::test]
async fn a_wrong_size_is_refused_before_the_bytes() {
    let case = Case::new(100, |content| vec![hold(&content[..399], 0)]);
    let said = case.refused().await.to_string();
    assert!(said.contains("size is 399, expected 400"), "{said}");

    // Nothing announced: the end of the connection is the end of the file.
    let case = Case::new(100, |content| vec![answer("200 OK", "", &content[..399])]);
    let said = case.refused().await.to_string();
    assert!(said.contains("size is 399, expected 400"), "{said}");
    assert!(!case.part().exists());
}

#[tokio::test]
async fn too_many_bytes_are_stopped_early() {
    let case = Case::new(100, |_| vec![answer("200 OK", "", &[1; 1 << 20])]);
    let error = case.refused().await;
    assert!(
        matches!(error, FetchError::TooLong { limit: 400, .. }),
        "{error:?}"
    );
    assert!(!case.part().exists());
}

#[tokio::test]
async fn a_lying_content_length_is_a_cut() {
    let mut case = Case::new(100, |content| {
        let lie = || answer("200 OK", "Content-Length: 500\r\n", content);
        vec![lie(), lie(), lie()]
    });
    case.model.manifest.files[0].bytes = None;
    let error = case.refused().await;
    assert!(
        matches!(error, FetchError::Cut { received: 400, .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    let mut case = Case::new(100, |content| vec![hold(content, 30)]);
    case.options.stall_timeout = Duration::from_millis(50);
    case.options.attempts = 1;
    let error = case.refused().await;
    assert_eq!(
        error.to_string(),
        format!(
            "{}/owner/name/resolve/abc/a.onnx sent nothing for 0.05 s",
            case.server.url()
        )
    );
    assert_eq!(std::fs::read(case.part()).unwrap(), case.content[..30]);
}

#[tokio::test]
async fn a_web_page_is_not_a_file() {
    let case = Case::new(100, |_| {
        let headers = "Content-Type: text/html; charset=utf-8\r\nContent-Length: 6\r\n";
        vec![answer("200 OK", headers, b"<html>")]
    });
    let error = case.refused().await;
    assert!(matches!(error, FetchError::Page { .. }), "{error:?}");
    assert!(!case.part().exists());
}

#[tokio::test]
async fn refusals_name_the_way_in() {
    for status in ["401 Unauthorized", "403 Forbidden"] {
        let mut case = Case::new(100, |_| {
            let refusal = || answer(status, "Content-Length: 0\r\n", b"");
            vec![refusal(), refusal(), refusal(), refusal()]
        });
        let hint = case.refused().await.hint().unwrap();
        let page = format!("{}/owner/name ", case.server.url());
        assert!(
            hint.contains(&page) && hint.contains("set HF_TOKEN"),
            "{hint}"
        );

        case.options.token = Some(Secret::new("sesame\n".to_owned()));
        let error = case.refused().await;
        let hint = error.hint().unwrap();
        assert!(hint.contains("check that the token"), "{hint}");
        assert!(!format!("{error:?}{hint}{}", case.progress.log()).contains("sesame"));
        let requests = case.server.requests();
        assert_eq!(requests[0].header("authorization"), None);
        assert_eq!(requests[2].header("authorization"), Some("Bearer sesame"));
    }
}

#[tokio::test]
async fn a_token_that_cannot_be_sent_is_refused() {
    let mut case = Case::new(100, |_| vec![]);
    case.options.token = Some(Secret::new("open\nsesame".to_owned()));
    let error = case.refused().await;
    assert!(matches!(error, FetchError::Token), "{error:?}");
}

#[tokio::test]
async fn a_plain_mirror_is_the_second_guess() {
    for missing in ["404 Not Found", "403 Forbidden"] {
        let case = Case::new(100, |content| {
            vec![
                answer(missing, "Content-Length: 0\r\n", b""),
                whole(content),
            ]
        });
        case.arrives().await;
        assert_eq!(case.server.requests()[1].path(), "/pixels/a.onnx");
    }
    let case = Case::new(100, |_| {
        let missing = || answer("404 Not Found", "Content-Length: 0\r\n", b"");
        vec![missing(), missing()]
    });
    let said = case.refused().await.to_string();
    for path in ["/owner/name/resolve/abc/a.onnx", "/pixels/a.onnx"] {
        assert!(
            said.contains(&format!("{}{path}", case.server.url())),
            "{said}"
        );
    }
}

#[tokio::test]
async fn a_busy_server_is_asked_again() {
    let case = Case::new(100, |content| {
        vec![
            answer(
                "429 Too Many Requests",
                "Retry-After: 1\r\nContent-Length: 0\r\n",
                b"",
            ),
            answer("503 Service Unavailable", "Content-Length: 0\r\n", b""),
            whole(content),
        ]
    });
    let begun = Instant::now();
    let (_, log) = case.arrives().await;
    assert!(
        begun.elapsed() >= Duration::from_secs(1),
        "Retry-After is kept"
    );
    assert!(
        log.contains("HTTP 429; trying again in 1.0 s (try 2 of 3)"),
        "{log}"
    );
    assert!(
        log.contains("HTTP 503; trying again in 0.0 s (try 3 of 3)"),
        "{log}"
    );
}

#[tokio::test]
async fn a_wait_too_long_is_left_to_the_user() {
    let case = Case::new(100, |_| {
        let headers = "Retry-After: 3600\r\nContent-Length: 0\r\n";
        vec![answer("503 Service Unavailable", headers, b"")]
    });
    let error = case.refused().await;
    assert!(error.hint().unwrap().contains("3600 s"), "{error:?}");
}

#[tokio::test]
async fn other_answers_end_it_at_once() {
    for status in [
        "204 No Content",
        "400 Bad Request",
        "407 Proxy Authentication Required",
    ] {
        let case = Case::new(100, |_| vec![answer(status, "", b"")]);
        let error = case.refused().await;
        assert!(matches!(error, FetchError::Status { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn the_token_goes_to_its_own_host_alone() {
    let other = Server::start(vec![whole(&content(100))]);
    let location = format!("{}/stored?signature=sesame", other.url());
    let mut case = Case::new(100, |_| vec![redirect("/elsewhere"), redirect(&location)]);
    case.options.token = Some(Secret::new("token".to_owned()));
    case.arrives().await;
    let own = case.server.requests();
    assert_eq!(own[0].header("authorization"), Some("Bearer token"));
    assert_eq!(own[1].path(), "/elsewhere");
    assert_eq!(own[1].header("authorization"), Some("Bearer token"));
    assert_eq!(other.requests()[0].path(), "/stored?signature=sesame");
    assert_eq!(other.requests()[0].header("authorization"), None);
}

#[tokio::test]
async fn a_range_survives_redirects_and_signatures_are_not_shown() {
    let bytes = content(100);
    let store = Server::start(vec![cut(&bytes, 10), whole(&bytes)]);
    let location = format!("{}/stored?signature=sesame", store.url());
    let case = Case::new(100, |_| vec![redirect(&location), redirect(&location)]);
    let (_, log) = case.arrives().await;
    assert_eq!(store.requests()[1].header("range"), Some("bytes=10-"));
    assert!(
        log.contains("broke off") && !log.contains("sesame"),
        "{log}"
    );
}

#[tokio::test]
async fn a_failing_redirect_does_not_show_its_signature() {
    let store = Server::start(vec![
        answer("rubbish", "", b""),
        answer("200 OK", "Content-Length: 400\r\n", b"cut"),
    ]);
    for place in [store.url(), store.url(), closed_port()] {
        let location = format!("{place}/stored?signature=sesame");
        let mut case = Case::new(100, |_| vec![redirect(&location)]);
        case.options.attempts = 1;
        let error = case.refused().await;
        assert!(!format!("{error:?}").contains("sesame"), "{error:?}");
    }
}

#[tokio::test]
async fn endless_redirects_end() {
    let case = Case::new(100, |_| {
        (0..12).map(|_| redirect("/again?key=sesame")).collect()
    });
    let error = case.refused().await;
    let obstacle = match &error {
        FetchError::Unreachable { obstacle, .. } => Some(*obstacle),
        _ => None,
    };
    assert_eq!(obstacle, Some(Obstacle::Redirect), "{error:?}");
    assert!(!format!("{error:?}").contains("sesame"), "{error:?}");
}

#[tokio::test]
async fn a_closed_port_and_a_server_without_tls_are_told_apart() {
    let mut case = Case::new(100, |_| vec![answer("400 Bad Request", "", b"")]);
    let tls = case.server.url().replace("http:", "https:");
    case.options.origin = Origin::Url(tls);
    let said = case.refused().await.to_string();
    assert!(said.ends_with("no secure connection"), "{said}");

    case.options.origin = Origin::Url(closed_port());
    let said = case.refused().await.to_string();
    assert!(said.ends_with("no connection"), "{said}");
    assert!(case.progress.log().contains("try 3 of 3"), "it may come up");
}

#[tokio::test]
async fn a_wrong_file_is_replaced_and_told() {
    let case = Case::new(100, |content| vec![whole(content)]);
    std::fs::write(case.path(), [7; 400]).unwrap();
    let (_, log) = case.arrives().await;
    assert!(
        log.contains("not the file that the manifest names (sha256 is"),
        "{log}"
    );
}

#[tokio::test]
async fn force_fetches_what_is_there() {
    let mut case = Case::new(100, |content| vec![whole(content)]);
    std::fs::write(case.path(), &case.content).unwrap();
    case.options.force = true;
    let (_, log) = case.arrives().await;
    assert!(!log.contains("note"), "{log}");
}

#[tokio::test]
async fn without_a_hash_the_first_one_is_recorded_and_held_to() {
    let mut case = Case::new(100, |content| vec![whole(content)]);
    case.model.manifest.files[0].sha256 = None;
    std::fs::write(case.part(), [7; 100]).unwrap();
    let fetched = case.pull().await.unwrap();
    let expected = Fetched::Downloaded {
        path: case.path(),
        bytes: 400,
        resumed_from: 0,
        sha256: sha256(&case.content),
        verified: false,
    };
    assert_eq!(fetched, [expected]);
    assert_eq!(case.offsets(), [None]);
    let recorded = format!("held to {}, recorded", sha256(&case.content));
    assert!(case.progress.log().contains(&recorded));

    // A model that is opened anew holds the file to it.
    let manifest = include_str!("../../../../models/pixels/model.toml");
    let listed = format!("[[files]]\npath = {NAME:?}\n\n[vision]\n");
    let folder = case.model.folder.join("pixels");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(
        folder.join("model.toml"),
        manifest.replace("[vision]\n", &listed),
    )
    .unwrap();
    for file in [NAME, RECORDED] {
        std::fs::rename(case.model.folder.join(file), folder.join(file)).unwrap();
    }
    let again = Model::open(&folder).unwrap();
    assert_eq!(again.manifest.files[0].sha256, Some(sha256(&case.content)));
    assert!(again.verify().is_ok());
    std::fs::write(folder.join(NAME), b"another").unwrap();
    assert!(matches!(again.verify(), Err(ModelError::Different { .. })));
}

#[tokio::test]
async fn two_fetches_do_not_meet() {
    let case = Case::new(100, |content| vec![hold(content, 10)]);
    let mut fetching = std::pin::pin!(case.pull());
    tokio::select! {
        ended = &mut fetching => panic!("the server holds it: {ended:?}"),
        () = case.progress.arrived.notified() => {}
    }
    let error = case.refused().await;
    assert!(matches!(error, FetchError::Busy { .. }), "{error:?}");
    assert_eq!(std::fs::read(case.part()).unwrap(), case.content[..10]);
}

#[tokio::test]
async fn models_of_no_hub_come_from_named_places_alone() {
    let mut case = Case::new(100, |content| vec![whole(content)]);
    case.model.manifest.source = Source::Built {
        command: "make it".to_owned(),
    };
    let mirror = std::mem::replace(&mut case.options.origin, Origin::Hub);
    let error = case.refused().await;
    assert!(matches!(error, FetchError::NotOnHub { .. }), "{error:?}");
    assert!(error.hint().unwrap().contains("`make it`"));

    case.options.origin = mirror;
    case.arrives().await;
    assert_eq!(case.server.requests()[0].path(), "/pixels/a.onnx");

    // What is there needs no origin.
    case.options.origin = Origin::Hub;
    assert!(case.pull().await.is_ok());
}

#[tokio::test]
async fn a_folder_serves_every_layout_and_is_resumed() {
    let bytes = content(200_000);
    let layouts = [
        "owner/name/remote/b.onnx",
        "models--owner--name/snapshots/abc/remote/b.onnx",
        "pixels/sub/a.onnx",
        "sub/a.onnx",
        "a.onnx",
    ];
    for layout in layouts {
        let mirror = tempfile::tempdir().unwrap();
        let there = mirror.path().join(layout);
        std::fs::create_dir_all(there.parent().unwrap()).unwrap();
        std::fs::write(&there, &bytes).unwrap();
        let file = ModelFile {
            remote: Some("remote/b.onnx".to_owned()),
            ..pinned("sub/a.onnx", &bytes)
        };
        let (_folder, model) = hub_model(vec![file]);
        let path = model.path_of("sub/a.onnx");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(part_of(&path), &bytes[..1_000]).unwrap();
        let options = options(Origin::Folder(mirror.path().to_owned()));
        let fetched = pull(&model, &options, &Recorder::default()).await.unwrap();
        assert!(
            matches!(
                fetched[..],
                [Fetched::Downloaded {
                    resumed_from: 1_000,
                    ..
                }]
            ),
            "{layout}: {fetched:?}"
        );
        assert_eq!(std::fs::read(path).unwrap(), bytes);
    }
}

#[tokio::test]
async fn a_folder_without_the_file_or_with_another_is_refused() {
    let mirror = tempfile::tempdir().unwrap();
    let mut case = Case::new(100, |_| vec![]);
    case.options.origin = Origin::Folder(mirror.path().to_owned());
    let error = case.refused().await;
    assert!(
        matches!(&error, FetchError::NotFound { tried, .. } if tried.len() == 4),
        "{error:?}"
    );

    std::fs::write(mirror.path().join(NAME), [7; 400]).unwrap();
    let error = case.refused().await;
    assert!(
        matches!(error, FetchError::Different { what: "sha256", .. }),
        "{error:?}"
    );

    case.options.origin = Origin::Folder(mirror.path().join("none"));
    let error = case.pull().await.expect_err("no folder");
    assert!(matches!(error, FetchError::Read { .. }), "{error:?}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_is_named() {
    let case = Case::new(100, |content| vec![whole(content)]);
    std::os::unix::fs::symlink("/dev/full", case.part()).unwrap();
    let error = case.refused().await;
    assert!(
        error.hint().unwrap().contains("free some space"),
        "{error:?}"
    );
}

#[test]
fn an_origin_is_an_address_or_a_folder() {
    assert_eq!(
        "https://a.test".parse(),
        Ok(Origin::Url("https://a.test".to_owned()))
    );
    assert_eq!(
        "/mnt/models".parse(),
        Ok(Origin::Folder("/mnt/models".into()))
    );
}
