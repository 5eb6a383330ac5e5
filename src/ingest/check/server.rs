//! The server: reached, logged in to, well, and able.

use super::finding::Findings;
use crate::config::Connection;
use crate::store::{Server, Store, StoreError};

/// The oldest server that a run works with: upserts came with 2.3.
const OLDEST: (u32, u32) = (2, 3);

/// The oldest Milvus Lite that was tried; 2.x refuses HNSW.
const OLDEST_LITE: (u32, u32) = (3, 2);

/// Connects, and says what answers.
pub(super) async fn check(findings: &mut Findings, connection: &Connection) -> Option<Store> {
    let store = match Store::connect(connection).await {
        Ok(store) => store,
        Err(error) => {
            let check = match error {
                StoreError::Unauthenticated { .. } | StoreError::InvalidToken => "login",
                StoreError::DatabaseMissing { .. } => "database",
                _ => "server",
            };
            findings.fault(check, &error);
            return None;
        }
    };
    let server = store.server();
    version(findings, server, &connection.uri);
    if !server.lite {
        let said = match (&connection.token, &connection.database) {
            (None, None) => "no token is needed".to_owned(),
            (None, Some(database)) => format!("no token is needed; the database is `{database}`"),
            (Some(_), None) => "the token is accepted".to_owned(),
            (Some(_), Some(database)) => {
                format!("the token is accepted; the database is `{database}`")
            }
        };
        findings.ok("login", said);
    }
    condition(findings, &store).await;
    Some(store)
}

fn version(findings: &mut Findings, server: &Server, uri: &str) {
    let version = &server.version;
    let tls = if uri.starts_with("https://") {
        ", over TLS"
    } else {
        ""
    };
    let mode = match server.mode.as_str() {
        mode if mode.is_empty() || server.lite => String::new(),
        mode => format!(" ({})", mode.to_lowercase()),
    };
    let (name, oldest, able) = if server.lite {
        (
            "Milvus Lite",
            OLDEST_LITE,
            "it takes one upsert at a time and asks nobody for a login",
        )
    } else {
        ("Milvus", OLDEST, "it takes several upserts at once")
    };
    let found = format!("{name} {version}{mode} at {uri}{tls}");
    match number(version) {
        Some(number) if number < oldest => findings.error(
            "server",
            format!("{found}: older than {}.{}", oldest.0, oldest.1),
            "use a newer server: older ones lack upserts or the index",
        ),
        Some(_) => findings.ok("server", format!("{found}; {able}")),
        None => findings.warning(
            "server",
            format!("{found}: its version cannot be read"),
            "go on if it is a build of your own, and at least 2.3",
        ),
    }
}

/// Major and minor version.
fn number(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

async fn condition(findings: &mut Findings, store: &Store) {
    match store.condition().await {
        Ok(condition) if condition.denies_writes => findings.error(
            "health",
            "the server takes no writes at present: a quota of disk or memory is used up",
            "free its disk or raise its quota; `ingest` itself waits for that (--retry-for)",
        ),
        Ok(condition) if !condition.healthy => findings.warning(
            "health",
            format!("the server is not well: {}", condition.reasons.join("; ")),
            "look at its log; `ingest` waits for a server that recovers (--retry-for)",
        ),
        Ok(_) => findings.ok("health", "the server is well and takes writes"),
        Err(error) => findings.warning(
            "health",
            format!("not checked: {}", crate::entity::chain(&error)),
            "look at its log where you can",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::check::Level;

    #[test]
    fn old_servers_are_errors() {
        let level = |version: &str, lite| {
            let mut findings = Findings::default();
            let server = Server {
                version: version.to_owned(),
                lite,
                mode: String::new(),
            };
            super::version(&mut findings, &server, "http://localhost:19530");
            findings.list[0].level
        };
        assert_eq!(level("2.2.16", false), Level::Error);
        assert_eq!(level("2.3.5", false), Level::Ok);
        assert_eq!(level("2.10.0-rc1", false), Level::Ok);
        assert_eq!(level("2.4.9", true), Level::Error);
        assert_eq!(level("3.2.2", true), Level::Ok);
        assert_eq!(level("master", false), Level::Warning);
    }
}
