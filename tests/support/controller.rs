//! The controller as a child process: the program that cargo built, started as a user would.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::api::Api;
use super::process::{Process, exit_code, free_port};
use super::stage::{Stage, User};
use super::wait::{SOON, eventually};

const READY_WITHIN: Duration = Duration::from_secs(60);

/// A running controller.
pub struct Controller {
    process: Process,
    port: u16,
}

impl Controller {
    /// Starts `run` as [`User::Controller`] without leader election, with metrics on a free port of
    /// loopback, and waits until it is ready. `flags` come last, and so win where given twice is allowed.
    pub async fn start(stage: &dyn Stage, flags: &[&str]) -> Controller {
        let controller = Controller::launch(stage, flags);
        controller.ready().await;
        controller
    }

    /// The same without waiting: for starts that are meant to fail or to hang.
    pub fn launch(stage: &dyn Stage, flags: &[&str]) -> Controller {
        Controller::launch_with(&stage.kubeconfig(User::Controller), flags)
    }

    /// The same with a kubeconfig of the test's own.
    pub fn launch_with(kubeconfig: &Path, flags: &[&str]) -> Controller {
        let port = free_port();
        let mut command = Command::new(env!("CARGO_BIN_EXE_endpointslice-controller"));
        command.arg("run").arg(format!("--kubeconfig={}", kubeconfig.display()));
        let given = |flag: &str| flags.iter().any(|given| given.starts_with(flag));
        if !given("--leader-elect=") && !given("--leader-elect-") {
            command.arg("--leader-elect=false");
        }
        if !given("--metrics-bind-address") {
            command.arg(format!("--metrics-bind-address=127.0.0.1:{port}"));
        }
        command.args(flags);
        Controller { process: Process::start(&next_name("controller"), command), port }
    }

    /// Waits until `/readyz` says so.
    pub async fn ready(&self) {
        let api = self.http();
        eventually("the controller is ready", READY_WITHIN, || async {
            api.text("/readyz").await.map_err(|error| format!("{error}\n{}", self.process.tail(20)))
        })
        .await;
    }

    /// Waits until every key that was queued has been handled, those of the start too, and no other
    /// came for a moment.
    pub async fn settled(&self) {
        let before = std::cell::Cell::new(-1.0);
        eventually("the controller has nothing to do", SOON, || async {
            let metrics = self.metrics().await;
            let [depth, adds, busy] =
                ["workqueue_depth", "workqueue_adds_total", "workqueue_unfinished_work_seconds"]
                    .map(|name| metrics.sum(name, &[]));
            let idle = depth == 0.0 && busy == 0.0 && adds > 0.0 && adds == before.replace(adds);
            if idle { Ok(()) } else { Err(format!("{depth} keys wait, {adds} were added")) }
        })
        .await;
    }

    /// The port of loopback on which it serves, unless the flags said another one.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A connection to its metrics and health server.
    pub fn http(&self) -> Api {
        Api::plain(&format!("http://127.0.0.1:{}", self.port))
    }

    /// What `/metrics` says now.
    pub async fn metrics(&self) -> Metrics {
        Metrics::parse(&self.http().text("/metrics").await.expect("the controller's metrics"))
    }

    pub fn process(&self) -> &Process {
        &self.process
    }

    pub fn process_mut(&mut self) -> &mut Process {
        &mut self.process
    }

    pub fn log(&self) -> String {
        self.process.log()
    }

    /// SIGTERM, then the exit code (128 + signal when a signal ended it).
    pub async fn terminate(mut self, deadline: Duration) -> i32 {
        self.process.signal("TERM");
        exit_code(self.process.wait(deadline).await)
    }

    /// Waits until it exits by itself.
    pub async fn exit(&mut self, deadline: Duration) -> i32 {
        exit_code(self.process.wait(deadline).await)
    }

    /// SIGKILL: nothing of it runs any more when this returns.
    pub fn kill(mut self) {
        self.process.kill();
    }

    /// SIGSTOP until [`Controller::thaw`].
    pub fn freeze(&self) {
        self.process.signal("STOP");
    }

    pub fn thaw(&self) {
        self.process.signal("CONT");
    }
}

/// A name for logs that no other child of this test binary has.
pub fn next_name(kind: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let test = std::thread::current().name().unwrap_or("unnamed").replace("::", ".");
    format!("{kind}-{}-{test}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// One reading of `/metrics`.
#[derive(Debug, Clone)]
pub struct Metrics {
    lines: Vec<String>,
}

impl Metrics {
    fn parse(text: &str) -> Metrics {
        let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        Metrics { lines: lines.map(str::to_string).collect() }
    }

    /// The sum over all series of `name` that have all of `labels`; 0 when there is none.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.series(name, labels).sum()
    }

    /// Whether there is a series of `name` that has all of `labels`.
    pub fn has(&self, name: &str, labels: &[(&str, &str)]) -> bool {
        self.series(name, labels).next().is_some()
    }

    fn series<'a>(&'a self, name: &'a str, labels: &'a [(&str, &str)]) -> impl Iterator<Item = f64> + 'a {
        self.lines.iter().filter_map(move |line| {
            let (series, value) = line.rsplit_once(' ')?;
            let (found, rest) = series.split_once('{').unwrap_or((series, ""));
            let all = labels.iter().all(|(label, value)| rest.contains(&format!("{label}=\"{value}\"")));
            if found == name && all { value.parse().ok() } else { None }
        })
    }
}
