//! The way to the server: bytes there and back, until it is cut.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Relays one port to another.
#[derive(Clone)]
pub(crate) struct Relay(Arc<Shared>);

struct Shared {
    outer: SocketAddr,
    inner: SocketAddr,
    /// Each change cuts every connection.
    cuts: watch::Sender<u64>,
    drips: AtomicBool,
    listening: Mutex<Option<JoinHandle<()>>>,
}

impl Relay {
    /// Relays a port of its own to `inner`.
    pub(crate) async fn start(inner: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let relay = Self(Arc::new(Shared {
            outer: listener.local_addr().unwrap(),
            inner,
            cuts: watch::Sender::new(0),
            drips: AtomicBool::new(false),
            listening: Mutex::new(None),
        }));
        relay.accept(listener);
        relay
    }

    pub(crate) fn uri(&self) -> String {
        format!("http://{}", self.0.outer)
    }

    pub(crate) fn cut(&self) {
        self.0.cuts.send_modify(|cuts| *cuts += 1);
    }

    pub(crate) fn drip(&self, drips: bool) {
        self.0.drips.store(drips, Ordering::Relaxed);
    }

    pub(crate) fn die(&self) {
        if let Some(task) = self.0.listening.lock().unwrap().take() {
            task.abort();
        }
        self.cut();
    }

    pub(crate) async fn listen(&self) {
        // The port is free once the aborted task is gone.
        let listener = loop {
            match TcpListener::bind(self.0.outer).await {
                Ok(listener) => break listener,
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        };
        self.accept(listener);
    }

    fn accept(&self, listener: TcpListener) {
        let relay = self.clone();
        let task = tokio::spawn(async move {
            while let Ok((outside, _)) = listener.accept().await {
                let relay = relay.clone();
                // Subscribed here: a cut that comes at once is seen.
                let cuts = relay.0.cuts.subscribe();
                tokio::spawn(async move { relay.relay(outside, cuts).await });
            }
        });
        *self.0.listening.lock().unwrap() = Some(task);
    }

    async fn relay(&self, outside: TcpStream, mut cuts: watch::Receiver<u64>) {
        let Ok(inside) = TcpStream::connect(self.0.inner).await else {
            return;
        };
        let (mut from_client, to_client) = outside.into_split();
        let (from_server, mut to_server) = inside.into_split();
        tokio::select! {
            _ = copy(&mut from_client, &mut to_server) => {}
            () = self.back(from_server, to_client) => {}
            _ = cuts.changed() => {}
        }
    }

    async fn back(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(read @ 1..) = from.read(&mut buffer).await {
            let mut sent = 0;
            while sent < read {
                let drips = self.0.drips.load(Ordering::Relaxed);
                let until = if drips { sent + 1 } else { read };
                if to.write_all(&buffer[sent..until]).await.is_err() {
                    return;
                }
                sent = until;
                if drips {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }
}
