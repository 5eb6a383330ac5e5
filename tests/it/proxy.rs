//! `models pull` goes by way of the proxy that the environment names.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

use crate::support::{models, repo};

#[test]
fn a_pull_goes_through_the_proxy() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("pixels");
    std::fs::create_dir(&folder).unwrap();
    let manifest = std::fs::read_to_string(repo().join("models/pixels/model.toml")).unwrap();
    let files = "[[files]]\npath = \"a.bin\"\nbytes = 3\n\n[vision]\n";
    std::fs::write(
        folder.join("model.toml"),
        manifest.replace("[vision]\n", files),
    )
    .unwrap();

    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", proxy.local_addr().unwrap());
    let asked = std::thread::spawn(move || {
        let (mut stream, _) = proxy.accept().unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let asked = lines.next().unwrap().unwrap();
        while lines.next().unwrap().unwrap() != "" {}
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc";
        stream.write_all(answer.as_bytes()).unwrap();
        asked
    });
    let pull = models().args("pull").arg(&folder);
    let pull = pull.args("--from http://mirror.invalid/models");
    let ran = pull.env("http_proxy", &address).run().expect_code(0);
    // A proxy is asked for the whole address; the name need not resolve here.
    let request = asked.join().unwrap();
    assert_eq!(
        request,
        "GET http://mirror.invalid/models/pixels/a.bin HTTP/1.1"
    );
    assert_eq!(ran.stdout, "pixels: 1 fetched, 0 here already\n");
    assert_eq!(std::fs::read(folder.join("a.bin")).unwrap(), b"abc");
    // Nobody pins the file: its hash is recorded, and said.
    assert!(ran.stderr.contains("recorded.sha256"), "{ran:?}");
    let recorded = std::fs::read_to_string(folder.join("recorded.sha256")).unwrap();
    assert!(recorded.ends_with("  a.bin\n"), "{recorded}");
    std::fs::write(folder.join("a.bin"), "abd").unwrap();
    let changed = models().args("check").arg(&folder).run().expect_code(1);
    assert!(changed.stderr.contains("sha256"), "{changed:?}");
}
