//! Child processes that never outlive the test: each is killed when its [`Process`] is dropped, and
//! a watchdog kills those that are left when the test process ends in whatever way (statics are
//! never dropped, and a killed test drops nothing).
//!
//! The watchdog is a shell that reads the process ids from a pipe; the pipe closes with the test
//! process. It stands in a process group of its own, so that Ctrl-C does not reach it first.

use std::fs::File;
use std::io::Write;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

/// Lines on its standard input: `+PID` watch, `-PID` forget, `/DIR` remove at the end.
const WATCHDOG: &str = r#"
trap '' INT TERM HUP
alive=' '
folder=
while read -r line; do
  case $line in
    +*) alive="$alive${line#+} " ;;
    -*) pid=${line#-}; alive="${alive%% $pid *} ${alive#* $pid }" ;;
    /*) folder=$line ;;
  esac
done
for pid in $alive; do kill -KILL "$pid" 2>/dev/null; done
[ -z "$folder" ] || rm -rf "$folder" || { sleep 1; rm -rf "$folder"; }
"#;

#[allow(clippy::zombie_processes)] // it outlives this process: that is its purpose
fn watchdog() -> &'static Mutex<ChildStdin> {
    static WATCHDOG_INPUT: OnceLock<Mutex<ChildStdin>> = OnceLock::new();
    WATCHDOG_INPUT.get_or_init(|| {
        let mut child = Command::new("sh")
            .args(["-c", WATCHDOG])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("start the watchdog shell");
        Mutex::new(child.stdin.take().expect("the watchdog's standard input"))
    })
}

fn tell_watchdog(line: &str) {
    let mut input = watchdog().lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let _ = writeln!(input, "{line}");
}

/// The folder for data of this test process, in memory where the machine has `/dev/shm`. The
/// watchdog removes it.
pub fn scratch() -> &'static Path {
    static SCRATCH: OnceLock<PathBuf> = OnceLock::new();
    SCRATCH.get_or_init(|| {
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() { memory.to_path_buf() } else { std::env::temp_dir() };
        let folder = parent.join(format!("endpointslice-controller-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("create the scratch folder");
        tell_watchdog(&folder.display().to_string());
        folder
    })
}

/// The folder for logs of this test binary. It stays after the run; the next run empties it.
pub fn logs() -> &'static Path {
    static LOGS: OnceLock<PathBuf> = OnceLock::new();
    LOGS.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("logs").join(binary_name());
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("create the folder for logs");
        folder
    })
}

/// The name of the running test binary without cargo's hash.
pub fn binary_name() -> String {
    let path = std::env::current_exe().unwrap_or_default();
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    match stem.rsplit_once('-') {
        Some((name, _)) => name.to_string(),
        None => stem,
    }
}

/// A free TCP port on loopback. Somebody else may take it before it is bound: callers try again.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bind a port on loopback");
    listener.local_addr().expect("the bound address").port()
}

/// A running (or exited) child process whose output goes to a file.
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    reaped: bool,
}

impl Process {
    /// Starts `command` with its output in `logs()/NAME.log`.
    pub fn start(name: &str, mut command: Command) -> Process {
        let log = logs().join(format!("{name}.log"));
        let output = File::options().create(true).append(true).open(&log).expect("open the log");
        let errors = output.try_clone().expect("share the log");
        let child = command
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .unwrap_or_else(|error| panic!("start {name} ({:?}): {error}", command.get_program()));
        tell_watchdog(&format!("+{}", child.id()));
        Process { name: name.to_string(), child, log, reaped: false }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by its name without `SIG`.
    pub fn signal(&self, signal: &str) {
        if self.reaped {
            return;
        }
        let script = format!("kill -{signal} {}", self.pid());
        let _ = Command::new("sh").args(["-c", &script]).stderr(Stdio::null()).status();
    }

    /// The exit status, if the process has exited.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        let status = self.child.try_wait().expect("ask for the exit status");
        if status.is_some() && !self.reaped {
            self.reaped = true;
            tell_watchdog(&format!("-{}", self.pid()));
        }
        status
    }

    /// Waits for the exit; fails the test at the deadline.
    pub async fn wait(&mut self, deadline: Duration) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.exited() {
                return status;
            }
            assert!(
                started.elapsed() < deadline,
                "{} has not exited within {deadline:?}\n{}",
                self.name,
                self.tail(40)
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Kills at once and reaps.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = self.exited();
    }

    /// Everything that was printed so far.
    pub fn log(&self) -> String {
        let bytes = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Where it prints to.
    pub fn log_path(&self) -> &Path {
        &self.log
    }

    /// The last lines of the log, with its path above them.
    pub fn tail(&self, lines: usize) -> String {
        let log = self.log();
        let all: Vec<&str> = log.lines().collect();
        let start = all.len().saturating_sub(lines);
        format!("--- {} (whole log: {})\n{}\n---", self.name, self.log.display(), all[start..].join("\n"))
    }

    /// CPU used so far, user and system.
    pub fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap_or_default();
        let after_name = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
        let ticks: u64 = after_name
            .split_whitespace()
            .skip(11)
            .take(2)
            .filter_map(|field| field.parse::<u64>().ok())
            .sum();
        // Linux reports in USER_HZ, which is 100 on every architecture that Rust supports.
        Duration::from_millis(ticks * 10)
    }

    /// A line of `/proc/PID/status` in KiB, for instance `VmHWM` (peak) or `VmRSS` (resident now).
    pub fn memory_kib(&self, line: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
        let text = status.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(':'));
        text.and_then(|text| text.split_whitespace().next()?.parse().ok()).unwrap_or(0)
    }
}

/// The exit code, or 128 + the signal as shells count.
pub fn exit_code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.tail(40));
        }
        self.kill();
    }
}
