//! The `models` command; see `models --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    milvus_image_search::cli::models::main()
}
