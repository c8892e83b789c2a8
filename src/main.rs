//! `endpointslice-controller`: see the library for everything.

#[cfg(feature = "controller")]
fn main() -> std::process::ExitCode {
    endpointslice_controller::cli::main()
}

#[cfg(not(feature = "controller"))]
fn main() {}
