//! A lively ten minutes for the picture in the documentation: Services that scale and roll, a change of
//! leaders, writes that fail for a while. Not a test: it is run by hand when the dashboard changed.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::dashboard::DASHBOARD;
use crate::live::{JOB, of, pair};
use crate::load::{Load, accept, refuse};
use crate::programs::programs;
use crate::server::{Prometheus, Rules};
use crate::support::{Controller, Stage, real};

const PICTURE: &str = "docs/images/dashboard.png";
const APPS: usize = 24;

/// `SESSION_SECONDS` shortens it; `PICTURE_PYTHON` names a Python that has matplotlib.
#[tokio::test]
#[ignore = "takes ten minutes, needs matplotlib and draws docs/images/dashboard.png"]
async fn picture() {
    let (Some(programs), Some(stage)) = (programs(), real::exclusive().await) else { return };
    let seconds: u64 =
        std::env::var("SESSION_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(600);
    // Small slices, so that there are many.
    let flags = ["--leader-elect=true", "--max-endpoints-per-slice=8"];
    let (leader, standby) = pair(&stage, &flags).await;
    let mut prometheus = Prometheus::start(programs, slowly(&[&leader, &standby]), Rules::SHIPPED).await;
    let mut load = Load::begin(&stage, "shop", APPS).await;
    refuse(stage.api()).await;
    let began = Instant::now();
    let part = |tenths: u32| Duration::from_secs(seconds) * tenths / 10;
    let (mut first, mut second) = (Some(leader), None);
    let (mut refused, mut orphaned) = (false, false);
    for round in 0.. {
        let now = began.elapsed();
        if now > part(10) {
            break;
        }
        let app = format!("web-{}", round * 7 % APPS);
        // It grows, is rolled, shrinks, and grows again; with small changes all the time.
        match now {
            now if now < part(2) => load.scale(&app, 6 + round % 20).await,
            now if now < part(4) => load.roll(&app, Duration::from_millis(120)).await,
            now if now < part(5) => load.scale(&app, 2).await,
            now if now < part(8) => load.scale(&app, 10 + round % 25).await,
            _ => load.roll(&app, Duration::from_millis(60)).await,
        }
        load.flap("near").await;
        load.mirror(20 + round % 180).await;
        // The leader ends, another one comes; then writes are refused for a tenth of the time.
        if now > part(5)
            && let Some(old) = first.take()
        {
            assert_eq!(old.terminate(Duration::from_secs(10)).await, 0);
            let new = second.insert(Controller::start(&stage, &flags).await);
            prometheus.scrape(slowly(&[&standby, new])).await;
        }
        if now > part(8) && !orphaned {
            load.world.patch("services", "near", serde_json::json!({"spec": {"selector": null}})).await;
            orphaned = true;
        }
        let refuse_now = now > part(6) && now < part(7);
        if refuse_now != refused {
            load.mark(if refuse_now { "webhook" } else { "" }).await;
            refused = refuse_now;
        }
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    accept(stage.api()).await;
    let python = std::env::var("PICTURE_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let lived = began.elapsed().as_secs().to_string();
    let drawn = Command::new(python)
        .args(["tests/monitoring/picture.py", DASHBOARD, &prometheus.url(), JOB, &lived, PICTURE])
        .status()
        .expect("start Python");
    assert!(drawn.success(), "the picture was not drawn");
}

/// Scrapes every five seconds: a machine that is busy with the session answers late now and then.
fn slowly(replicas: &[&Controller]) -> Vec<serde_json::Value> {
    let mut scrapes = of(replicas);
    for scrape in &mut scrapes {
        scrape["scrape_interval"] = "5s".into();
        scrape["scrape_timeout"] = "5s".into();
    }
    scrapes
}
