//! A small HTTP server that answers as a test scripts it, one connection after
//! the other, and keeps what it was asked.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;

/// The lines of a request; none where it is no HTTP.
#[derive(Debug, Clone)]
pub(super) struct Request(Vec<String>);

impl Request {
    pub(super) fn path(&self) -> &str {
        self.0[0].split(' ').nth(1).unwrap()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.0[1..].iter().find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    /// Where a range begins, if one is asked for.
    pub(super) fn offset(&self) -> Option<usize> {
        let range = self.header("range")?;
        range
            .strip_prefix("bytes=")?
            .strip_suffix('-')?
            .parse()
            .ok()
    }
}

/// One answer: head, body, and whether the connection then stays open.
pub(super) struct Reply {
    head: String,
    body: Vec<u8>,
    hold: bool,
}

pub(super) type Script = Box<dyn FnOnce(&Request) -> Reply + Send>;

/// The right bytes, as a range where one is asked for.
pub(super) fn whole(content: &[u8]) -> Script {
    cut(content, content.len())
}

/// As [`whole`], but no more than `bytes` of the body.
pub(super) fn cut(content: &[u8], bytes: usize) -> Script {
    let content = content.to_vec();
    Box::new(move |request| {
        let (status, start) = match request.offset() {
            Some(start) if start >= content.len() => {
                return Reply::new("416 Range Not Satisfiable", "Content-Length: 0\r\n", &[]);
            }
            Some(start) => ("206 Partial Content", start),
            None => ("200 OK", 0),
        };
        let headers = format!(
            "Content-Length: {}\r\nContent-Range: bytes {start}-{}/{}\r\n",
            content.len() - start,
            content.len() - 1,
            content.len()
        );
        let end = content.len().min(start + bytes);
        Reply::new(status, &headers, &content[start..end])
    })
}

/// As [`cut`], but the connection stays open and silent until the server goes.
pub(super) fn hold(content: &[u8], bytes: usize) -> Script {
    let cut = cut(content, bytes);
    Box::new(move |request| Reply {
        hold: true,
        ..cut(request)
    })
}

/// The same answer to whatever is asked.
pub(super) fn answer(status: &str, headers: &str, body: &[u8]) -> Script {
    let reply = Reply::new(status, headers, body);
    Box::new(move |_| reply)
}

/// A redirect to `location`.
pub(super) fn redirect(location: &str) -> Script {
    answer(
        "302 Found",
        &format!("Location: {location}\r\nContent-Length: 0\r\n"),
        b"",
    )
}

impl Reply {
    fn new(status: &str, headers: &str, body: &[u8]) -> Self {
        Self {
            head: format!("HTTP/1.1 {status}\r\nConnection: close\r\n{headers}\r\n"),
            body: body.to_vec(),
            hold: false,
        }
    }
}

pub(super) struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    stop: Arc<AtomicBool>,
    /// Dropped to let go of held connections.
    release: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves `scripts`, one a connection, on a free port of the loopback.
    pub(super) fn start(scripts: Vec<Script>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (release, held) = mpsc::channel();
        let (asked, stopped) = (Arc::clone(&requests), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            for script in scripts {
                let (stream, _) = listener.accept().unwrap();
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                serve(stream, script, &asked, &held);
            }
        });
        Self {
            address,
            requests,
            stop,
            release: Some(release),
            thread: Some(thread),
        }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What was asked so far.
    pub(super) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

fn serve(
    mut stream: TcpStream,
    script: Script,
    asked: &Mutex<Vec<Request>>,
    held: &mpsc::Receiver<()>,
) {
    let lines = BufReader::new(&stream).lines();
    let lines = lines
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty());
    let request = Request(lines.collect());
    asked.lock().unwrap().push(request.clone());
    let reply = script(&request);
    // A client that stops early closes the connection: not our failure.
    drop(stream.write_all(reply.head.as_bytes()));
    drop(stream.write_all(&reply.body));
    if reply.hold {
        // Ends when the sender goes.
        held.recv().ok();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        self.release = None;
        // Wakes the thread where it waits for a connection that nobody made.
        drop(TcpStream::connect(self.address));
        let ended = self.thread.take().map(JoinHandle::join);
        if !std::thread::panicking() {
            ended.unwrap().unwrap();
        }
    }
}
