//! The `search` command; see `search --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    milvus_image_search::cli::search::main()
}
