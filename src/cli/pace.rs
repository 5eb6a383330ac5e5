//! How many workers and threads fit the machine.

use crate::ingest::Memory;
use crate::model::Model;

/// Memory that one worker takes beside its copy of the model: tensors and
/// activations of a batch of 8 were measured at 560 MiB for two workers of
/// `lit-b0`, whose file has 11 MB.
const WORKER_BYTES: u64 = 256 << 20;

/// Free memory that is assumed where the system does not tell.
const UNKNOWN: u64 = 4 << 30;

/// Workers and threads a worker: what was given, else one worker a core as
/// far as half of the free memory goes, and the cores divided among them. Two
/// sessions of one thread embed more than one of two, but each holds a copy of
/// the weights; where a worker holds several `models`, of each.
pub(super) fn workers_and_threads(
    models: &[&Model],
    workers: Option<usize>,
    threads: Option<usize>,
) -> (usize, usize) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = workers.unwrap_or_else(|| {
        let bytes: u64 = models.iter().map(|model| worker_bytes(model)).sum();
        let fitting = free_bytes().unwrap_or(UNKNOWN) / 2 / bytes.max(1);
        usize::try_from(fitting)
            .unwrap_or(usize::MAX)
            .clamp(1, cores)
    });
    let threads = threads.unwrap_or_else(|| (cores / workers).max(1));
    (workers, threads)
}

/// Memory that `workers` take, and what can be had without swapping, in bytes;
/// `None` where the system does not tell.
pub(super) fn memory(model: &Model, workers: usize) -> Memory {
    Memory {
        workers,
        needed: worker_bytes(model) * workers as u64,
        free: free_bytes(),
    }
}

/// Memory of one worker. ONNX Runtime packs weights anew beside the file's:
/// ViT-B/32 (352 MB) was measured at 433 MB with one worker and 1,190 MB with
/// two, so 2.2 times the file.
fn worker_bytes(model: &Model) -> u64 {
    let graph = model.manifest.vision.onnx.as_ref();
    let file = graph.and_then(|graph| std::fs::metadata(model.path_of(&graph.file)).ok());
    let bytes = file.map_or(0, |file| file.len());
    bytes * 22 / 10 + WORKER_BYTES
}

/// Memory that can be had without swapping; `None` where the system does not
/// tell.
fn free_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    text.lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))
        .and_then(|rest| {
            rest.trim()
                .trim_end_matches("kB")
                .trim()
                .parse::<u64>()
                .ok()
        })
        .map(|kibibytes| kibibytes << 10)
}
