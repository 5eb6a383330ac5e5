//! What file systems hold beside pictures: every entry ends in the ledger, with
//! a reason where it promised a picture, and none of them holds up a run.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::fake::{Cell, Fake};
use crate::scene::{PICTURES, counts_of};
use crate::support::{Ran, Run, ingest};

/// A folder of files, beside it the list of rejects, and a Milvus.
pub(crate) struct Files {
    pub(crate) milvus: Fake,
    dir: tempfile::TempDir,
}

/// A picture of one colour; each number gives another file.
pub(crate) fn png(number: u8) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image::RgbImage::from_pixel(3, 2, image::Rgb([number, 7, 255 - number]))
        .write_to(&mut bytes, image::ImageFormat::Png)
        .unwrap();
    bytes.into_inner()
}

impl Files {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("shop")).unwrap();
        let milvus = Fake::start();
        Self { milvus, dir }
    }

    /// A path below the folder that is ingested.
    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir
            .path()
            .canonicalize()
            .unwrap()
            .join("shop")
            .join(name)
    }

    pub(crate) fn write(&self, name: impl AsRef<Path>, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// An `ingest` that names no path yet, and that is killed where it hangs.
    pub(crate) fn bare(&self) -> Run {
        self.for_people().args("--format json")
    }

    fn for_people(&self) -> Run {
        self.ours().args("--workers 2")
    }

    /// As [`ingest`](Self::ingest), with other workers.
    pub(crate) fn with(&self, words: &str) -> Run {
        self.ours()
            .args("--format json")
            .args(words)
            .arg(self.path(""))
    }

    fn ours(&self) -> Run {
        ingest()
            .under("timeout --signal=KILL 120")
            .args("--model pixels --threads 1 --retry-for 5")
            .args(&format!(
                "--collection {PICTURES} --uri {}",
                self.milvus.uri()
            ))
            .args("--rejects")
            .arg(self.beside("rejects.jsonl"))
    }

    pub(crate) fn ingest(&self) -> Run {
        self.bare().arg(self.path(""))
    }

    /// The lines of the list of rejects, in the order of their paths.
    pub(crate) fn rejects(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.beside("rejects.jsonl")).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        let mut lines: Vec<Value> = lines.collect();
        lines.sort_by_key(|line| line["path"].as_str().unwrap().to_owned());
        lines
    }

    /// Rejects as `name: reason`, with the folder left out.
    pub(crate) fn reasons(&self) -> Vec<String> {
        let folder = format!("{}/", self.path("").to_str().unwrap().trim_end_matches('/'));
        let line = |line: &Value| {
            let text = |key: &str| line[key].as_str().unwrap().replace(&folder, "");
            format!("{} [{}] {}", text("path"), text("stage"), text("reason"))
        };
        self.rejects().iter().map(line).collect()
    }

    /// Paths of the rows.
    pub(crate) fn stored(&self) -> Vec<String> {
        let rows = self.milvus.rows(PICTURES).into_values();
        let paths = rows.map(|row| match &row["path"] {
            Cell::Text(path) => path.clone(),
            other => panic!("{other:?} is no path"),
        });
        let mut paths: Vec<String> = paths.collect();
        paths.sort();
        paths
    }
}

pub(crate) fn count(ran: &Ran, name: &str) -> u64 {
    counts_of(ran).get(name).copied().unwrap_or(0)
}

/// Modes mean nothing to a superuser who may override them: takes that from it.
/// Who is none needs nothing, so that the test never passes for want of it.
pub(crate) fn bound_by_modes(run: Run) -> Run {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return run;
    }
    run.under("setpriv --bounding-set=-dac_override,-dac_read_search")
}

pub(crate) fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

#[test]
fn what_may_not_be_read_fails_by_name_and_the_rest_is_stored() {
    let files = Files::new();
    let good = files.write("good.png", &png(1));
    let secret = files.write("secret.png", &png(2));
    files.write("locked/inside.png", &png(3));
    let list = files.write("listed/only.png", &png(4));
    mode(&secret, 0);
    mode(&files.path("locked"), 0);
    // A folder that may be listed and not entered.
    mode(&files.path("listed"), 0o400);
    let run = files.ingest().arg(files.path("locked/inside.png"));
    let list = format!("{}\n{}\n", list.display(), secret.display());
    let run = run.args("--files-from -").stdin(list);
    let ran = bound_by_modes(run).run().expect_code(3);
    for name in ["locked", "listed"] {
        mode(&files.path(name), 0o700);
    }
    let remedy = "Permission denied (os error 13): let the user that runs ingest read it, and enter its folders";
    let expected = [
        "listed/only.png",
        "locked",
        "locked/inside.png",
        "secret.png",
    ];
    let expected = expected.map(|name| format!("{name} [discover] {remedy}"));
    assert_eq!(files.reasons(), expected, "{}", ran.text(&[]));
    assert_eq!(count(&ran, "failed"), 4);
    assert_eq!(files.stored(), [good.to_str().unwrap()]);
}

#[test]
fn a_file_whose_reading_fails_is_named() {
    let files = Files::new();
    // Nothing is mapped at its start: regular to look at, an error to read.
    symlink("/proc/self/mem", files.path("memory.jpg")).unwrap();
    files.write("good.png", &png(1));
    let ran = files.ingest().run().expect_code(3);
    assert_eq!(
        files.reasons(),
        ["memory.jpg [discover] Input/output error (os error 5)"]
    );
    assert_eq!(count(&ran, "upserted"), 1);
}

#[test]
fn what_becomes_of_a_file_between_its_finding_and_its_reading() {
    let files = Files::new();
    for (place, name) in [
        "0-good", "1-gone", "2-fifo", "3-folder", "4-text", "5-large", "6-other",
    ]
    .into_iter()
    .enumerate()
    {
        files.write(format!("{name}.png"), &png(u8::try_from(place).unwrap()));
    }
    let folder = files.path("");
    // The plan asks when everything is found, and nothing is read yet.
    files.milvus.once("query", move || {
        let at = |name: &str| folder.join(format!("{name}.png"));
        fs::remove_file(at("1-gone")).unwrap();
        fs::remove_file(at("2-fifo")).unwrap();
        make_fifo(&at("2-fifo"));
        fs::remove_file(at("3-folder")).unwrap();
        fs::create_dir(at("3-folder")).unwrap();
        fs::write(at("4-text"), "a text that took a picture's place").unwrap();
        fs::write(at("5-large"), [0; 5000]).unwrap();
        fs::write(at("6-other"), png(60)).unwrap();
        settle();
    });
    let ran = files.ingest().args("--max-file-bytes 4000").run();
    let expected = [
        "1-gone.png [read] it went away: No such file or directory (os error 2)",
        "2-fifo.png [read] it is a FIFO, no regular file: not opened",
        "3-folder.png [read] it is a folder, no regular file: not opened",
        "4-text.png [decode] the content is not JPEG, PNG, WebP, GIF, BMP or TIFF",
        "5-large.png [read] it has more than 4000 bytes (--max-file-bytes)",
    ];
    assert_eq!(files.reasons(), expected, "{}", ran.text(&[]));
    assert_eq!(count(&ran, "upserted"), 2);
    assert_eq!(count(&ran, "failed"), 4);
    assert_eq!(count(&ran, "rejected"), 1);
    // What is stored of the one that changed is what was read.
    let rows = files.milvus.rows(PICTURES);
    let hash = |bytes: &[u8]| Cell::Text(blake3::hash(bytes).to_hex().to_string());
    let hashes: Vec<&Cell> = rows.values().map(|row| &row["content_hash"]).collect();
    assert!(hashes.contains(&&hash(&png(60))), "{hashes:?}");
}

/// Longer than a tick of the file system's clock.
pub(crate) fn settle() {
    std::thread::park_timeout(std::time::Duration::from_millis(60));
}

fn make_fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// Rows hold what one of the versions of a file was, whole.
#[track_caller]
fn expect_versions(files: &Files, versions: &[Vec<u8>]) {
    for row in files.milvus.rows(PICTURES).values() {
        let place = versions.iter().position(|bytes| {
            let hash = blake3::hash(bytes).to_hex().to_string();
            row["content_hash"] == Cell::Text(hash)
        });
        let place = place.unwrap_or_else(|| panic!("a mixture: {:?}", row["content_hash"]));
        let Cell::Vector(vector) = &row["embedding"] else {
            panic!("no vector");
        };
        let bytes = versions[place].as_slice();
        let red = image::load_from_memory(bytes)
            .unwrap()
            .to_rgb8()
            .get_pixel(0, 0)[0];
        assert!((vector[0] - f32::from(red) / 255.0).abs() < 1e-6);
    }
}

/// Does `disturb` over and over, in a thread, while `ingest` runs ten times.
fn race(files: &Files, disturb: impl Fn(&Path, usize) + Send + 'static) {
    let target = files.write("target.png", &png(0));
    for number in 1..9 {
        files.write(format!("{number}.png"), &png(number));
    }
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let disturbing = std::thread::spawn(move || {
        let mut turn = 0;
        while !stopped.load(Ordering::Relaxed) {
            disturb(&target, turn);
            turn += 1;
        }
        turn
    });
    for _ in 0..10 {
        let ran = files.ingest().run();
        assert!([Some(0), Some(3)].contains(&ran.code), "{}", ran.text(&[]));
        // The rest is not touched by it.
        assert!(
            files
                .reasons()
                .iter()
                .all(|line| line.starts_with("target.png"))
        );
        assert_eq!(
            counts_of(&ran).values().sum::<u64>(),
            9,
            "{}",
            ran.text(&[])
        );
    }
    stop.store(true, Ordering::Relaxed);
    assert!(disturbing.join().unwrap() > 100);
}

#[test]
fn race_a_picture_and_a_fifo_take_turns_under_one_name() {
    let files = Files::new();
    let spare = files.beside("spare");
    race(&files, move |target, turn| {
        if turn.is_multiple_of(2) {
            make_fifo(&spare);
        } else {
            fs::write(&spare, png(0)).unwrap();
        }
        fs::rename(&spare, target).unwrap();
    });
    expect_versions(&files, &(0..9).map(png).collect::<Vec<_>>());
}

#[test]
fn race_a_picture_is_written_anew_in_its_place() {
    let files = Files::new();
    let versions = [png(0), png(100)];
    race(&files, {
        let versions = versions.clone();
        move |target, turn| {
            let mut file = File::create(target).unwrap();
            let bytes = &versions[turn % 2];
            let (head, tail) = bytes.split_at(bytes.len() / 2);
            file.write_all(head).unwrap();
            file.write_all(tail).unwrap();
        }
    });
    let others = (1..9).map(png);
    expect_versions(
        &files,
        &versions.into_iter().chain(others).collect::<Vec<_>>(),
    );
}

/// Whoever opens a FIFO for writing waits until somebody opens it for reading:
/// the proof that nobody did.
struct Unopened {
    pipes: Vec<PathBuf>,
    opened: Arc<AtomicBool>,
    waiting: Vec<JoinHandle<()>>,
}

impl Unopened {
    fn make(pipes: Vec<PathBuf>) -> Self {
        let opened = Arc::new(AtomicBool::new(false));
        let wait = |path: &PathBuf| {
            make_fifo(path);
            let (path, opened) = (path.clone(), Arc::clone(&opened));
            std::thread::spawn(move || {
                drop(File::options().write(true).open(path).unwrap());
                opened.store(true, Ordering::SeqCst);
            })
        };
        let waiting = pipes.iter().map(wait).collect();
        Self {
            pipes,
            opened,
            waiting,
        }
    }

    #[track_caller]
    fn check(self) {
        assert!(!self.opened.load(Ordering::SeqCst), "a FIFO was opened");
        for path in self.pipes {
            drop(File::open(path).unwrap());
        }
        for thread in self.waiting {
            thread.join().unwrap();
        }
    }
}

#[test]
fn fifos_sockets_and_devices_are_never_opened() {
    let files = Files::new();
    files.write("good.png", &png(1));
    let pipes = ["pipe.jpg", "pipe"].map(|name| files.path(name));
    let unopened = Unopened::make(pipes.into());
    let _sockets =
        ["socket.png", "socket"].map(|name| UnixListener::bind(files.path(name)).unwrap());
    for name in ["zero.png", "zero"] {
        symlink("/dev/zero", files.path(name)).unwrap();
    }
    let all = [
        ("pipe", "FIFO"),
        ("pipe.jpg", "FIFO"),
        ("socket", "socket"),
        ("socket.png", "socket"),
        ("zero", "device"),
        ("zero.png", "device"),
    ];
    let lines = |told: &dyn Fn(&str) -> bool| -> Vec<String> {
        let told = all.into_iter().filter(|(name, _)| told(name));
        told.map(|(name, kind)| {
            format!("{name} [discover] it is a {kind}, no regular file: not opened")
        })
        .collect()
    };

    // In a folder those are told of that look like pictures.
    let ran = files.ingest().run().expect_code(3);
    let promised = lines(&|name| name.contains('.'));
    assert_eq!(files.reasons(), promised, "{}", ran.text(&[]));
    assert_eq!(count(&ran, "upserted"), 1);
    let paths = all.map(|(name, _)| files.path(name));
    let ran = paths.iter().fold(files.bare(), Run::arg).run();
    assert_eq!(files.reasons(), lines(&|_| true), "{}", ran.text(&[]));
    let list = paths.map(|path| [path.as_os_str().as_bytes(), b"\0"].concat());
    let listed = files.bare().args("--files-from -").stdin(list.concat());
    let ran = listed.run().expect_code(3);
    assert_eq!(files.reasons(), lines(&|_| true), "{}", ran.text(&[]));
    unopened.check();
}

#[test]
fn links_that_lead_in_circles_end_the_walk_there() {
    let files = Files::new();
    files.write("deep/er/good.png", &png(1));
    symlink(files.path(""), files.path("deep/er/up")).unwrap();
    symlink(".", files.path("deep/here")).unwrap();
    symlink("two.png", files.path("one.png")).unwrap();
    symlink("one.png", files.path("two.png")).unwrap();
    symlink("self.png", files.path("self.png")).unwrap();
    let ran = files.ingest().run().expect_code(3);
    let root = files.path("");
    let root = root.to_str().unwrap().trim_end_matches('/');
    let nowhere = "[discover] a symbolic link that leads nowhere:";
    assert_eq!(
        files.reasons(),
        [
            format!("deep/er/up [discover] a symbolic link that leads back to {root}"),
            "deep/here [discover] a symbolic link that leads back to deep".to_owned(),
            format!("one.png {nowhere} two.png cannot be found"),
            format!("self.png {nowhere} self.png cannot be found"),
            format!("two.png {nowhere} one.png cannot be found"),
        ],
        "{}",
        ran.text(&[])
    );
    assert_eq!(count(&ran, "upserted"), 1);
}

/// Names that a shell script would stumble over.
fn odd_names() -> Vec<Vec<u8>> {
    let longest = [&[b'x'; 251][..], b".png"].concat();
    let names: [&[u8]; 11] = [
        b"new\nline.png",
        b"carriage\rreturn.png",
        b"tab\t.png",
        b"\x1b[31mred\x1b[2J.png",
        b"bell\x07\x08\x7f.png",
        b"-rf.png",
        b" .png",
        b"quote'\"\\.png",
        "right\u{202e}gnp.png".as_bytes(),
        "c1\u{9b}31m.png".as_bytes(),
        &longest,
    ];
    names.map(<[u8]>::to_vec).into()
}

#[test]
fn odd_names_are_stored_as_they_are() {
    let files = Files::new();
    let mut paths = Vec::new();
    for (number, name) in (0..).zip(odd_names()) {
        paths.push(files.write(OsStr::from_bytes(&name), &png(number)));
    }
    let ran = files.ingest().run().expect_code(0);
    assert_eq!(ran.stderr.matches("warning").count(), 0);
    paths.sort();
    let expected: Vec<&str> = paths.iter().map(|path| path.to_str().unwrap()).collect();
    assert_eq!(files.stored(), expected);
    // By a list that is NUL-separated they are the same pictures.
    let list: Vec<u8> = paths
        .iter()
        .flat_map(|path| [path.as_os_str().as_bytes(), b"\0"].concat())
        .collect();
    let again = files
        .bare()
        .args("--files-from - --root")
        .arg(files.path(""));
    let again = again.stdin(list).run().expect_code(0);
    assert_eq!(count(&again, "unchanged"), paths.len() as u64);
}

#[test]
fn odd_names_reach_no_terminal_raw_and_the_rejects_exactly() {
    let files = Files::new();
    let mut names = odd_names();
    names.push(b"latin-\xe9.png".to_vec());
    names.push(b"\xff\xfe\x1b[0m.png".to_vec());
    for name in &names {
        files.write(OsStr::from_bytes(name), b"no picture");
    }
    files.write(OsStr::from_bytes(b"folder-\xe9/real.png"), &png(1));
    names.push(b"folder-\xe9/real.png".to_vec());
    for run in [files.bare(), files.for_people()] {
        let ran = run.arg(files.path("")).run().expect_code(3);
        let raw = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
        assert!(!ran.stderr.contains(raw), "{:?}", ran.stderr);
        assert!(!ran.stdout.contains(raw), "{:?}", ran.stdout);
        let told = ran.stderr.matches("warning: /").count();
        // A line each, and the one on the new collection.
        assert_eq!(told, names.len(), "{}", ran.stderr);
        assert!(
            ran.stderr.lines().count() <= names.len() + 1,
            "{}",
            ran.stderr
        );
    }
    let mut found: Vec<Vec<u8>> = files.rejects().iter().map(exact_path).collect();
    found.sort();
    let mut expected: Vec<Vec<u8>> = names
        .iter()
        .map(|name| files.path(OsStr::from_bytes(name)).into_os_string())
        .map(|path| path.as_bytes().to_vec())
        .collect();
    expected.sort();
    assert_eq!(found, expected);
    let reason = "its path is not UTF-8, which Milvus cannot store: rename it";
    assert!(files.rejects().iter().any(|line| line["reason"] == reason));
}

/// The path that a line of the rejects stands for, byte by byte.
fn exact_path(line: &Value) -> Vec<u8> {
    match line.get("path_base64") {
        Some(bytes) => STANDARD.decode(bytes.as_str().unwrap()).unwrap(),
        None => line["path"].as_str().unwrap().as_bytes().to_vec(),
    }
}

#[test]
fn rows_of_a_table_reach_no_terminal_raw() {
    let files = Files::new();
    files.write("a.png", &png(1));
    let table = files.beside("names.csv");
    fs::write(&table, b"file,name\na.png,fine\n\x1b[31mb.png,\xff\xfe\n").unwrap();
    let ran = files
        .ingest()
        .args("--names")
        .arg(&table)
        .run()
        .expect_code(0);
    assert!(ran.stderr.contains("warning: "), "{}", ran.text(&[]));
    assert!(!ran.stderr.contains('\u{1b}'), "{:?}", ran.stderr);
}

#[test]
fn long_paths_are_stored_as_far_as_the_system_opens_them() {
    let files = Files::new();
    // 4,000 bytes in all, by folders of 200.
    let part = "d".repeat(199);
    let mut folder = files.path("");
    while folder.as_os_str().len() < 3_700 {
        folder.push(&part);
    }
    let rest = 4_000 - folder.as_os_str().len() - "/.png".len();
    let long = folder.join(format!("{}.png", "f".repeat(rest.min(250))));
    fs::create_dir_all(&folder).unwrap();
    fs::write(&long, png(1)).unwrap();
    let name = long.to_str().unwrap();
    assert!(name.len() > 3_900, "{}", name.len());
    let ran = files.ingest().run().expect_code(0);
    assert_eq!(count(&ran, "upserted"), 1);
    assert_eq!(files.stored(), [name]);
    // One more folder above, and the system opens it no more.
    let above = files.path(&part);
    let pushed = files.beside("pushed");
    fs::rename(&above, &pushed).unwrap();
    let deeper = files.path("e".repeat(250));
    fs::create_dir(&deeper).unwrap();
    fs::rename(&pushed, deeper.join(&part)).unwrap();
    let ran = files.ingest().run().expect_code(3);
    let reasons = files.reasons();
    let expected = "[discover] File name too long (os error 36): shorten the path, or move the folder nearer to the root";
    assert!(reasons[0].ends_with(expected), "{reasons:?}");
    assert_eq!(counts_of(&ran), BTreeMap::from([("failed".to_owned(), 1)]));
    // Another way leads there.
    symlink(deeper.join(&part), files.beside("short")).unwrap();
    let short = files.bare().arg(files.beside("short")).run().expect_code(3);
    assert_eq!(count(&short, "failed"), 1, "{}", short.text(&[]));
}

#[test]
fn texts_longer_than_a_field_are_rejected_with_both_lengths() {
    let files = Files::new();
    files.write("fits.png", &png(1));
    files.write("long.png", &png(2));
    files.write("wide.png", &png(3));
    let table = files.beside("names.csv");
    let (fits, long) = ("n".repeat(65_535), "n".repeat(65_536));
    let wide = "w".repeat(65_536);
    let rows = format!("file,name,note\nfits.png,{fits},a\nlong.png,{long},b\nwide.png,c,{wide}\n");
    fs::write(&table, rows).unwrap();
    let ran = files
        .ingest()
        .args("--names")
        .arg(&table)
        .run()
        .expect_code(3);
    assert_eq!(
        files.reasons(),
        [
            "long.png [discover] its display name has 65536 bytes, Milvus stores at most 65535: shorten it in the names table",
            "wide.png [discover] its attributes have 65547 bytes, Milvus stores at most 65536: shorten them in the names table",
        ],
        "{}",
        ran.text(&[])
    );
    assert_eq!(files.stored(), [files.path("fits.png").to_str().unwrap()]);
}

#[test]
fn a_sparse_file_of_10_gb_is_rejected_by_its_size() {
    let files = Files::new();
    for (number, name) in (0..).zip(["a-sparse.png", "b-sparse.jpg"]) {
        let path = files.write(name, &png(number));
        let file = File::options().write(true).open(path).unwrap();
        file.set_len(10_000_000_000).unwrap();
    }
    files.write("good.png", &png(3));
    let (ran, peak) = files.peak_memory(&files.ingest());
    let reason = "the file has 10000000000 bytes, --max-file-bytes is 268435456";
    assert_eq!(
        files.reasons(),
        ["a-sparse.png", "b-sparse.jpg"].map(|name| format!("{name} [read] {reason}")),
        "{}",
        ran.text(&[])
    );
    assert!(peak < 64 << 10, "{peak} KiB");
}

impl Files {
    /// Runs it, and the most memory in KiB that it held until it wrote its
    /// first batch: of few pictures, that is when all of them are decoded.
    pub(crate) fn peak_memory(&self, run: &Run) -> (Ran, u64) {
        let (tell, told) = std::sync::mpsc::channel();
        self.milvus.once("upsert", move || {
            let found = fs::read_dir("/proc").unwrap().filter_map(|entry| {
                let folder = entry.ok()?.path();
                let status = fs::read_to_string(folder.join("status")).ok()?;
                let parent = line_of(&status, "PPid:")?;
                Some((
                    parent,
                    line_of(&status, "VmHWM:")?,
                    line_of(&status, "Pid:")?,
                ))
            });
            tell.send(found.collect::<Vec<_>>()).unwrap();
        });
        let mut child = run.command().spawn().unwrap();
        drop(child.stdin.take());
        let timeout = u64::from(child.id());
        let output = child.wait_with_output().unwrap();
        let ran = Ran {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        let processes = told
            .try_recv()
            .unwrap_or_else(|_| panic!("{}", ran.text(&[])));
        let ours = processes
            .into_iter()
            .find(|(parent, _, _)| *parent == timeout);
        (ran, ours.unwrap().1)
    }
}

fn line_of(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[test]
fn a_full_disk_loses_no_reject_without_a_word() {
    let files = Files::new();
    files.write("good.png", &png(1));
    for number in 0..3 {
        files.write(format!("bad-{number}.png"), b"no picture");
    }
    symlink("/dev/full", files.beside("rejects.jsonl")).unwrap();
    let ran = files.ingest().run().expect_code(1);
    assert_eq!(
        ran.stderr.matches("warning: ").count(),
        3,
        "{}",
        ran.text(&[])
    );
    let list = files.beside("rejects.jsonl");
    for words in [
        &format!("error: cannot write the rejects to {}", list.display()),
        "caused by: No space left on device",
        "hint: the run itself went on to its end; free some space and run it again",
    ] {
        assert!(ran.stderr.contains(words), "{}", ran.text(&[]));
    }
    // The run itself is whole, and says so.
    assert_eq!(
        counts_of(&ran),
        BTreeMap::from([("rejected".to_owned(), 3), ("upserted".to_owned(), 1)])
    );
    let quiet = files.ingest().args("--quiet").run().expect_code(1);
    assert!(quiet.stderr.starts_with("error: cannot write the rejects"));
}

#[test]
fn a_summary_that_cannot_be_written_is_an_error() {
    let files = Files::new();
    files.write("good.png", &png(1));
    let mut command = files.ingest().command();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = command.stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("error: cannot write to standard output"),
        "{said}"
    );
    assert_eq!(files.stored().len(), 1);
}
