//! The negative control of the oracle: a program that replaces slices by deleting them first.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::desired::{self, Pair};
use super::oracle::{Oracle, Tally};
use super::pair::Pair as Twins;
use crate::support::history::{History, Kind, Shape, apply_all, ours};
use crate::support::wait::SOON;
use crate::support::{World, eventually};

/// Lets our program publish a population, then replaces each of its slices, and answers what the oracle
/// saw of that.
pub async fn delete_before_create(pair: &Twins) -> Tally {
    let shape = Shape { services: 10, steps: 0, auto_every: 0, ..Shape::default() };
    let history = History::draw(1, &shape);
    let world = World::named(pair.apis()[0], "control").await;
    let mut oracle = Oracle::follow(&world).await;
    let refused = apply_all(&world, &history.start).await;
    assert!(refused.is_empty(), "{refused:?}");
    let state = history.end();
    let live: BTreeMap<String, BTreeSet<Pair>> = desired::live(&state, &[]);
    let wanted: BTreeSet<_> =
        live.iter().flat_map(|(service, pairs)| pairs.iter().map(move |pair| (service, pair))).collect();
    eventually("the population is published", SOON, || async {
        let present = oracle.consumer().present();
        let missing = wanted.iter().filter(|(service, (address, port))| {
            !present.contains(&((*service).clone(), address.clone(), port.clone()))
        });
        match missing.count() {
            0 => Ok(()),
            count => Err(format!("{count} of {} are missing", wanted.len())),
        }
    })
    .await;
    let missing = oracle.promise(&live);
    assert!(missing.is_empty(), "{missing:?}");
    for slice in world.all_slices().await.iter().filter(|slice| ours(slice)) {
        let path = world.path("endpointslices");
        let name = slice["metadata"]["name"].as_str().unwrap_or_default();
        // Our program may be at it as well.
        let _ = world.api().delete(&format!("{path}/{name}")).await;
        let _ = world.api().create(&path, &copy(slice)).await;
    }
    oracle.consumer().caught_up().await;
    oracle.close();
    let tally = oracle.tally.clone();
    pair.forget("control", &state.names(Kind::Node)).await;
    tally
}

fn copy(slice: &Value) -> Value {
    let mut slice = slice.clone();
    if let Some(metadata) = slice["metadata"].as_object_mut() {
        metadata
            .retain(|key, _| ["name", "labels", "annotations", "ownerReferences"].contains(&key.as_str()));
    }
    slice
}
