//! Whose panic it is.
//!
//! `imaging::decode` catches the panics of third-party decoders, so one of them
//! is no finding; it is shown once for each place. Any other panic is one: then
//! libFuzzer's own hook ends the process and keeps the input.

use std::backtrace::Backtrace;
use std::collections::HashSet;
use std::panic::{self, Location};
use std::sync::Mutex;

use milvus_image_search::imaging::is_decoding;

/// Lets panics inside third-party decoders pass. To be called as a target
/// starts, after libFuzzer has set its hook.
pub fn tell_apart() {
    let ends_process = panic::take_hook();
    let shown = Mutex::new(HashSet::new());
    panic::set_hook(Box::new(move |info| {
        let place = info.location().map(ToString::to_string);
        let is_theirs = is_decoding() && info.location().is_some_and(is_third_party);
        if !is_theirs {
            ends_process(info);
        }
        let is_new = shown.lock().is_ok_and(|mut shown| shown.insert(place));
        if is_new {
            eprintln!("caught, as it should be: {info}");
        }
    }));
}

/// Whether the code at `place`, or where that is the standard library's the
/// first below it that is not, comes from a registry.
fn is_third_party(place: &Location) -> bool {
    if is_of_std(place.file()) {
        let trace = Backtrace::force_capture().to_string();
        first_below(&trace).is_some_and(is_of_registry)
    } else {
        is_of_registry(place.file())
    }
}

/// File of the first frame under the panic that is not the standard library's.
fn first_below(trace: &str) -> Option<&str> {
    let mut files = trace
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("at "))
        .skip_while(|file| !file.contains("/library/core/src/panicking.rs"));
    files.find(|file| !is_of_std(file))
}

fn is_of_std(file: &str) -> bool {
    file.starts_with("/rustc/") || file.contains("/rustlib/src/")
}

fn is_of_registry(file: &str) -> bool {
    file.contains("/registry/src/")
}
