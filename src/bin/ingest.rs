//! The `ingest` command; see `ingest --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    milvus_image_search::cli::ingest::main()
}
