//! `plan -f` on a dump of a quiet cluster that kube-controller-manager runs finds nothing to write,
//! and exactly one write when one label of one slice was changed in the dump.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::process::scratch;
use crate::support::quiet_cluster::{self, Draw, EACH, KINDS};
use crate::support::{Peer, eventually, real};

const SEED: u64 = 20_261_121;
/// In how many slices a label is changed, one after the other.
const EDITED: usize = 8;
const AT_REST: Duration = Duration::from_secs(90);

#[tokio::test]
async fn a_dump_of_a_quiet_cluster_needs_no_write_and_an_edited_label_exactly_one() {
    let Some(stage) = real::exclusive().await else { return };
    let peer = Peer::start(&stage, &[]).await;
    quiet_cluster::generate(&stage, SEED).await;

    // Its backoff for Pods on unknown Nodes can outlast any fixed pause: the cluster is quiet when it is.
    let file = scratch().join("dump.json");
    let dump = eventually("a dump of the quiet cluster to need no write", AT_REST, || async {
        let dump = quiet_cluster::dump(&stage, &file);
        let writes = planned(&file);
        if writes.is_empty() { Ok(dump) } else { Err(format!("{writes:#?}")) }
    })
    .await;
    peer.kill();
    let table = quiet_cluster::coverage(&dump);
    quiet_cluster::print_coverage(&table);
    assert!(table.values().map(|line| line.services).sum::<usize>() >= 200);
    for (kind, _) in KINDS {
        let services = table.get(*kind).map_or(0, |line| line.services);
        assert!(services >= 5 && services == EACH, "{kind}: {services} Services");
    }
    // Hints, Pods that are not ready and Pods that go are among them, or the promise says little.
    for (what, count) in [
        ("hints of trafficDistribution", table["prefer-close"].hints),
        ("hints of Auto", table["topology-auto"].hints),
        ("mirrored endpoints", table["no-selector-mirrored"].endpoints),
        ("not ready", table["pods-in-every-state"].not_ready),
        ("terminating", table["pods-in-every-state"].terminating),
    ] {
        assert!(count > 0, "{what}: none in the dump");
    }
    let mut draw = Draw::new(SEED);
    let (kept, left_behind) = quiet_cluster::some_slices(&dump, &mut draw, EDITED);
    for index in kept {
        let writes = planned(&edited(&dump, index));
        assert_eq!(writes.len(), 1, "{writes:#?}");
        let metadata = &dump["items"][index]["metadata"];
        assert_eq!(
            (&writes[0]["operation"], &writes[0]["namespace"], &writes[0]["name"]),
            (&json!("update"), &metadata["namespace"], &metadata["name"])
        );
    }
    // Nobody looks after the slices of a Service whose selector was removed.
    assert_eq!(planned(&edited(&dump, left_behind)), Vec::<Value>::new());
}

/// A file with the dump in which one slice has one more label.
fn edited(dump: &Value, index: usize) -> PathBuf {
    let mut dump = dump.clone();
    dump["items"][index]["metadata"]["labels"]["edited-by-hand"] = json!("yes");
    let file = scratch().join("edited.json");
    std::fs::write(&file, dump.to_string()).expect("write the edited dump");
    file
}

/// The writes that `plan -f FILE --output json` prints: objects with operation, namespace and name.
fn planned(file: &Path) -> Vec<Value> {
    let output = Command::new(env!("CARGO_BIN_EXE_endpointslice-controller"))
        .args(["plan", "--output", "json", "-f"])
        .arg(file)
        .output()
        .expect("run plan");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "plan failed with {}: {errors}", output.status);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("plan must print JSON ({error}): {}", String::from_utf8_lossy(&output.stdout))
    });
    answer["writes"].as_array().expect("a list named writes").clone()
}
