//! A real Prometheus as a child process: it scrapes what the test says and evaluates the shipped
//! rules, with shorter times where the test asks for them.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use crate::programs::Programs;
use crate::promtool::check;
use crate::rules;
use crate::support::Api;
use crate::support::controller::next_name;
use crate::support::process::{Process, free_port, scratch};
use crate::support::wait::{SOON, eventually};

/// A running Prometheus.
pub struct Prometheus {
    api: Api,
    port: u16,
    folder: PathBuf,
    config: Value,
    process: Process,
}

/// How the shipped rules are changed for a test that has no hours.
#[derive(Clone, Copy)]
pub struct Rules {
    /// Every `for` becomes this (in seconds); `None` leaves them.
    pub wait: Option<u64>,
    /// What `[5m]` becomes.
    pub window: &'static str,
}

impl Rules {
    /// As they are shipped.
    pub const SHIPPED: Rules = Rules { wait: None, window: "5m" };

    fn text(self) -> String {
        let mut text = rules::file().replace("[5m]", &format!("[{}]", self.window));
        if let Some(wait) = self.wait {
            for alert in rules::alerts() {
                let unit = if alert.wait.is_multiple_of(3600) { "h" } else { "m" };
                let number = alert.wait / if unit == "h" { 3600 } else { 60 };
                text = text.replace(&format!("for: {number}{unit}\n"), &format!("for: {wait}s\n"));
            }
        }
        text
    }
}

impl Prometheus {
    /// Starts it with these scrape configurations and rules; `promtool check config` has accepted them.
    pub async fn start(programs: &Programs, scrapes: Vec<Value>, rules: Rules) -> Prometheus {
        let name = next_name("prometheus");
        let folder = scratch().join(&name);
        std::fs::create_dir_all(&folder).expect("make a folder for Prometheus");
        std::fs::write(folder.join("rules.yaml"), rules.text()).expect("write the rules");
        let config = json!({
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": ["rules.yaml"],
            "scrape_configs": scrapes,
        });
        // JSON is YAML.
        let file = folder.join("prometheus.yml");
        std::fs::write(&file, format!("{config:#}")).expect("write the configuration");
        check(programs, "config", &file);
        for attempt in 0..5 {
            let port = free_port();
            let mut command = programs.command("prometheus");
            command
                .arg(format!("--config.file={}", file.display()))
                .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
                .arg(format!("--web.listen-address=127.0.0.1:{port}"))
                .args(["--web.enable-lifecycle", "--log.level=warn", "--storage.tsdb.min-block-duration=2h"]);
            let mut process = Process::start(&format!("{name}-{attempt}"), command);
            let api = Api::plain(&format!("http://127.0.0.1:{port}"));
            let mut ready = async || loop {
                if api.text("/-/ready").await.is_ok() {
                    return true;
                }
                if process.exited().is_some() {
                    return false;
                }
                tokio::time::sleep(Duration::from_millis(30)).await;
            };
            if tokio::time::timeout(SOON, ready()).await.expect("Prometheus is ready in time") {
                return Prometheus { api, port, folder, config, process };
            }
        }
        panic!("Prometheus did not start; its logs are in {}", crate::support::process::logs().display());
    }

    /// For programs that ask it themselves.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Scrapes something else from now on.
    pub async fn scrape(&mut self, scrapes: Vec<Value>) {
        self.config["scrape_configs"] = json!(scrapes);
        std::fs::write(self.folder.join("prometheus.yml"), format!("{:#}", self.config))
            .expect("write it again");
        // The answer has no body, so it is no JSON.
        let answer = self.api.create("/-/reload", &json!({})).await;
        let refused = answer.err().filter(|refusal| refusal.reason != "NotJson");
        assert!(refused.is_none(), "{refused:?}");
    }

    async fn ask(&self, path: &str) -> Value {
        let answer = self.api.get(path).await.expect("an answer of Prometheus");
        assert_eq!(answer["status"], "success", "{path}: {answer}");
        answer["data"].clone()
    }

    /// The samples of a query now; those without a value (NaN) are none.
    pub async fn query(&self, query: &str) -> Vec<Value> {
        let data = self.ask(&format!("/api/v1/query?query={}", escaped(query))).await;
        let found = data["result"].as_array().expect("a vector").clone();
        let has_value = |sample: &Value| sample["value"][1] != "NaN";
        found.into_iter().filter(has_value).collect()
    }

    /// The first value of a query now.
    pub async fn value(&self, query: &str) -> Option<f64> {
        self.query(query).await.first()?["value"][1].as_str()?.parse().ok()
    }

    /// The scrape URL of every target, with its health and last error.
    pub async fn targets(&self) -> Vec<(String, String, String)> {
        let data = self.ask("/api/v1/targets?state=active").await;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let targets = data["activeTargets"].as_array().expect("targets").clone();
        let all = targets.iter().map(|t| (text(&t["scrapeUrl"]), text(&t["health"]), text(&t["lastError"])));
        all.collect()
    }

    /// Waits until there are so many targets, and each is healthy.
    pub async fn healthy(&self, count: usize) {
        eventually("every target is healthy", SOON, || async {
            let targets = self.targets().await;
            let well = targets.len() == count && targets.iter().all(|(_, health, _)| health == "up");
            if well { Ok(()) } else { Err(format!("{targets:?}")) }
        })
        .await;
    }

    /// The alerts that fire now, without the common beginning of their names.
    pub async fn firing(&self) -> BTreeSet<String> {
        let data = self.ask("/api/v1/alerts").await;
        let alerts = data["alerts"].as_array().expect("alerts").clone();
        let firing = alerts.iter().filter(|alert| alert["state"] == "firing");
        firing.map(|alert| short(&alert["labels"]["alertname"])).collect()
    }

    /// Waits until this alert fires, and answers its annotations.
    pub async fn fires(&self, alert: &str, deadline: Duration) -> Value {
        eventually(&format!("{alert} fires"), deadline, || async {
            let data = self.ask("/api/v1/alerts").await;
            let alerts = data["alerts"].as_array().expect("alerts").clone();
            let found =
                alerts.iter().find(|a| a["state"] == "firing" && short(&a["labels"]["alertname"]) == alert);
            found.cloned().ok_or_else(|| format!("{alerts:#?}"))
        })
        .await
    }

    /// Waits until no alert fires.
    pub async fn silent(&self, deadline: Duration) {
        eventually("no alert fires", deadline, || async {
            let firing = self.firing().await;
            if firing.is_empty() { Ok(()) } else { Err(format!("{firing:?}")) }
        })
        .await;
    }

    /// Which alerts fired at any moment of the past so many seconds.
    pub async fn fired(&self, seconds: u64) -> BTreeSet<String> {
        let query =
            format!("group by (alertname) (count_over_time(ALERTS{{alertstate=\"firing\"}}[{seconds}s]))");
        self.query(&query).await.iter().map(|sample| short(&sample["metric"]["alertname"])).collect()
    }

    /// What went wrong in evaluating rules so far, if anything.
    pub async fn broken_rules(&self) -> Vec<Value> {
        let data = self.ask("/api/v1/rules").await;
        let groups = data["groups"].as_array().expect("groups").clone();
        let rules = groups.iter().flat_map(|group| group["rules"].as_array().cloned().unwrap_or_default());
        rules.filter(|rule| rule["health"] == "err").collect()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.process.kill();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn short(name: &Value) -> String {
    name.as_str().unwrap_or_default().trim_start_matches("EndpointSliceController").to_owned()
}

/// For the query part of a URL.
fn escaped(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(escape).collect()
}

/// A scrape of these addresses under this job, over HTTP.
pub fn plain(job: &str, targets: &[String]) -> Value {
    json!({"job_name": job, "static_configs": [{"targets": targets}]})
}
