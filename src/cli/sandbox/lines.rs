//! One line a second, where there is no live screen.

use serde_json::json;

use super::args::Output;
use super::screen::picture::{Picture, ServiceLine};

/// Whether a Service has what it asks for: all its Pods ready; without a selector it asks for none.
fn ready(service: &ServiceLine) -> bool {
    match service.pods {
        Some((ready, all)) => ready == all && all > 0,
        None => true,
    }
}

/// What there is to say of this second, with a line feed.
#[must_use]
pub fn line(picture: &Picture, output: Output) -> String {
    let last = picture.seconds.last().copied().unwrap_or_default();
    let (services, good) = (picture.services.len(), picture.services.iter().filter(|s| ready(s)).count());
    let (pods_ready, pods) = picture.pods;
    match output {
        Output::Json => {
            let latency =
                picture.latency.map(|[p50, p99]| json!({"p50": p50 as f64 / 1e6, "p99": p99 as f64 / 1e6}));
            let line = json!({
                "seconds": picture.uptime.as_secs(),
                "changes": last.changes,
                "writes": last.writes,
                "latency_seconds": latency,
                "waiting": picture.waiting,
                "services": {"ready": good, "all": services},
                "pods": {"ready": pods_ready, "all": pods},
                "slices": picture.slices,
            });
            format!("{line}\n")
        }
        Output::Text => {
            let millis = |micros: u64| super::load::report::shown(micros as f64 / 1e6);
            let latency = picture.latency.map_or_else(
                || "p50 – p99 –".to_owned(),
                |[p50, p99]| format!("p50 {} p99 {}", millis(p50), millis(p99)),
            );
            format!(
                "{:>5}  {} changes/s  {} writes/s  latency {latency}  {good} of {services} Services ready  \
                 {pods_ready} of {pods} Pods  {} slices\n",
                format!("{}s", picture.uptime.as_secs()),
                last.changes,
                last.writes,
                picture.slices
            )
        }
    }
}
