//! The rule file by itself: valid, complete, and each alert with its page in the runbook.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use crate::programs::programs;
use crate::promtool::{check, scratch, succeed};

/// The shipped rules.
pub const RULES: &str = "charts/endpointslice-controller/files/rules/endpointslice-controller.yaml";
/// What the chart replaces by where the pages are served.
pub const RUNBOOKS: &str = "docs/runbooks/";
/// What the chart replaces by the job of the scrape.
pub const JOB: &str = "job=\"endpointslice-controller\"";

/// An alert as the rule file has it.
#[derive(Debug, Clone)]
pub struct Alert {
    pub name: String,
    pub expr: String,
    /// In seconds.
    pub wait: u64,
    pub severity: String,
    pub annotations: BTreeMap<String, String>,
}

pub fn file() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(RULES)).expect("read the rules")
}

/// All alerts, in the order of the file.
pub fn alerts() -> Vec<Alert> {
    let file: Value = serde_saphyr::from_str(&file()).expect("a YAML file");
    let groups = file["groups"].as_array().expect("groups").clone();
    let rules = groups.iter().flat_map(|group| group["rules"].as_array().expect("rules").clone());
    rules.map(|rule| alert(&rule)).collect()
}

fn alert(rule: &Value) -> Alert {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let annotations = rule["annotations"].as_object().expect("annotations");
    Alert {
        name: text(&rule["alert"]),
        expr: text(&rule["expr"]),
        wait: seconds(&text(&rule["for"])),
        severity: text(&rule["labels"]["severity"]),
        annotations: annotations.iter().map(|(name, value)| (name.clone(), text(value))).collect(),
    }
}

fn seconds(duration: &str) -> u64 {
    let (number, unit) = duration.split_at(duration.len() - 1);
    let number: u64 = number.parse().expect("a number of minutes or hours");
    number * if unit == "h" { 3600 } else { 60 }
}

#[test]
fn promtool_accepts_the_rules_and_the_examples_of_a_configuration() {
    let Some(programs) = programs() else { return };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(RULES);
    let mut command = programs.command("promtool");
    command.args(["check", "rules", "--lint=all", "--lint-fatal"]).arg(&path);
    let said = succeed(command);
    assert!(said.contains(&format!("{} rules found", alerts().len())), "{said}");

    let page = std::fs::read_to_string("docs/monitoring.md").expect("read the documentation");
    let examples: Vec<&str> = page
        .split("```yaml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .filter(|example| example.contains("scrape_configs:"))
        .collect();
    assert_eq!(examples.len(), 2, "plain and with --metrics-secure");
    for (number, example) in examples.into_iter().enumerate() {
        // Debian builds Prometheus without Kubernetes' service discovery; all else is checked.
        let discovery = "kubernetes_sd_configs:\n      - role: pod\n        namespaces:\n          names: [kube-system]\n";
        let example = example.replace(discovery, "static_configs: [{targets: [\"127.0.0.1:8080\"]}]\n");
        assert!(example.contains("static_configs"), "{example}");
        let file = scratch(&format!("prometheus-{number}.yml"), &example);
        let mut command = programs.command("promtool");
        // The files that they name are not on this machine.
        command.args(["check", "config", "--syntax-only"]).arg(&file);
        succeed(command);
    }
}

#[test]
fn the_queries_in_the_runbook_parse_and_ask_for_the_job() {
    let Some(programs) = programs() else { return };
    let mut rules = "groups:\n- name: runbook\n  rules:\n".to_owned();
    let mut count = 0;
    for alert in alerts() {
        let page = page(&alert.name);
        let blocks = page.split("```promql\n").skip(1).filter_map(|rest| rest.split("```").next());
        for query in blocks.flat_map(str::lines) {
            count += 1;
            assert!(query.contains(&JOB[..JOB.len() - 1]), "{}: {query}", alert.name);
            rules += &format!("  - record: runbook:{count}\n    expr: {}\n", serde_json::json!(query));
        }
    }
    let said = check(programs, "rules", &scratch("runbook.rules.yaml", &rules));
    assert!(count > 5 && said.contains(&format!("{count} rules found")), "{said}");
}

fn page(alert: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(RUNBOOKS);
    std::fs::read_to_string(folder.join(format!("{alert}.md"))).expect("read a page")
}

#[test]
fn each_alert_says_what_is_wrong_how_bad_it_is_and_where_to_read_on() {
    for Alert { name, expr, wait, severity, annotations } in alerts() {
        assert!(name.starts_with("EndpointSliceController"), "{name}");
        assert!(["critical", "warning", "info"].contains(&severity.as_str()), "{name}: {severity}");
        assert!((120..=3600).contains(&wait), "{name} waits {wait} s");
        let keys: Vec<&str> = annotations.keys().map(String::as_str).collect();
        assert_eq!(keys, ["description", "runbook_url", "summary"], "{name}");
        assert_eq!(annotations["runbook_url"], format!("{RUNBOOKS}{name}.md"));
        for text in [&annotations["summary"], &annotations["description"]] {
            assert!(text.ends_with('.') && text.len() > 40, "{name}: {text}");
        }
        // The chart replaces the job by text: every selector has it, in exactly this form.
        let selectors = expr.matches('{').count();
        assert!(selectors > 0 && expr.matches(JOB).count() == selectors, "{name}: {expr}");
    }
}

#[test]
fn each_alert_has_its_page_in_the_runbook_and_each_page_its_alert() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(RUNBOOKS);
    let pages: BTreeSet<String> = std::fs::read_dir(&folder)
        .expect("read the folder of the runbook")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name != "README.md")
        .collect();
    let alerts = alerts();
    let wanted: BTreeSet<String> = alerts.iter().map(|alert| format!("{}.md", alert.name)).collect();
    assert_eq!(pages, wanted);
    let table = std::fs::read_to_string("docs/monitoring.md").expect("read the documentation");
    for alert in alerts {
        let page = page(&alert.name);
        assert!(page.starts_with(&format!("# {}\n", alert.name)), "{}: its title", alert.name);
        let titles: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        assert_eq!(titles, ["Meaning", "Impact", "Diagnosis", "Mitigation"], "{}", alert.name);
        let row = format!(
            "| [{0}](runbooks/{0}.md) | {1} | {2} |",
            alert.name,
            alert.severity,
            minutes(alert.wait)
        );
        assert!(table.contains(&row), "docs/monitoring.md has no row {row}");
    }
}

/// As the rule file writes it.
fn minutes(seconds: u64) -> String {
    if seconds.is_multiple_of(3600) { format!("{}h", seconds / 3600) } else { format!("{}m", seconds / 60) }
}
