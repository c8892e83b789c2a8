//! What a process has used, from `/proc`.

use std::path::PathBuf;

/// `/proc` counts CPU time in these, on every architecture that Linux runs on today.
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU and memory of a process up to now.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// CPU time of all its threads, in seconds.
    pub cpu_seconds: f64,
    /// Resident memory, in bytes.
    pub resident: u64,
    /// The most that it was.
    pub resident_peak: u64,
}

impl Usage {
    /// Of the process with this id; `None` where it is gone, or there is no `/proc`.
    #[must_use]
    pub fn of(pid: u32) -> Option<Usage> {
        let folder = PathBuf::from(format!("/proc/{pid}"));
        let stat = std::fs::read_to_string(folder.join("stat")).ok()?;
        let status = std::fs::read_to_string(folder.join("status")).ok()?;
        // The program's name in brackets may hold anything; utime and stime are the 12th and 13th after it.
        let (_, rest) = stat.rsplit_once(')')?;
        let mut times = rest.split_ascii_whitespace().skip(11).map_while(|field| field.parse::<f64>().ok());
        let cpu_seconds = (times.next()? + times.next()?) / TICKS_PER_SECOND;
        let bytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
        };
        Some(Usage { cpu_seconds, resident: bytes("VmRSS:")?, resident_peak: bytes("VmHWM:")? })
    }
}
