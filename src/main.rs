//! `endpointslice-controller`: see the library for everything.

/// musl's allocator has one lock for all threads; the image is built for musl.
#[cfg(all(feature = "controller", target_env = "musl"))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[cfg(feature = "controller")]
fn main() -> std::process::ExitCode {
    endpointslice_controller::cli::main()
}

#[cfg(not(feature = "controller"))]
fn main() {}
