//! Whole runs as child processes.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::support::eventually;
use crate::support::process::{Process, exit_code, scratch};
use crate::support::wait::SOON;

/// A running `sandbox` with JSON lines, and its kubeconfig.
struct Running {
    process: Process,
    kubeconfig: PathBuf,
}

fn name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("sandbox-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

fn command(flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_endpointslice-controller"));
    command.arg("sandbox").args(flags);
    command
}

impl Running {
    async fn start(flags: &[&str]) -> Running {
        let name = name();
        let kubeconfig = scratch().join(format!("{name}.kubeconfig"));
        let out = format!("--kubeconfig-out={}", kubeconfig.display());
        let process = Process::start(&name, command(&[&[out.as_str(), "-o=json"], flags].concat()));
        let running = Running { process, kubeconfig };
        running.line("the greeting", |line| !line["server"].is_null()).await;
        running
    }

    /// Waits for a line that `is` what it should be.
    async fn line(&self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        eventually(what, SOON, || async {
            let log = self.process.log();
            let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            lines.into_iter().find(|line| is(line)).ok_or_else(|| self.process.tail(20))
        })
        .await
    }

    async fn end(mut self, signal: &str) -> (i32, String) {
        self.process.signal(signal);
        let code = exit_code(self.process.wait(SOON).await);
        (code, self.process.log())
    }
}

/// The server that a kubeconfig names, without the scheme.
fn server(kubeconfig: &Path) -> String {
    let text = std::fs::read_to_string(kubeconfig).unwrap();
    let line = text.lines().find_map(|line| line.trim().strip_prefix("server: http://")).unwrap();
    line.to_owned()
}

/// The body of a GET, by hand: nothing but the socket is believed.
fn get(server: &str, path: &str) -> Value {
    let mut stream = TcpStream::connect(server).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
    let from = body.find('{').unwrap();
    let to = body.rfind('}').unwrap();
    serde_json::from_str(&body[from..=to]).unwrap()
}

#[tokio::test]
async fn the_demo_fills_slices_of_every_sort_and_ends_cleanly_at_ctrl_c() {
    let running = Running::start(&["--speed=20"]).await;
    running.line("all Services are ready", |line| line["services"]["ready"] == 6).await;
    let server = server(&running.kubeconfig);
    let listed = eventually("every endpoint", SOON, || async {
        let list = get(&server, "/apis/discovery.k8s.io/v1/endpointslices");
        let items = list["items"].as_array().unwrap().clone();
        let count = |slice: &Value| slice["endpoints"].as_array().map_or(0, Vec::len);
        let endpoints: usize = items.iter().map(count).sum();
        // 6 + 130 + 4 twice + 3, and the 2 that are mirrored.
        if endpoints == 149 { Ok(items) } else { Err(format!("{endpoints} endpoints")) }
    })
    .await;
    let of = |name: &str| {
        let label = |slice: &&Value| slice["metadata"]["labels"]["kubernetes.io/service-name"] == name;
        listed.iter().filter(label).collect::<Vec<_>>()
    };
    assert_eq!(of("shop").len(), 2);
    let mut families: Vec<&str> =
        of("dual").iter().filter_map(|slice| slice["addressType"].as_str()).collect();
    families.sort_unstable();
    assert_eq!(families, ["IPv4", "IPv6"]);
    assert!(of("db")[0]["metadata"]["labels"].get("service.kubernetes.io/headless").is_some());
    let mirrored = "endpointslicemirroring-controller.k8s.io";
    assert_eq!(of("legacy")[0]["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"], mirrored);
    let kubeconfig = running.kubeconfig.clone();
    let (code, log) = running.end("INT").await;
    assert_eq!(code, 0, "{log}");
    assert!(!kubeconfig.exists());
    assert!(!log.contains("WARN") && !log.contains("ERROR"), "{log}");
}

#[tokio::test]
async fn manifests_take_the_place_of_the_demo_and_sigterm_ends_it_too() {
    let file = scratch().join("own.yaml");
    let text = "apiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: own}\n\
                spec: {selector: {app: a}, ports: [{port: 80}]}\n---\n\
                apiVersion: v1\nkind: Namespace\nmetadata: {name: own}\n";
    std::fs::write(&file, text).unwrap();
    let running = Running::start(&["-f", &file.display().to_string(), "--nodes=2", "--zones=1"]).await;
    let server = server(&running.kubeconfig);
    let slices = eventually("the slice of the Service", SOON, || async {
        let list = get(&server, "/apis/discovery.k8s.io/v1/namespaces/own/endpointslices");
        let items = list["items"].as_array().unwrap().clone();
        if items.is_empty() { Err(list.to_string()) } else { Ok(items) }
    })
    .await;
    assert_eq!(slices[0]["metadata"]["labels"]["kubernetes.io/service-name"], "a");
    assert_eq!(get(&server, "/api/v1/nodes")["items"].as_array().unwrap().len(), 2);
    let line = running.line("a line of a second", |line| line["seconds"].is_u64()).await;
    assert_eq!(line["services"]["all"].as_u64().map(|all| all >= 1), Some(true));
    let (code, log) = running.end("TERM").await;
    assert_eq!(code, 0, "{log}");
}

#[tokio::test]
async fn what_keeps_it_from_starting_is_one_line_and_leaves_no_file() {
    let kubeconfig = scratch().join("never.kubeconfig");
    let out = format!("--kubeconfig-out={}", kubeconfig.display());
    let file = scratch().join("refused.yaml");
    std::fs::write(
        &file,
        "apiVersion: v1\nkind: Service\nmetadata: {name: A_}\nspec: {ports: [{port: 80}]}\n",
    )
    .unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = format!("--port={}", taken.local_addr().unwrap().port());
    let shown = file.display().to_string();
    for (flags, said) in [
        (vec!["--address=0.0.0.0"], "--address 0.0.0.0: expected a loopback address".to_owned()),
        (vec!["-f", "/nowhere.yaml"], "/nowhere.yaml: cannot be read".to_owned()),
        (vec!["-f", shown.as_str()], format!("{shown}, document 1: Service default/A_: ")),
        (vec![port.as_str()], port.trim_start_matches("--port=").to_owned()),
    ] {
        let output =
            command(&[&[out.as_str()], flags.as_slice()].concat()).stdin(Stdio::null()).output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{flags:?}: {errors}");
        let last = errors.lines().last().unwrap_or_default();
        assert!(last.starts_with("error: ") && last.contains(&said), "{flags:?}: {errors}");
        assert!(!kubeconfig.exists(), "{flags:?}");
    }
}

#[tokio::test]
async fn load_ends_with_a_report_in_which_nothing_is_lost() {
    let flags = [
        "--services=20",
        "--pods-per-service=15",
        "--churn=100",
        "--for=2s",
        "--max-endpoints-per-slice=10",
        "--seed=1",
        "-o=json",
    ];
    let mut command = command(&flags);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = tokio::process::Command::from(command).output();
    let output = tokio::time::timeout(SOON * 3, output).await.expect("a report in time").unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{errors}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["load"]["pods"], 300);
    assert_eq!(report["start"]["slices"], 40);
    assert_eq!(report["churn"]["changes"], 200, "{report:#}");
    assert_eq!(report["churn"]["lost"], 0, "{report:#}");
    let superseded = report["churn"]["superseded"].as_u64().unwrap();
    assert_eq!(report["latency_seconds"]["count"].as_u64().unwrap() + superseded, 200, "{report:#}");
    assert!(report["churn"]["writes"]["updates"].as_u64().unwrap() > 0);
    assert!(report["churn"]["writes"]["event_bytes"].as_u64().unwrap() > 10_000);
    for half in ["controller", "sandbox"] {
        assert!(report[half]["resident_peak_bytes"].as_u64().unwrap() > 1_000_000, "{report:#}");
    }
    assert_ne!(report["controller"]["resident_bytes"], report["sandbox"]["resident_bytes"]);
}

#[tokio::test]
async fn ctrl_c_ends_load_with_its_controller() {
    let name = name();
    let mut process = Process::start(&name, command(&["--services=5", "--pods-per-service=5", "--for=10m"]));
    eventually("Pods change", SOON, || async {
        if process.log().contains("Pods change") { Ok(()) } else { Err(process.tail(20)) }
    })
    .await;
    let children = format!("/proc/{0}/task/{0}/children", process.pid());
    let child: u32 = std::fs::read_to_string(children).unwrap().trim().parse().unwrap();
    assert!(Path::new(&format!("/proc/{child}")).exists());
    process.signal("INT");
    assert_eq!(exit_code(process.wait(Duration::from_secs(10)).await), 0, "{}", process.log());
    eventually("the controller has ended, too", SOON, || async {
        if Path::new(&format!("/proc/{child}")).exists() { Err(child.to_string()) } else { Ok(()) }
    })
    .await;
}
