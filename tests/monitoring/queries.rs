//! The queries of the standard dashboard "Kubernetes / Controller Manager" and of the alerts that come
//! with it, as facts: read in kubernetes-monitoring/kubernetes-mixin,
//! `dashboards/controller-manager.libsonnet` at commit 06d00e40b43e, `lib/absent_alert.libsonnet` at
//! 0087185548a1, `lib/instance_unreachable_alert.libsonnet` at d71e70934ffe and
//! `alerts/system_alerts.libsonnet` at 02a483f32391. The label of the cluster is empty, as it is for
//! whoever has one cluster.

/// Panel and query; `SELECTOR` stands for the selector of the job.
const QUERIES: [(&str, &str); 14] = [
    ("Up", r#"sum(up{cluster="", SELECTOR})"#),
    (
        "Work Queue Add Rate",
        r#"sum(rate(workqueue_adds_total{cluster="", SELECTOR, instance=~".*"}[5m])) by (cluster, instance, name)"#,
    ),
    (
        "Work Queue Depth",
        r#"sum(rate(workqueue_depth{cluster="", SELECTOR, instance=~".*"}[5m])) by (cluster, instance, name)"#,
    ),
    (
        "Work Queue Latency",
        r#"histogram_quantile(0.99, sum(rate(workqueue_queue_duration_seconds_bucket{cluster="", SELECTOR, instance=~".*"}[5m])) by (cluster, instance, name, le))"#,
    ),
    (
        "Kube API Request Rate 2xx",
        r#"sum(rate(rest_client_requests_total{SELECTOR, instance=~".*",code=~"2.."}[5m]))"#,
    ),
    (
        "Kube API Request Rate 3xx",
        r#"sum(rate(rest_client_requests_total{SELECTOR, instance=~".*",code=~"3.."}[5m]))"#,
    ),
    (
        "Kube API Request Rate 4xx",
        r#"sum(rate(rest_client_requests_total{SELECTOR, instance=~".*",code=~"4.."}[5m]))"#,
    ),
    (
        "Kube API Request Rate 5xx",
        r#"sum(rate(rest_client_requests_total{SELECTOR, instance=~".*",code=~"5.."}[5m]))"#,
    ),
    (
        "Post Request Latency 99th Quantile",
        r#"histogram_quantile(0.99, sum(rate(rest_client_request_duration_seconds_bucket{cluster="", SELECTOR, instance=~".*", verb="POST"}[5m])) by (verb, url, le))"#,
    ),
    (
        "Get Request Latency 99th Quantile",
        r#"histogram_quantile(0.99, sum(rate(rest_client_request_duration_seconds_bucket{cluster="", SELECTOR, instance=~".*", verb="GET"}[5m])) by (verb, url, le))"#,
    ),
    ("Memory", r#"process_resident_memory_bytes{cluster="", SELECTOR,instance=~".*"}"#),
    ("CPU usage", r#"rate(process_cpu_seconds_total{cluster="", SELECTOR,instance=~".*"}[5m])"#),
    ("Goroutines", r#"go_goroutines{cluster="", SELECTOR,instance=~".*"}"#),
    // The alert fires above 0.01; what it compares is asked for here.
    (
        "KubeClientErrors",
        r#"(sum(rate(rest_client_requests_total{SELECTOR,code=~"5.."}[5m])) by (cluster, instance, job, namespace) / sum(rate(rest_client_requests_total{SELECTOR}[5m])) by (cluster, instance, job, namespace))"#,
    ),
];

/// The alerts `KubeControllerManagerDown` and `KubeControllerManagerInstanceUnreachable`: with data
/// when there is something to tell.
pub const DOWN: [&str; 2] = ["absent(up{SELECTOR} == 1)", "up{SELECTOR} == 0"];

/// The one that no program but a Go one answers.
pub const OF_GO: &str = "Goroutines";
/// The API server answers no request of a controller so; kube-controller-manager shows nothing either.
pub const NEVER: &str = "Kube API Request Rate 3xx";

/// With data once requests were refused, and once the API server failed.
pub const REFUSED: &str = "Kube API Request Rate 4xx";
pub const BROKEN: &str = "Kube API Request Rate 5xx";

/// All of them for this job.
pub fn for_job(job: &str) -> Vec<(&'static str, String)> {
    QUERIES.iter().map(|(panel, query)| (*panel, with_job(query, job))).collect()
}

pub fn with_job(query: &str, job: &str) -> String {
    query.replace("SELECTOR", &format!("job=\"{job}\""))
}
