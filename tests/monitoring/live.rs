//! A real Prometheus, the running controller, a real control plane: targets are healthy, every query
//! of the dashboards has data, alerts fire when they should and not when all is well.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use http::Method;
use serde_json::{Value, json};

use crate::dashboard::{committed, filled_in, queries};
use crate::load::{Load, accept, refuse};
use crate::programs::programs;
use crate::queries::{BROKEN, NEVER, OF_GO, REFUSED, for_job, with_job};
use crate::rules::alerts;
use crate::server::{Prometheus, Rules, plain};
use crate::support::process::{free_port, scratch};
use crate::support::wait::SOON;
use crate::support::{Controller, Peer, Stage, eventually, real};
use crate::{promql, queries as standard};

pub const JOB: &str = "endpointslice-controller";
const PEER: &str = "kube-controller-manager";
/// A lease for tests that kill leaders: shorter than the waits of the alerts, and long enough that
/// a leader on a busy machine does not lose it.
pub const LEASE: [&str; 3] = [
    "--leader-elect-lease-duration=8s",
    "--leader-elect-renew-deadline=6s",
    "--leader-elect-retry-period=1s",
];
/// For what takes a few evaluations, on a busy machine.
const A_WHILE: Duration = Duration::from_secs(90);

pub fn target(controller: &Controller) -> String {
    format!("127.0.0.1:{}", controller.port())
}

/// A scrape of these replicas, as the documentation tells it.
pub fn of(replicas: &[&Controller]) -> Vec<Value> {
    let targets: Vec<String> = replicas.iter().map(|replica| target(replica)).collect();
    vec![plain(JOB, &targets)]
}

/// Waits until this replica leads.
pub async fn leads(controller: &Controller) {
    eventually("this replica leads", SOON, || async {
        let leads = controller.metrics().await.sum("leader_election_master_status", &[]);
        if leads == 1.0 { Ok(()) } else { Err(controller.process().tail(10)) }
    })
    .await;
}

/// A leader and a standby.
pub async fn pair(stage: &dyn Stage, flags: &[&str]) -> (Controller, Controller) {
    let leader = Controller::start(stage, flags).await;
    leads(&leader).await;
    (leader, Controller::start(stage, flags).await)
}

/// The names that `/metrics` of these replicas has, those of a histogram's parts too.
async fn exported(replicas: &[&Controller]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for replica in replicas {
        let text = replica.http().text("/metrics").await.expect("the metrics");
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        names.extend(samples.filter_map(|line| Some(line.split(['{', ' ']).next()?.to_owned())));
    }
    names
}

/// Which panels have a query without data.
async fn unanswered<T: ToString>(prometheus: &Prometheus, queries: &[(T, String)]) -> BTreeSet<String> {
    let mut without = BTreeSet::new();
    for (panel, query) in queries {
        if prometheus.query(query).await.is_empty() {
            without.insert(panel.to_string());
        }
    }
    without
}

#[tokio::test]
async fn every_query_of_both_dashboards_has_data_and_names_metrics_that_are_exported() {
    let Some(programs) = programs() else { return };
    let Some((stage, other)) = real::twins().await else { return };
    let (leader, standby) = pair(&stage, &["--leader-elect=true"]).await;
    let secure_port = free_port();
    let peer = Peer::start(&other, &[&format!("--secure-port={secure_port}")]).await;
    let mut scrapes = of(&[&leader, &standby]);
    let mut of_peer = plain(PEER, &[format!("127.0.0.1:{secure_port}")]);
    of_peer["scheme"] = json!("https");
    of_peer["tls_config"] = json!({"insecure_skip_verify": true});
    scrapes.push(of_peer);
    let prometheus = Prometheus::start(programs, scrapes, Rules::SHIPPED).await;
    prometheus.healthy(3).await;

    // The same work for both, again and again: what changes, what is mirrored, what is refused with a
    // 4xx and a 5xx.
    let mut loads = Vec::new();
    for stage in [&stage, &other] {
        refuse(stage.api()).await;
        loads.push(Load::begin(stage, "work", 4).await);
    }
    let dashboard = committed();
    let own: Vec<(String, String)> =
        queries(&dashboard).into_iter().map(|(title, query)| (title, filled_in(&query, JOB, "1m"))).collect();
    let began = Instant::now();
    for round in 0.. {
        for load in &mut loads {
            for (step, mark) in ["", "policy", "webhook"].into_iter().enumerate() {
                load.mark(mark).await;
                load.churn(round * 3 + step).await;
            }
        }
        let mut missing = unanswered(&prometheus, &own).await;
        missing.extend(unanswered(&prometheus, &for_job(JOB)).await);
        // The standard dashboard: all that kube-controller-manager answers here, but for the Go runtime.
        let of_peer = unanswered(&prometheus, &for_job(PEER)).await;
        let silent = BTreeSet::from([NEVER.to_owned(), OF_GO.to_owned()]);
        let peer_works = of_peer.is_disjoint(&BTreeSet::from([OF_GO, REFUSED, BROKEN].map(str::to_owned)));
        if missing == silent && peer_works && of_peer.contains(NEVER) {
            break;
        }
        assert!(began.elapsed() < A_WHILE, "without data: {missing:?}, of the peer: {of_peer:?}");
    }

    let exported = exported(&[&leader, &standby]).await;
    let of_prometheus = ["up", "ALERTS"];
    let rules = alerts().into_iter().map(|alert| (alert.name, alert.expr));
    for (title, query) in own.into_iter().chain(rules) {
        for metric in promql::metrics(&query) {
            assert!(
                exported.contains(&metric) || of_prometheus.contains(&metric.as_str()),
                "{title}: {metric} is not exported"
            );
        }
    }
    assert_eq!(prometheus.broken_rules().await, Vec::<Value>::new());
    for stage in [&stage, &other] {
        accept(stage.api()).await;
    }
    peer.kill();
}

/// Each alert that a test can bring about within seconds, with shorter waits than those shipped.
#[tokio::test]
async fn alerts_fire_on_a_real_cluster_when_they_should_and_end_when_it_is_mended() {
    let Some(programs) = programs() else { return };
    let Some(stage) = real::exclusive().await else { return };
    let (leader, standby) = pair(&stage, &LEASE).await;
    let rules = Rules { wait: Some(3), window: "15s" };
    let mut prometheus = Prometheus::start(programs, of(&[&leader, &standby]), rules).await;
    prometheus.healthy(2).await;
    let mut load = Load::begin(&stage, "alerts", 6).await;
    prometheus.silent(SOON).await;

    // Writes fail.
    refuse(stage.api()).await;
    load.mark("webhook").await;
    for app in 0..6 {
        load.scale(&format!("web-{app}"), 3).await;
    }
    let alert = prometheus.fires("ServicesInBackoff", A_WHILE).await;
    assert_eq!(alert["labels"]["loop"], "selector");
    prometheus.fires("SyncErrors", A_WHILE).await;
    accept(stage.api()).await;
    prometheus.silent(A_WHILE).await;

    // A Service loses its selector; its slices stay until somebody deletes them.
    load.world.patch("services", "web-0", json!({"spec": {"selector": null}})).await;
    let alert = prometheus.fires("OrphanedSlices", A_WHILE).await;
    let slices = load.world.slices("web-0").await;
    let says = alert["annotations"]["description"].as_str().expect("a description");
    assert!(says.starts_with(&format!("{} EndpointSlices", slices.len())), "{says}");
    for slice in slices {
        load.world.delete("endpointslices", slice["metadata"]["name"].as_str().expect("a name")).await;
    }
    prometheus.silent(A_WHILE).await;

    // The API server hangs: the leader ends, and the standby cannot take the lead.
    stage.pause();
    prometheus.fires("NoLeader", A_WHILE).await;
    stage.resume();
    leads(&standby).await;
    leader.kill();
    prometheus.fires("ReplicaDown", A_WHILE).await;
    only(&prometheus, "ReplicaDown").await;

    // The last one dies, and its target goes.
    standby.kill();
    prometheus.fires("Down", A_WHILE).await;
    prometheus.scrape(of(&[])).await;
    only(&prometheus, "Down").await;
    for query in standard::DOWN {
        let here = !prometheus.query(&with_job(query, JOB)).await.is_empty();
        assert_eq!(here, query.starts_with("absent"), "{query}");
    }
    let again = Controller::start(&stage, &LEASE).await;
    prometheus.scrape(of(&[&again])).await;
    prometheus.silent(A_WHILE).await;
    assert_eq!(prometheus.broken_rules().await, Vec::<Value>::new());
}

/// Waits until this alert fires and no other.
async fn only(prometheus: &Prometheus, alert: &str) {
    eventually(&format!("only {alert} fires"), A_WHILE, || async {
        let firing = prometheus.firing().await;
        if firing.iter().eq([alert]) { Ok(()) } else { Err(format!("{firing:?}")) }
    })
    .await;
}

/// A minute of it with waits of 20 s. For longer: `CHURN_SECONDS=900`, and from ten minutes on the
/// rules are those shipped, leases have their default durations, and the API server restarts too.
#[tokio::test]
async fn no_alert_fires_through_healthy_churn_while_replicas_come_and_go() {
    let Some(programs) = programs() else { return };
    let Some(stage) = real::exclusive().await else { return };
    let seconds = std::env::var("CHURN_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(60);
    let long = seconds >= 600;
    let rules = if long { Rules::SHIPPED } else { Rules { wait: Some(20), window: "30s" } };
    let flags: &[&str] = if long { &["--leader-elect=true"] } else { &LEASE };

    let (mut leader, mut standby) = pair(&stage, flags).await;
    let mut prometheus = Prometheus::start(programs, of(&[&leader, &standby]), rules).await;
    prometheus.healthy(2).await;
    let mut load = Load::begin(&stage, "churn", 8).await;
    let began = Instant::now();
    let due = |part: u32| began.elapsed() > Duration::from_secs(seconds) * part / 4;
    let mut events = 0;
    let mut round = 0;
    while !due(4) {
        load.churn(round).await;
        round += 1;
        match events {
            // A rolling update: a new one comes, the leader is told to go.
            0 if due(1) => {
                let new = Controller::start(&stage, flags).await;
                prometheus.scrape(of(&[&leader, &standby, &new])).await;
                assert_eq!(leader.terminate(SOON).await, 0);
                (leader, standby) = in_order(standby, new).await;
                prometheus.scrape(of(&[&leader, &standby])).await;
            }
            // The leader is killed, and restarted where it was, as a kubelet does.
            1 if due(2) => {
                leader.kill();
                let new = Controller::start(&stage, flags).await;
                (leader, standby) = in_order(standby, new).await;
                prometheus.scrape(of(&[&leader, &standby])).await;
            }
            // A rollout under load is not a moment without it.
            2 if due(3) => {
                if long {
                    stage.restart().await;
                }
                load.scale("auto", 4).await;
                load.roll("near", Duration::from_millis(50)).await;
            }
            _ => continue,
        }
        events += 1;
    }
    assert_eq!(events, 3, "the churn was too slow for its time");
    let lived = began.elapsed().as_secs() + 1;
    let writes = prometheus
        .value(&format!("sum(max_over_time(endpoint_slice_controller_changes{{job=\"{JOB}\"}}[{lived}s]))"))
        .await
        .unwrap_or_default();
    println!("{lived} s of churn, {round} rounds, {writes} writes");
    assert!(writes > 50.0, "{writes} writes are no churn");
    assert_eq!(prometheus.fired(lived).await, BTreeSet::new());
    assert_eq!(prometheus.broken_rules().await, Vec::<Value>::new());
    // What was missed would be a loss of data, not silence.
    assert!(prometheus.value(&format!("max(up{{job=\"{JOB}\"}})")).await == Some(1.0));
}

/// The one that leads first.
async fn in_order(one: Controller, other: Controller) -> (Controller, Controller) {
    let first = eventually("one of two leads", SOON, || async {
        let leading = async |replica: &Controller| {
            replica.metrics().await.sum("leader_election_master_status", &[]) == 1.0
        };
        match (leading(&one).await, leading(&other).await) {
            (first, second) if first != second => Ok(first),
            states => Err(format!("{states:?}")),
        }
    })
    .await;
    if first { (one, other) } else { (other, one) }
}

/// TLS and a token, as `--metrics-secure` asks for them.
#[tokio::test]
async fn metrics_are_scraped_over_tls_with_a_token_by_whoever_may_and_by_nobody_else() {
    let Some(programs) = programs() else { return };
    let Some(stage) = real::exclusive().await else { return };
    let text =
        std::fs::read_to_string("manifests/components/metrics-secure/rbac.yaml").expect("read the manifest");
    let objects: Vec<Value> = serde_saphyr::from_multiple(&text).expect("a YAML manifest");
    for object in &objects {
        apply(&stage, object).await;
    }
    let folder = scratch().join("secure");
    std::fs::create_dir_all(&folder).expect("make a folder");
    let file = |name: &str| folder.join(name).display().to_string();
    let key = rcgen::KeyPair::generate().expect("make a key");
    let certificate = rcgen::CertificateParams::new(vec!["controller.example.org".to_owned()])
        .and_then(|params| params.self_signed(&key))
        .expect("sign a certificate");
    std::fs::write(file("tls.crt"), certificate.pem()).expect("write the certificate");
    std::fs::write(file("tls.key"), key.serialize_pem()).expect("write the key");
    std::fs::write(file("token"), "nobody-token").expect("write the token");

    let (certificate, key) = (file("tls.crt"), file("tls.key"));
    let controller = Controller::launch(
        &stage,
        &[
            "--metrics-secure",
            &format!("--tls-cert-file={certificate}"),
            &format!("--tls-private-key-file={key}"),
        ],
    );
    let mut scrape = plain(JOB, &[target(&controller)]);
    scrape["scheme"] = json!("https");
    scrape["tls_config"] = json!({"ca_file": certificate, "server_name": "controller.example.org"});
    let mut prometheus = Prometheus::start(programs, vec![scrape.clone()], Rules::SHIPPED).await;
    refused(&prometheus, "401").await;

    scrape["authorization"] = json!({"type": "Bearer", "credentials_file": file("token")});
    prometheus.scrape(vec![scrape]).await;
    refused(&prometheus, "403").await;

    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "test-scraper"},
        "rules": [{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}],
    });
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
        "metadata": {"name": "test-scraper"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "test-scraper"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "nobody"}],
    });
    apply(&stage, &role).await;
    apply(&stage, &binding).await;
    prometheus.healthy(1).await;
    let name = format!("count(endpointslice_build_info{{job=\"{JOB}\"}})");
    eventually("there is data", SOON, || async {
        prometheus.value(&name).await.filter(|count| *count == 1.0).ok_or_else(|| "none".to_owned())
    })
    .await;
}

/// Waits until the only target is down, with this status code.
async fn refused(prometheus: &Prometheus, code: &str) {
    eventually(&format!("the scrape is answered {code}"), SOON, || async {
        let targets = prometheus.targets().await;
        match targets.as_slice() {
            [(_, health, error)] if health == "down" && error.contains(code) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
}

async fn apply(stage: &dyn Stage, object: &Value) {
    let kind = object["kind"].as_str().expect("a kind").to_lowercase();
    let name = object["metadata"]["name"].as_str().expect("a name");
    let path = format!("/apis/rbac.authorization.k8s.io/v1/{kind}s/{name}?fieldManager=test&force=true");
    let answer = stage.api().send(Method::PATCH, &path, Some(object), "application/apply-patch+yaml").await;
    answer.expect("apply an object");
}
