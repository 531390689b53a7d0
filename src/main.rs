//! The program `tollgate`.

use std::process::ExitCode;

/// Gives memory back to the system after load, which the system's own allocator does not.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    tollgate::cli::main()
}
