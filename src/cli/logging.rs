//! The log: to stderr, text or JSON lines, silent when nothing changes.

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::{self, MakeWriter};

use super::config::Logging;

/// Starts the log of this process, to stderr.
pub fn start(logging: Logging) {
    start_to(logging, std::io::stderr);
}

/// Starts the log of this process, to wherever its lines may go.
pub fn start_to(logging: Logging, writer: impl for<'a> MakeWriter<'a> + Send + Sync + 'static) {
    let level = match logging.verbosity {
        0 | 1 => LevelFilter::INFO,
        2 | 3 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    // Libraries speak of every failed request, again and again: whoever made it tells it here, once.
    let libraries = if level == LevelFilter::TRACE { LevelFilter::WARN } else { LevelFilter::OFF };
    let filter = tracing_subscriber::filter::Targets::new()
        .with_default(libraries)
        .with_target("endpointslice_controller", level);
    use tracing_subscriber::prelude::*;
    let lines = fmt::layer().with_writer(writer).with_target(false);
    let lines =
        if logging.json { lines.json().flatten_event(true).boxed() } else { lines.with_ansi(false).boxed() };
    let _ = tracing_subscriber::registry().with(lines.with_filter(filter)).try_init();
}
