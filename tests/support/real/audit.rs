//! The API server's own record of who asked for which write of slices: what the question "did two
//! controllers ever write?" is answered from. Refused writes stand in it, too.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::{Value, json};

/// One write of a slice that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub by: Writer,
    /// `create`, `update`, `patch` or `delete`.
    pub verb: String,
    pub namespace: String,
    /// The slice; empty for a create whose name the API server draws.
    pub slice: String,
    /// The HTTP status of the answer.
    pub code: u64,
    pub received: Timestamp,
    pub answered: Timestamp,
}

/// Whose program asked, by its user agent: both may run as the same service account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Writer {
    Ours,
    /// One of the two EndpointSlice loops of kube-controller-manager.
    Upstream,
    /// Anybody else: a test, the garbage collector, the API server itself.
    Other,
}

/// The flags with which an API server keeps the record in `folder`.
pub fn flags(folder: &Path) -> Vec<String> {
    let policy = json!({
        "apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"],
        "rules": [
            {"level": "Metadata", "verbs": ["create", "update", "patch", "delete", "deletecollection"],
             "resources": [{"group": "discovery.k8s.io", "resources": ["endpointslices"]}]},
            {"level": "None"},
        ],
    });
    let file = folder.join("audit-policy.json");
    std::fs::write(&file, policy.to_string()).expect("write the audit policy");
    vec![
        format!("--audit-policy-file={}", file.display()),
        format!("--audit-log-path={}", log(folder).display()),
        // Written before the answer goes out, so that who has the answer finds the line.
        "--audit-log-mode=blocking-strict".to_string(),
    ]
}

fn log(folder: &Path) -> PathBuf {
    folder.join("audit.log")
}

/// The record from some moment on.
pub struct Record {
    log: PathBuf,
    from: usize,
}

impl Record {
    /// From now on.
    pub fn begin(folder: &Path) -> Record {
        let log = log(folder);
        assert!(
            log.parent().is_some_and(|folder| folder.join("audit-policy.json").is_file()),
            "no audit log"
        );
        let from = std::fs::read(&log).map_or(0, |bytes| bytes.len());
        Record { log, from }
    }

    /// Everything that was asked for since, in the order of the answers.
    pub fn all(&self) -> Vec<Asked> {
        let bytes = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(bytes.get(self.from..).unwrap_or_default()).into_owned();
        let mut asked: Vec<Asked> = text.lines().filter_map(read).collect();
        asked.sort_by_key(|asked| asked.answered);
        asked
    }

    /// The same of the two kinds of controllers only.
    pub fn of_controllers(&self) -> Vec<Asked> {
        self.all().into_iter().filter(|asked| asked.by != Writer::Other).collect()
    }

    /// Who wrote, one after the other: `[Upstream, Ours]` when the one ended before the other began.
    pub fn turns(&self) -> Vec<Writer> {
        let mut turns: Vec<Writer> = self.of_controllers().iter().map(|asked| asked.by).collect();
        turns.dedup();
        turns
    }
}

/// A line; `None` for one that is not whole yet.
fn read(line: &str) -> Option<Asked> {
    let event: Value = serde_json::from_str(line).ok()?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    let time = |value: &Value| value.as_str().and_then(|text| text.parse::<Timestamp>().ok());
    Some(Asked {
        by: writer(&text(&event["userAgent"]), &text(&event["user"]["username"])),
        verb: text(&event["verb"]),
        namespace: text(&event["objectRef"]["namespace"]),
        slice: text(&event["objectRef"]["name"]),
        code: event["responseStatus"]["code"].as_u64().unwrap_or(0),
        received: time(&event["requestReceivedTimestamp"])?,
        answered: time(&event["stageTimestamp"])?,
    })
}

fn writer(agent: &str, user: &str) -> Writer {
    let upstream = ["endpointslice-controller", "endpointslicemirroring-controller", "endpointslice-peer"];
    if agent.starts_with("endpointslice-controller/") {
        Writer::Ours
    } else if agent.starts_with("kube-controller-manager/")
        && upstream.iter().any(|account| user.ends_with(&format!(":{account}")))
    {
        Writer::Upstream
    } else {
        Writer::Other
    }
}
