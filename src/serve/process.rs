//! What this process takes of its host, read from /proc at each scrape; CPU time with fractions of
//! a second (pitfall 13). And which build this is.

use std::fs;
use std::path::PathBuf;

use parking_lot::Mutex;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Counter, Gauge, IntGaugeVec, Opts, Registry, Result};

// USER_HZ, in which /proc counts: 100 on every architecture that Linux runs on today.
const TICKS_PER_SECOND: f64 = 100.0;

/// `process_*`, as every Prometheus client has them.
pub struct ProcessMetrics {
    proc: PathBuf,
    // Absolute values are put into the counter, so scrapes come one after the other.
    metrics: Mutex<Metrics>,
    descs: Vec<Desc>,
}

struct Metrics {
    cpu: Counter,
    start: Gauge,
    resident: Gauge,
    virtual_memory: Gauge,
    open_fds: Gauge,
    max_fds: Gauge,
}

impl ProcessMetrics {
    /// Registers them.
    ///
    /// # Errors
    /// A family of the same name is registered already.
    pub fn register(registry: &Registry) -> Result<()> {
        registry.register(Box::new(ProcessMetrics::reading(PathBuf::from("/proc"))?))
    }

    fn reading(proc: PathBuf) -> Result<ProcessMetrics> {
        let metrics = Metrics {
            cpu: Counter::new(
                "process_cpu_seconds_total",
                "CPU time spent in user and system mode, in seconds",
            )?,
            start: Gauge::new(
                "process_start_time_seconds",
                "Start of the process, in seconds since the epoch",
            )?,
            resident: Gauge::new("process_resident_memory_bytes", "Resident memory, in bytes")?,
            virtual_memory: Gauge::new("process_virtual_memory_bytes", "Virtual memory, in bytes")?,
            open_fds: Gauge::new("process_open_fds", "Open file descriptors")?,
            max_fds: Gauge::new("process_max_fds", "File descriptors that may be open")?,
        };
        let descs = metrics.all().into_iter().flat_map(Collector::desc).cloned().collect();
        Ok(ProcessMetrics { proc, metrics: Mutex::new(metrics), descs })
    }
}

impl Collector for ProcessMetrics {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let metrics = self.metrics.lock();
        metrics.read(&self.proc)
    }
}

impl Metrics {
    fn all(&self) -> [&dyn Collector; 6] {
        [&self.cpu, &self.start, &self.resident, &self.virtual_memory, &self.open_fds, &self.max_fds]
    }

    // What cannot be read is left out.
    fn read(&self, proc: &std::path::Path) -> Vec<MetricFamily> {
        let mut families = Vec::new();
        let text = |name: &str| fs::read_to_string(proc.join(name)).unwrap_or_default();
        let (stat, status) = (text("self/stat"), text("self/status"));
        if let Some(seconds) = cpu_seconds(&stat) {
            self.cpu.reset();
            self.cpu.inc_by(seconds);
            families.extend(self.cpu.collect());
        }
        let fds = || Some(fs::read_dir(proc.join("self/fd")).ok()?.count() as f64);
        for (gauge, value) in [
            (&self.start, start(&stat, &text("stat"))),
            (&self.resident, kilobytes(&status, "VmRSS:")),
            (&self.virtual_memory, kilobytes(&status, "VmSize:")),
            // The directory itself is open while it is read.
            (&self.open_fds, fds().map(|count| (count - 1.0).max(0.0))),
            (&self.max_fds, max_fds(&text("self/limits"))),
        ] {
            if let Some(value) = value {
                gauge.set(value);
                families.extend(gauge.collect());
            }
        }
        families
    }
}

// Fields of /proc/self/stat are numbered from 1; the second is the program's name in brackets, which
// may hold anything.
fn field(stat: &str, number: usize) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_ascii_whitespace().nth(number - 3)?.parse().ok()
}

fn cpu_seconds(stat: &str) -> Option<f64> {
    Some((field(stat, 14)? + field(stat, 15)?) / TICKS_PER_SECOND)
}

fn start(stat: &str, host: &str) -> Option<f64> {
    let boot: f64 = host.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    Some(boot + field(stat, 22)? / TICKS_PER_SECOND)
}

fn kilobytes(status: &str, name: &str) -> Option<f64> {
    let value = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kilobytes: f64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024.0)
}

fn max_fds(limits: &str) -> Option<f64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// Registers `endpointslice_build_info{version}`, always 1.
///
/// # Errors
/// A family of the same name is registered already.
pub fn register_build_info(registry: &Registry, version: &str) -> Result<()> {
    let opts = Opts::new("endpointslice_build_info", "The version of this program; the value is always 1");
    let family = IntGaugeVec::new(opts, &["version"])?;
    family.with_label_values(&[version]).set(1);
    registry.register(Box::new(family))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(registry: &Registry) -> Vec<(String, f64)> {
        let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines
            .filter_map(|line| line.rsplit_once(' '))
            .map(|(n, v)| (n.to_owned(), v.parse().unwrap()))
            .collect()
    }

    #[test]
    fn this_process_is_described() {
        let registry = Registry::new();
        ProcessMetrics::register(&registry).unwrap();
        register_build_info(&registry, "1.2.3").unwrap();
        let values = values(&registry);
        let names: Vec<&str> = values.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "endpointslice_build_info{version=\"1.2.3\"}",
                "process_cpu_seconds_total",
                "process_max_fds",
                "process_open_fds",
                "process_resident_memory_bytes",
                "process_start_time_seconds",
                "process_virtual_memory_bytes",
            ]
        );
        assert!(values[2].1 >= values[3].1 && values[3].1 >= 3.0, "{values:?}");
        assert!(values[4].1 > 1e5 && values[4].1 < values[6].1, "{values:?}");
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
        assert!(values[5].1 <= now + 2.0 && values[5].1 > now - 86_400.0, "{values:?}");
    }

    #[test]
    fn pitfall_13_cpu_time_has_fractions_of_a_second_and_a_name_may_hold_anything() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194560 100 0 0 0 123 45 0 0 20 0 9 0 5000 1000 10";
        assert_eq!(cpu_seconds(stat), Some(1.68));
        assert_eq!(start(stat, "cpu 1\nbtime 1000\nprocesses 3\n"), Some(1050.0));
        assert_eq!(cpu_seconds(""), None);
    }

    #[test]
    fn what_cannot_be_read_is_left_out() {
        let registry = Registry::new();
        let nowhere = ProcessMetrics::reading(PathBuf::from("/nowhere")).unwrap();
        registry.register(Box::new(nowhere)).unwrap();
        assert_eq!(values(&registry), []);
        assert_eq!(max_fds("Max open files            unlimited  unlimited files"), None);
        assert_eq!(max_fds("Max open files            1024                 4096  files"), Some(1024.0));
    }
}
