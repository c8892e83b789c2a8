//! The cells of a Pod: above all one word for the state of all its containers.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{age, list, text};

pub(super) fn cells(pod: &Value, now: Timestamp) -> Vec<Value> {
    let status = &pod["status"];
    let seen = Seen::of(pod);
    let restarts = match &seen.last_restart {
        Some(then) if seen.restarts != 0 => {
            format!("{} ({} ago)", seen.restarts, age::since(Some(then), now))
        }
        _ => seen.restarts.to_string(),
    };
    let or_none = |value: &Value| match text(value) {
        "" => "<none>".to_owned(),
        text => text.to_owned(),
    };
    let cells = [
        text(&pod["metadata"]["name"]).to_owned(),
        format!("{}/{}", seen.ready, seen.containers),
        seen.reason,
        restarts,
        age::since(pod["metadata"]["creationTimestamp"].as_str(), now),
        or_none(&status["podIPs"][0]["ip"]),
        or_none(&pod["spec"]["nodeName"]),
        or_none(&status["nominatedNodeName"]),
        readiness_gates(pod),
    ];
    cells.into_iter().map(Value::String).collect()
}

/// The condition of a row that will not change any more.
pub(super) fn completed(pod: &Value) -> Option<Value> {
    let phase = text(&pod["status"]["phase"]);
    let message = match phase {
        "Succeeded" => "The pod has completed successfully.",
        "Failed" => "The pod failed.",
        _ => return None,
    };
    Some(json!({"type": "Completed", "status": "True", "reason": phase, "message": message}))
}

fn readiness_gates(pod: &Value) -> String {
    let gates = list(&pod["spec"]["readinessGates"]);
    if gates.is_empty() {
        return "<none>".to_owned();
    }
    let holds = |gate: &&Value| {
        let condition = list(&pod["status"]["conditions"])
            .iter()
            .find(|condition| condition["type"] == gate["conditionType"]);
        condition.is_some_and(|condition| condition["status"] == "True")
    };
    format!("{}/{}", gates.iter().filter(holds).count(), gates.len())
}

/// What the statuses of the containers add up to.
struct Seen {
    reason: String,
    ready: usize,
    containers: usize,
    restarts: i64,
    last_restart: Option<String>,
}

impl Seen {
    fn of(pod: &Value) -> Seen {
        let (spec, status) = (&pod["spec"], &pod["status"]);
        let phase = text(&status["phase"]);
        let mut seen = Seen {
            reason: [text(&status["reason"]), phase]
                .into_iter()
                .find(|word| !word.is_empty())
                .unwrap_or_default()
                .to_owned(),
            ready: 0,
            containers: list(&spec["containers"]).len()
                + list(&spec["initContainers"]).iter().filter(|container| restartable(container)).count(),
            restarts: 0,
            last_restart: None,
        };
        let gated = |condition: &Value| {
            condition["type"] == "PodScheduled" && condition["reason"] == "SchedulingGated"
        };
        if list(&status["conditions"]).iter().any(gated) {
            seen.reason = "SchedulingGated".to_owned();
        }
        if !seen.initializing(pod) || condition_true(status, "Initialized") {
            seen.running(pod);
        }
        if pod["metadata"]["deletionTimestamp"].is_string() {
            if text(&status["reason"]) == "NodeLost" {
                seen.reason = "Unknown".to_owned();
            } else if !matches!(phase, "Succeeded" | "Failed") {
                seen.reason = "Terminating".to_owned();
            }
        }
        seen
    }

    fn restarted(&mut self, container: &Value) {
        self.restarts += container["restartCount"].as_i64().unwrap_or(0);
        let finished = text(&container["lastState"]["terminated"]["finishedAt"]);
        if !finished.is_empty() && self.last_restart.as_deref().is_none_or(|last| last < finished) {
            self.last_restart = Some(finished.to_owned());
        }
    }

    /// Goes through the init containers; whether one of them is not done yet.
    fn initializing(&mut self, pod: &Value) -> bool {
        let init = list(&pod["spec"]["initContainers"]);
        for (number, container) in list(&pod["status"]["initContainerStatuses"]).iter().enumerate() {
            self.restarted(container);
            let sidecar = init.iter().any(|known| known["name"] == container["name"] && restartable(known));
            let (terminated, waiting) = (&container["state"]["terminated"], &container["state"]["waiting"]);
            if terminated.is_object() && exit_code(terminated) == 0 {
                continue;
            }
            if sidecar && container["started"] == true {
                self.ready += usize::from(container["ready"] == true);
                continue;
            }
            let waits_for = text(&waiting["reason"]);
            self.reason = if terminated.is_object() {
                format!("Init:{}", end_of(terminated))
            } else if !matches!(waits_for, "" | "PodInitializing") {
                format!("Init:{waits_for}")
            } else {
                format!("Init:{number}/{}", init.len())
            };
            return true;
        }
        false
    }

    /// Goes through the containers. The first of them has the last word, and restarts of init containers
    /// that are done no longer count.
    fn running(&mut self, pod: &Value) {
        (self.restarts, self.last_restart) = (0, None);
        let init = list(&pod["spec"]["initContainers"]);
        for container in list(&pod["status"]["initContainerStatuses"]) {
            if init.iter().any(|known| known["name"] == container["name"] && restartable(known)) {
                self.restarted(container);
            }
        }
        let (mut runs, mut failed) = (false, None);
        for container in list(&pod["status"]["containerStatuses"]).iter().rev() {
            self.restarted(container);
            let state = &container["state"];
            if !text(&state["waiting"]["reason"]).is_empty() {
                text(&state["waiting"]["reason"]).clone_into(&mut self.reason);
            } else if state["terminated"].is_object() {
                self.reason = end_of(&state["terminated"]);
                if exit_code(&state["terminated"]) != 0 {
                    failed = Some(self.reason.clone());
                }
            } else if container["ready"] == true && state["running"].is_object() {
                runs = true;
                self.ready += 1;
            }
        }
        if self.reason == "Completed" {
            if runs && condition_true(&pod["status"], "Ready") {
                self.reason = "Running".to_owned();
            } else if let Some(failed) = failed {
                self.reason = failed;
            } else if runs {
                self.reason = "NotReady".to_owned();
            }
        }
    }
}

fn restartable(container: &Value) -> bool {
    container["restartPolicy"] == "Always"
}

fn exit_code(terminated: &Value) -> i64 {
    terminated["exitCode"].as_i64().unwrap_or(0)
}

fn end_of(terminated: &Value) -> String {
    match (text(&terminated["reason"]), terminated["signal"].as_i64().unwrap_or(0)) {
        ("", 0) => format!("ExitCode:{}", exit_code(terminated)),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_owned(),
    }
}

fn condition_true(status: &Value, kind: &str) -> bool {
    list(&status["conditions"])
        .iter()
        .any(|condition| condition["type"] == kind && condition["status"] == "True")
}
