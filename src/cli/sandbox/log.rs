//! The log beside a live screen: lines are kept while it is there, and go to stderr when it is not.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::Arc;

use parking_lot::Mutex;
use tracing_subscriber::fmt::MakeWriter;

/// Lines that are kept; older ones are forgotten.
const KEPT: usize = 500;

/// Where the log goes. Cheap to clone.
#[derive(Clone, Default)]
pub struct Log {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    held: bool,
    lines: VecDeque<String>,
}

impl Log {
    /// From now on lines are kept: the screen is somebody else's.
    pub fn hold(&self) {
        self.state.lock().held = true;
    }

    /// What was kept goes to stderr, and so do the lines that follow.
    pub fn release(&self) {
        let mut state = self.state.lock();
        state.held = false;
        let mut out = io::stderr().lock();
        for line in state.lines.drain(..) {
            let _ = out.write_all(line.as_bytes());
        }
    }

    /// The last line that was kept, without its time.
    #[must_use]
    pub fn last(&self) -> Option<String> {
        let state = self.state.lock();
        let line = state.lines.back()?.trim();
        Some(line.split_once(char::is_whitespace).map_or(line, |(_, rest)| rest).trim().to_owned())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Log;

    fn make_writer(&'a self) -> Log {
        self.clone()
    }
}

impl Write for Log {
    /// Is given one whole line at a time.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.state.lock();
        if !state.held {
            return io::stderr().lock().write(bytes);
        }
        if state.lines.len() == KEPT {
            state.lines.pop_front();
        }
        state.lines.push_back(String::from_utf8_lossy(bytes).into_owned());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().lock().flush()
    }
}
