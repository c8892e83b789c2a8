//! The steps of a scenario, done with one program.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::changes::{Outcome, Rate, make_changes, seen, set_ready};
use crate::observer::Observer;
use crate::options::Options;
use crate::published::{self, versions, written};
use crate::report::Measured;
use crate::rolling::roll;
use crate::scenarios::{Scenario, Step};
use crate::subject::{COMPLETE_WITHIN, Kind, REST_WINDOW, Subject};
use crate::support::Stage;
use crate::support::bulk::{Bulk, BulkPod};
use crate::support::real::RealStage;

/// How many Pods a rolling update replaces.
const ROLLED: usize = 1_000;
/// Changes right after a restart.
const AMID: Rate = Rate { per_second: 5, seconds: 30, seed: 5 };

/// One program in one scenario.
pub struct Measuring<'a> {
    pub kind: Kind,
    pub stage: &'a RealStage,
    pub bulk: &'a Bulk,
    pub scenario: &'a Scenario,
    pub options: &'a Options,
    observer: Arc<Observer>,
    subject: Option<Subject>,
    pub out: Measured,
}

/// Counters at a moment.
struct Then {
    cpu: Duration,
    api_cpu: Duration,
    writes: u64,
    bytes: u64,
}

impl<'a> Measuring<'a> {
    pub async fn new(
        kind: Kind,
        stage: &'a RealStage,
        bulk: &'a Bulk,
        scenario: &'a Scenario,
        options: &'a Options,
    ) -> Measuring<'a> {
        let observer = Arc::new(Observer::start(stage.api(), bulk).await);
        let out = Measured::new(kind);
        Measuring { kind, stage, bulk, scenario, options, observer, subject: None, out }
    }

    pub async fn step(&mut self, step: Step) {
        let started = Instant::now();
        match step {
            Step::Fill => self.fill().await,
            Step::Idle => self.idle().await,
            Step::Spread => self.spread().await,
            Step::One => self.one().await,
            Step::Rolling => self.rolling().await,
            Step::Storm => self.storm().await,
            Step::Restart => self.restart().await,
            Step::RestartAmidChanges => self.restart_amid_changes().await,
        }
        eprintln!("  {}: {step:?} took {:.0?}", self.kind.name(), started.elapsed());
    }

    fn subject(&self) -> &Subject {
        self.subject.as_ref().expect("the first step starts the program")
    }

    fn launch(&mut self) {
        let flags = self.scenario.flags(self.kind, self.options);
        self.subject = Some(Subject::launch(self.kind, self.stage, &flags));
    }

    async fn end(&mut self) {
        if let Some(subject) = self.subject.take() {
            subject.terminate().await;
        }
    }

    fn now(&self) -> Then {
        Then {
            cpu: self.subject.as_ref().map_or(Duration::ZERO, |subject| subject.process().cpu()),
            api_cpu: self.stage.cluster().cpu(),
            writes: self.observer.writes(),
            bytes: self.observer.bytes(),
        }
    }

    fn memory(&self, line: &str) -> f64 {
        self.subject().process().memory_kib(line) as f64 / 1024.0
    }

    async fn fill(&mut self) {
        let before = self.now();
        self.launch();
        let started = Instant::now();
        self.complete(started).await;
        let (wall, cpu) = (started.elapsed(), self.subject().process().cpu());
        self.subject().rest().await;
        let after = self.now();
        let out = &mut self.out;
        out.line("fill: every endpoint in a slice after", "s", wall.as_secs_f64());
        out.line("fill: CPU until then", "s", cpu.as_secs_f64());
        out.line("fill: CPU until at rest", "s", after.cpu.as_secs_f64());
        out.line("fill: CPU of the API server", "s", (after.api_cpu - before.api_cpu).as_secs_f64());
        out.line("fill: slice writes", "", (after.writes - before.writes) as f64);
        out.line("fill: bytes of slice events", "MiB", mib(after.bytes - before.bytes));
        let (peak, resting) = (self.memory("VmHWM"), self.memory("VmRSS"));
        self.out.line("fill: peak memory", "MiB", peak);
        self.out.line("fill: resting memory", "MiB", resting);
    }

    /// Waits until every Pod of the bulk is published.
    async fn complete(&self, started: Instant) {
        let process = self.subject().process();
        let mut told = Instant::now();
        while self.observer.missing() > 0 {
            assert!(started.elapsed() < COMPLETE_WITHIN, "not complete in time\n{}", process.tail(40));
            assert!(
                process.cpu() > Duration::ZERO || started.elapsed() < Duration::from_secs(30),
                "{}",
                process.tail(40)
            );
            if told.elapsed() > Duration::from_secs(15) {
                eprintln!("  {} missing after {:.0?}", self.observer.missing(), started.elapsed());
                told = Instant::now();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn idle(&mut self) {
        let seconds = self.options.idle_seconds;
        let (before, counted) = (self.now(), Counted::of(self.stage).await);
        let lines = self.subject().process().log().lines().count();
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        let (after, counts) = (self.now(), Counted::of(self.stage).await);
        let lines = self.subject().process().log().lines().count() - lines;
        let minutes = seconds.max(1) as f64 / 60.0;
        let out = &mut self.out;
        out.line("idle: CPU a minute", "ms", millis(after.cpu - before.cpu) / minutes);
        out.line("idle: slice writes", "", (after.writes - before.writes) as f64);
        out.line("idle: Event writes", "", (counts.event_writes - counted.event_writes) as f64);
        out.line("idle: Lease writes", "", (counts.lease_writes - counted.lease_writes) as f64);
        out.line("idle: log lines", "", lines as f64);
    }

    fn rate(&self) -> Rate {
        let options = self.options;
        Rate { per_second: options.changes_per_second, seconds: options.change_seconds, seed: options.seed }
    }

    async fn spread(&mut self) {
        let pods: Vec<&BulkPod> = self.bulk.pods.iter().collect();
        self.changes("spread changes", &pods).await;
    }

    /// The Pods of the first Service, one of the large ones.
    async fn one(&mut self) {
        let first = &self.bulk.pods[0];
        let same = |pod: &&BulkPod| pod.service == first.service && pod.namespace == first.namespace;
        let pods: Vec<&BulkPod> = self.bulk.pods.iter().filter(same).collect();
        self.out.line("one Service: its endpoints", "", pods.len() as f64);
        self.changes("one Service", &pods).await;
    }

    async fn changes(&mut self, what: &str, pods: &[&BulkPod]) {
        let before = self.now();
        let outcome = make_changes(self.stage.api(), &self.observer, pods, self.rate()).await;
        self.subject().rest().await;
        let after = self.now();
        self.tell(what, &outcome, &before, &after);
    }

    fn tell(&mut self, what: &str, outcome: &Outcome, before: &Then, after: &Then) {
        let each = |value: f64| value / outcome.answered.max(1) as f64;
        let out = &mut self.out;
        out.line(format!("{what}: acknowledged"), "", outcome.answered as f64);
        out.line(format!("{what}: lost"), "", outcome.lost as f64);
        out.line(format!("{what}: not seen within 30 s"), "", outcome.late() as f64);
        out.line(format!("{what}: latency p50"), "ms", millis(outcome.percentile(0.5)));
        out.line(format!("{what}: latency p99"), "ms", millis(outcome.percentile(0.99)));
        out.line(format!("{what}: latency max"), "ms", millis(outcome.percentile(1.0)));
        out.line(format!("{what}: CPU each"), "ms", each(millis(after.cpu - before.cpu)));
        out.line(format!("{what}: slice writes each"), "", each((after.writes - before.writes) as f64));
        out.line(
            format!("{what}: event bytes each"),
            "KiB",
            each((after.bytes - before.bytes) as f64 / 1024.0),
        );
        out.lost += outcome.lost;
    }

    async fn rolling(&mut self) {
        let count = ROLLED.min(self.bulk.pods.len() / 5);
        let every = self.bulk.pods.len() / count.max(1);
        let pods: Vec<&BulkPod> = self.bulk.pods.iter().step_by(every.max(1)).take(count).collect();
        let before = self.now();
        let outcome = roll(self.stage.api(), &self.observer, &pods, self.bulk.size.nodes).await;
        self.subject().rest().await;
        let after = self.now();
        self.tell("rolling update", &outcome, &before, &after);
    }

    /// The API server is stopped and started: every stream breaks and is opened again.
    async fn storm(&mut self) {
        let (before, stood) = (self.now(), versions(self.stage.api()).await);
        self.observer.stop();
        self.stage.cluster().restart().await;
        self.observer = Arc::new(Observer::start(self.stage.api(), self.bulk).await);
        let api_cpu = self.stage.cluster().cpu();
        let started = Instant::now();
        // A change that is seen tells that the program is back.
        let pod = self.bulk.pods.last().expect("a Pod");
        for ready in [false, true] {
            set_ready(self.stage.api(), pod, ready).await.expect("a Pod changes");
            seen(&self.observer, &pod.address, Some(ready)).await.expect("it is published");
        }
        let back = started.elapsed();
        self.subject().rest().await;
        let after = self.now();
        let writes = written(&stood, &versions(self.stage.api()).await);
        let peak = self.memory("VmHWM");
        let out = &mut self.out;
        out.line("API server restarted: changes are seen after", "s", back.as_secs_f64());
        out.line("API server restarted: CPU", "s", (after.cpu - before.cpu).as_secs_f64());
        out.line("API server restarted: CPU of the API server", "s", (after.api_cpu - api_cpu).as_secs_f64());
        out.line("API server restarted: slices written, of one that changed", "", writes as f64);
        out.line("API server restarted: peak memory so far", "MiB", peak);
    }

    async fn restart(&mut self) {
        self.end().await;
        let before = self.now();
        let started = Instant::now();
        self.launch();
        self.subject().rest().await;
        let wall = started.elapsed().saturating_sub(REST_WINDOW);
        let after = self.now();
        let peak = self.memory("VmHWM");
        let out = &mut self.out;
        out.line("restart: at rest after", "s", wall.as_secs_f64());
        out.line("restart: CPU", "s", after.cpu.as_secs_f64());
        out.line("restart: CPU of the API server", "s", (after.api_cpu - before.api_cpu).as_secs_f64());
        out.line("restart: peak memory", "MiB", peak);
        out.line("restart: slice writes", "", (after.writes - before.writes) as f64);
    }

    async fn restart_amid_changes(&mut self) {
        self.end().await;
        let pods: Vec<&BulkPod> = self.bulk.pods.iter().collect();
        self.launch();
        let before = self.now();
        let outcome = make_changes(self.stage.api(), &self.observer, &pods, AMID).await;
        self.subject().rest().await;
        let after = self.now();
        self.tell("changes after a restart", &outcome, &before, &after);
    }

    /// What stands at the end.
    pub async fn finish(&mut self) -> published::Published {
        self.end().await;
        published::published(self.stage.api()).await
    }
}

/// Counters of the API server.
struct Counted {
    event_writes: u64,
    lease_writes: u64,
}

impl Counted {
    async fn of(stage: &RealStage) -> Counted {
        let text = stage.api().text("/metrics").await.expect("the metrics of the API server");
        let writes = |resource: &str| {
            let resource = format!("resource=\"{resource}\"");
            let verbs = ["verb=\"POST\"", "verb=\"PUT\"", "verb=\"PATCH\"", "verb=\"DELETE\""];
            text.lines()
                .filter(|line| line.starts_with("apiserver_request_total{") && line.contains(&resource))
                .filter(|line| verbs.iter().any(|verb| line.contains(verb)))
                .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
                .sum::<f64>() as u64
        };
        Counted { event_writes: writes("events"), lease_writes: writes("leases") }
    }
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / 1_048_576.0
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
