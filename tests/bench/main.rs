//! `make bench`: ingest and search end to end, on Milvus Lite and Milvus
//! 2.3.5, with the demo model. Prints figures and asserts nothing.
//!
//! The named alternative is the bare graph: the same sessions on the same
//! tensors, with no file, decoder or server around them, in the same run and
//! in turn with the others. Absolute figures drift with the machine; quote the
//! ratios.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a measurement may fail, and prints"
)]

#[path = "../milvus/servers.rs"]
#[expect(dead_code, reason = "shared with the suite on servers")]
mod servers;
#[path = "../support/mod.rs"]
#[expect(dead_code, unreachable_pub, reason = "shared by the suites")]
mod support;

mod plan;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use milvus_image_search::config::ImageLimits;
use milvus_image_search::embed::{Runtime, TextTower, VisionTower};
use milvus_image_search::imaging::{Preprocess, decode};
use milvus_image_search::model::Model;
use milvus_image_search::store::{Scope, VectorSearch};

use servers::{Collection, Server, block_on};
use support::{Run, gallery, ingest, repo, search};

/// Copies of the gallery in the folder that is ingested.
const COPIES: usize = 4;
/// Rounds of everything; medians are printed.
const ROUNDS: usize = 3;
/// Pictures in one run of the graph, as `ingest` does by default.
const BATCH: usize = 8;

fn main() {
    // `cargo bench ... -- plan` measures that alone.
    if std::env::args().any(|arg| arg == "plan") {
        return plan::measure();
    }
    let model = Model::open(&repo().join("models/lit-b0")).unwrap();
    let runtime = Runtime::load().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let pictures = copy_gallery(folder.path());
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    println!(
        "{} pictures, model {}, {workers} workers of one thread, medians of {ROUNDS} rounds\n",
        pictures.len(),
        model.manifest.name
    );
    let tensors = tensors(&model, &pictures[..pictures.len() / COPIES]);
    let mut bare = Vec::new();
    let mut ours: Vec<Vec<Ingested>> = vec![Vec::new(); 2];
    let servers = [Server::lite(), Server::standalone()];
    for _ in 0..ROUNDS {
        bare.push(bare_rate(&model, &runtime, workers, &tensors));
        for (server, ours) in servers.iter().zip(&mut ours) {
            let collection = server.collection("bench");
            ours.push(ingest_once(
                server,
                &collection,
                folder.path(),
                pictures.len(),
            ));
        }
    }
    let bare = median(bare);
    println!("bare graph              {bare:8.1} images/s");
    for (name, rounds) in ["Milvus Lite 3.2.2", "Milvus 2.3.5"].into_iter().zip(&ours) {
        let of = |figure: fn(&Ingested) -> f64| median(rounds.iter().map(figure).collect());
        println!(
            "ingest, {name:<17}{:6.1} images/s, {:.2} of the bare graph, {:.1} CPU-ms an image, {:.0} MiB at most, start {:.2} s",
            of(|r| r.rate),
            of(|r| r.rate) / bare,
            of(|r| r.cpu_ms),
            of(|r| r.peak_mib),
            of(|r| r.start_seconds),
        );
    }
    println!();
    for (name, server) in ["Milvus Lite 3.2.2", "Milvus 2.3.5"]
        .into_iter()
        .zip(&servers)
    {
        search_latency(name, server, &model, &runtime, folder.path());
    }
    println!();
    plan::measure();
}

fn copy_gallery(to: &Path) -> Vec<PathBuf> {
    let mut copied = Vec::new();
    for copy in 0..COPIES {
        let mut folders = vec![gallery()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let is_picture = path
                    .extension()
                    .is_some_and(|e| e == "jpg" || e == "png" || e == "webp");
                if path.is_dir() {
                    folders.push(path);
                } else if is_picture {
                    let relative = path.strip_prefix(gallery()).unwrap();
                    let place = to.join(copy.to_string()).join(relative);
                    std::fs::create_dir_all(place.parent().unwrap()).unwrap();
                    // Each copy is a picture of its own: one with the same
                    // content would not be embedded. Decoders stop before this.
                    let mut bytes = std::fs::read(&path).unwrap();
                    bytes.push(u8::try_from(copy).unwrap());
                    std::fs::write(&place, bytes).unwrap();
                    copied.push(place);
                }
            }
        }
    }
    copied
}

fn tensors(model: &Model, pictures: &[PathBuf]) -> Vec<Vec<f32>> {
    let mut preprocess = Preprocess::new(&model.manifest.vision);
    let mut batches = Vec::new();
    for batch in pictures.chunks_exact(BATCH) {
        let mut tensor = vec![0.0; preprocess.tensor_len() * BATCH];
        for (picture, place) in batch
            .iter()
            .zip(tensor.chunks_exact_mut(preprocess.tensor_len()))
        {
            let image = decode(&std::fs::read(picture).unwrap(), &ImageLimits::default()).unwrap();
            preprocess.write_tensor(&image, place);
        }
        batches.push(tensor);
    }
    batches
}

/// Images a second of the graph alone, on as many threads as `ingest` uses.
#[expect(clippy::cast_precision_loss, reason = "a rate")]
fn bare_rate(model: &Model, runtime: &Runtime, workers: usize, tensors: &[Vec<f32>]) -> f64 {
    let mut towers: Vec<VisionTower> = (0..workers)
        .map(|_| VisionTower::open(model, Some(runtime), 1).unwrap())
        .collect();
    for tower in &mut towers {
        tower.embed(&tensors[0], BATCH).unwrap();
    }
    let start = Instant::now();
    std::thread::scope(|scope| {
        for (worker, tower) in towers.iter_mut().enumerate() {
            scope.spawn(move || {
                for _ in 0..COPIES {
                    for batch in tensors.iter().skip(worker).step_by(workers) {
                        tower.embed(batch, BATCH).unwrap();
                    }
                }
            });
        }
    });
    (tensors.len() * COPIES * BATCH) as f64 / start.elapsed().as_secs_f64()
}

#[derive(Debug, Clone)]
struct Ingested {
    rate: f64,
    cpu_ms: f64,
    peak_mib: f64,
    start_seconds: f64,
}

/// One run of the binary, from an empty collection.
#[expect(clippy::cast_precision_loss, reason = "a rate")]
fn ingest_once(
    server: &Server,
    collection: &Collection,
    folder: &Path,
    pictures: usize,
) -> Ingested {
    let run = ingest()
        .args("--quiet --format json --model lit-b0 --collection")
        .args(&collection.name)
        .arg(folder);
    let cpu_before = children_cpu_seconds();
    let ran = watched(&server.run(run));
    assert_eq!(ran.summary["upserted"], pictures);
    let elapsed = ran.summary["elapsed_seconds"].as_f64().unwrap();
    Ingested {
        rate: pictures as f64 / elapsed,
        cpu_ms: (children_cpu_seconds() - cpu_before) * 1e3 / pictures as f64,
        peak_mib: ran.peak_kib / 1024.0,
        start_seconds: ran.wall - elapsed,
    }
}

/// A run of a binary, its memory watched.
struct Watched {
    summary: serde_json::Value,
    wall: f64,
    peak_kib: f64,
}

impl Watched {
    fn count(&self, key: &str) -> u64 {
        self.summary[key].as_u64().unwrap()
    }
}

fn watched(run: &Run) -> Watched {
    let start = Instant::now();
    let mut child = run.command().spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak_kib = 0.0f64;
    while child.try_wait().unwrap().is_none() {
        peak_kib = peak_kib.max(peak_memory_kib(&status));
        std::thread::park_timeout(Duration::from_millis(20));
    }
    let wall = start.elapsed().as_secs_f64();
    let mut summary = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut summary)
        .unwrap();
    Watched {
        summary: serde_json::from_str(&summary).unwrap(),
        wall,
        peak_kib,
    }
}

fn search_latency(name: &str, server: &Server, model: &Model, runtime: &Runtime, folder: &Path) {
    let collection = server.collection("latency");
    ingest_once(server, &collection, folder, COPIES * 138);
    let ask = |run: Run| {
        let start = Instant::now();
        server
            .run(run.args("--collection").args(&collection.name))
            .run()
            .expect_code(0);
        start.elapsed().as_secs_f64() * 1e3
    };
    let text = median(
        (0..10)
            .map(|_| ask(search().args("--text handbag")))
            .collect(),
    );
    let picture = gallery().join("objects/red-handbag.webp");
    let image = median(
        (0..10)
            .map(|_| ask(search().args("--image").arg(&picture)))
            .collect(),
    );
    let mut tower = TextTower::open(model, runtime, 1).unwrap();
    let (mut embed, mut find) = (Vec::new(), Vec::new());
    block_on(async {
        let store = server.store().await;
        let index = store.index(&collection.name).await.unwrap().unwrap();
        for _ in 0..50 {
            let start = Instant::now();
            let embedding = tower.embed(&["red handbag"]).unwrap().remove(0).embedding;
            embed.push(start.elapsed().as_secs_f64() * 1e3);
            let (asked, scope) = ([embedding], Scope::default());
            let query = VectorSearch::new(&asked, 10, &scope);
            let start = Instant::now();
            let found = store.search(&collection.name, &index, &query).await;
            assert_eq!(found.unwrap().hits[0].len(), 10);
            find.push(start.elapsed().as_secs_f64() * 1e3);
        }
    });
    println!(
        "search, {name:<17} cold {text:.0} ms by text, {image:.0} ms by picture; warm {:.1} ms to embed a text, {:.1} ms to search",
        median(embed),
        median(find)
    );
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// CPU time of all children that ended, from the kernel's accounts
/// (`proc_pid_stat(5)`, fields 16 and 17, in hundredths of a second).
fn children_cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit_once(')').unwrap().1;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = |place: usize| fields[place].parse::<f64>().unwrap();
    (ticks(13) + ticks(14)) / 100.0
}

fn peak_memory_kib(status: &str) -> f64 {
    let text = std::fs::read_to_string(status).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse().ok())
        .unwrap_or(0.0)
}
