//! One etcd for all clusters of a test binary, each under its own prefix.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures::{StreamExt, stream};
use serde_json::{Value, json};

use super::super::api::Api;
use super::super::process::{Process, free_port, scratch};
use super::programs::Programs;

const QUOTA: &str = "8589934592";
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How many operations etcd takes in one transaction (its default limit is 128).
pub const TRANSACTION: usize = 100;

/// Requests of [`Etcd::put_each`] in flight.
const PUTS_AT_ONCE: usize = 8;

/// A running etcd without fsync, its data in memory where possible.
pub struct Etcd {
    url: String,
    process: Process,
    folder: PathBuf,
}

impl Drop for Etcd {
    fn drop(&mut self) {
        self.process.kill();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Etcd {
    pub async fn start(programs: &Programs) -> Etcd {
        for attempt in 0..5 {
            let (client, peer) = (free_port(), free_port());
            let folder = scratch().join(format!("etcd-{client}"));
            let mut process = launch(programs, client, peer, attempt, &folder);
            let url = format!("http://127.0.0.1:{client}");
            if ready(&url, &mut process).await {
                return Etcd { url, process, folder };
            }
        }
        panic!("etcd did not start; its logs are in {}", super::super::process::logs().display());
    }

    /// The client URL, for `--etcd-servers` and the HTTP gateway.
    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Puts keys and values, [`TRANSACTION`] at once.
    pub async fn put_all(&self, pairs: impl IntoIterator<Item = (String, String)>) {
        let api = Api::plain(&self.url);
        let mut batch: Vec<Value> = Vec::with_capacity(TRANSACTION);
        for (key, value) in pairs {
            batch.push(json!({"requestPut": {"key": encode(&key), "value": encode(&value)}}));
            if batch.len() == TRANSACTION {
                put(&api, std::mem::take(&mut batch)).await;
            }
        }
        if !batch.is_empty() {
            put(&api, batch).await;
        }
    }

    /// Puts keys and values, each in a transaction of its own, under an API server that runs: its
    /// watches may miss some of those that share a revision.
    pub async fn put_each(&self, pairs: impl IntoIterator<Item = (String, String)>) {
        let api = Api::plain(&self.url);
        let api = &api;
        stream::iter(pairs)
            .for_each_concurrent(PUTS_AT_ONCE, |(key, value)| async move {
                put(api, vec![json!({"requestPut": {"key": encode(&key), "value": encode(&value)}})]).await;
            })
            .await;
    }

    /// Deletes every key that starts with `prefix`.
    pub async fn delete_prefix(&self, prefix: &str) {
        self.delete_range(prefix, &after(prefix)).await;
    }

    /// Deletes the keys from `start` up to, but not including, `end`.
    pub async fn delete_range(&self, start: &str, end: &str) {
        let request = json!({"key": encode(start), "range_end": encode(end)});
        call(&Api::plain(&self.url), "/v3/kv/deleterange", request).await;
    }

    /// The number of keys that start with `prefix`.
    pub async fn count(&self, prefix: &str) -> u64 {
        let request = json!({"key": encode(prefix), "range_end": encode(&after(prefix)), "count_only": true});
        let answer = call(&Api::plain(&self.url), "/v3/kv/range", request).await;
        answer["count"].as_str().and_then(|count| count.parse().ok()).unwrap_or(0)
    }

    /// Drops all revisions before the newest.
    pub async fn compact(&self) {
        let api = Api::plain(&self.url);
        let answer = call(&api, "/v3/kv/range", json!({"key": encode("/")})).await;
        let revision = answer["header"]["revision"].clone();
        call(&api, "/v3/kv/compaction", json!({"revision": revision, "physical": true})).await;
    }
}

fn launch(programs: &Programs, client: u16, peer: u16, attempt: u32, folder: &Path) -> Process {
    let client_url = format!("http://127.0.0.1:{client}");
    let peer_url = format!("http://127.0.0.1:{peer}");
    let mut command = Command::new(programs.path("etcd"));
    command
        .args(["--name=stage", "--unsafe-no-fsync", "--log-level=warn"])
        .arg(format!("--quota-backend-bytes={QUOTA}"))
        .arg(format!("--data-dir={}", folder.display()))
        .arg(format!("--listen-client-urls={client_url}"))
        .arg(format!("--advertise-client-urls={client_url}"))
        .arg(format!("--listen-peer-urls={peer_url}"))
        .arg(format!("--initial-advertise-peer-urls={peer_url}"))
        .arg(format!("--initial-cluster=stage={peer_url}"));
    Process::start(&format!("etcd-{attempt}"), command)
}

/// Whether it became healthy; false when it exited (somebody else took a port).
async fn ready(url: &str, process: &mut Process) -> bool {
    let started = std::time::Instant::now();
    let api = Api::plain(url);
    while started.elapsed() < READY_WITHIN {
        if api.get("/health").await.is_ok_and(|answer| answer["health"] == "true") {
            return true;
        }
        if process.exited().is_some() {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    false
}

async fn put(api: &Api, operations: Vec<Value>) {
    let answer = call(api, "/v3/kv/txn", json!({"success": operations})).await;
    assert_eq!(answer["succeeded"], true, "etcd refused a transaction");
}

async fn call(api: &Api, path: &str, request: Value) -> Value {
    api.create(path, &request).await.expect("an answer of etcd")
}

fn encode(text: &str) -> String {
    BASE64_STANDARD.encode(text)
}

/// The first key behind all that start with `prefix`.
fn after(prefix: &str) -> String {
    let mut bytes = prefix.as_bytes().to_vec();
    if let Some(last) = bytes.last_mut() {
        *last += 1;
    }
    String::from_utf8(bytes).expect("prefixes are ASCII")
}
