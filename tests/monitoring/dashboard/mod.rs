//! The dashboard: generated for Grafana from the definition in `panels`, and compared with the
//! committed file.

mod grafana;
mod panels;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::programs::programs;
use crate::promql;
use crate::promtool::{check, scratch};

pub const DASHBOARD: &str = "charts/endpointslice-controller/files/dashboards/endpointslice-controller.json";

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(DASHBOARD)
}

/// The committed dashboard.
pub fn committed() -> Value {
    let text = std::fs::read_to_string(path()).expect("read the dashboard");
    serde_json::from_str(&text).expect("a dashboard is JSON")
}

/// The queries of a dashboard, each with the title of its panel; variables stand as Grafana has them.
pub fn queries(dashboard: &Value) -> Vec<(String, String)> {
    let panels = dashboard["panels"].as_array().expect("panels");
    let targets = panels.iter().flat_map(|panel| {
        let title = panel["title"].as_str().expect("a title").to_owned();
        let targets = panel["targets"].as_array().cloned().unwrap_or_default();
        targets.into_iter().map(move |target| (title.clone(), target))
    });
    targets.map(|(title, target)| (title, target["expr"].as_str().expect("a query").to_owned())).collect()
}

/// The query as Grafana sends it for this job, all instances and this interval.
pub fn filled_in(query: &str, job: &str, interval: &str) -> String {
    query.replace("$job", job).replace("$instance", ".*").replace("$__rate_interval", interval)
}

#[test]
fn the_committed_dashboard_is_the_one_that_is_defined_here() {
    let text = format!("{:#}\n", grafana::dashboard(&panels::rows()));
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path(), &text).expect("write the dashboard");
    }
    let committed = std::fs::read_to_string(path()).unwrap_or_default();
    assert!(
        committed == text,
        "{DASHBOARD} differs; UPDATE=1 cargo test --test monitoring dashboard writes it"
    );
}

#[test]
fn every_query_parses_and_asks_for_the_chosen_job_and_instances_only() {
    let Some(programs) = programs() else { return };
    let queries = queries(&committed());
    assert!(queries.len() > 40, "{} queries", queries.len());
    let mut rules = "groups:\n- name: dashboard\n  rules:\n".to_owned();
    for (number, (title, query)) in queries.iter().enumerate() {
        let whole = filled_in(query, "job", "5m");
        assert!(!whole.contains('$'), "{title}: {query}");
        rules += &format!("  - record: panel:{number}\n    expr: {}\n", serde_json::json!(whole));
        for selector in promql::selectors(query) {
            let chosen = selector.starts_with("job=\"$job\", instance=~\"$instance\"");
            // Alerts are those of all replicas together.
            assert!(chosen || selector.contains("alertname"), "{title}: {{{selector}}}");
        }
    }
    let said = check(programs, "rules", &scratch("dashboard.rules.yaml", &rules));
    assert!(said.contains(&format!("{} rules found", queries.len())), "{said}");
}

#[test]
fn panels_fill_their_rows_without_overlap_and_say_what_they_show() {
    let dashboard = committed();
    let panels = dashboard["panels"].as_array().expect("panels");
    let mut cells = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for panel in panels {
        let at = |side: &str| panel["gridPos"][side].as_u64().expect("a place");
        for x in at("x")..at("x") + at("w") {
            for y in at("y")..at("y") + at("h") {
                assert!(cells.insert((x, y)), "{} overlaps another panel", panel["title"]);
            }
        }
        assert!(at("x") + at("w") <= 24 && ids.insert(panel["id"].as_u64()), "{}", panel["title"]);
        if panel["type"] != "row" {
            assert!(panel["description"].as_str().is_some_and(|text| text.len() > 20), "{}", panel["title"]);
            assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{}", panel["title"]);
        }
    }
    let lowest = cells.iter().map(|(_, y)| *y).max().unwrap_or_default();
    assert_eq!(cells.len() as u64, (lowest + 1) * 24, "a row has a gap");
}
