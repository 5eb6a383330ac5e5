//! Servers that a test starts for itself, and kills.

use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::servers::Server;
use crate::support::repo;

/// A server of one test, whose data go away with it.
#[derive(Debug)]
pub(crate) struct OwnServer {
    engine: &'static str,
    port: u16,
    pub(crate) server: Server,
}

impl OwnServer {
    pub(crate) fn lite() -> Self {
        Self::start("lite", 0)
    }

    /// Another one.
    pub(crate) fn lite_beside() -> Self {
        Self::start("lite", 2)
    }

    /// With login and TLS, as the one that all tests share.
    pub(crate) fn standalone() -> Self {
        Self::start("standalone", 1)
    }

    fn start(engine: &'static str, place: u16) -> Self {
        let first = std::env::var("MILVUS_TEST_OWN_PORT").unwrap_or_else(|_| {
            panic!("MILVUS_TEST_OWN_PORT is not set: run `make test-crash`, which sets it")
        });
        let port = first.parse::<u16>().unwrap() + place;
        let shared = match engine {
            "lite" => Server::lite(),
            _ => Server::standalone(),
        };
        let (scheme, _) = shared.uri.split_once(':').unwrap();
        let uri = format!("{scheme}://127.0.0.1:{port}");
        let own = Self {
            engine,
            port,
            server: Server { uri, ..shared },
        };
        own.reset();
        own.up();
        own
    }

    /// Starts it, and waits until it answers.
    pub(crate) fn up(&self) {
        let output = self.script("up").output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    /// Kills it, as `kill -9` does, and waits until it is dead.
    pub(crate) fn kill(&self) {
        let home = std::env::var_os("MILVUS_HOME")
            .map_or_else(|| repo().join(".local/milvus"), PathBuf::from);
        let file = home.join(format!("run/{}-{}.pid", self.engine, self.port));
        let pid = std::fs::read_to_string(file).unwrap();
        let killed = Command::new("kill").args(["-KILL", pid.trim()]).status();
        assert!(killed.unwrap().success());
        // It holds its ports until the last of its threads is dead.
        let threads = PathBuf::from(format!("/proc/{}/task", pid.trim()));
        while std::fs::read_dir(&threads).is_ok_and(|threads| threads.count() > 1)
            || TcpStream::connect(("127.0.0.1", self.port)).is_ok()
        {
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }

    fn reset(&self) {
        // There is nothing to delete, the first time.
        let _output = self.script("reset").env("YES", "1").output().unwrap();
    }

    fn script(&self, verb: &str) -> Command {
        let mut command = Command::new(repo().join("deploy/milvus.sh"));
        command
            .arg(verb)
            .env("ENGINE", self.engine)
            .env("MILVUS_PORT", self.port.to_string());
        if self.server.token.is_some() {
            command
                .env("MILVUS_AUTH", "1")
                .env("MILVUS_TLS_DIR", repo().join("tests/fixtures/tls"));
        }
        command
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        self.reset();
    }
}
