//! What each kind does with objects: the tables in `cases/` are requests, those in `answers/` what
//! kube-apiserver 1.36.3 says to them. The sandbox is held to the answers everywhere, and the answers to a
//! real API server where there is one.
//!
//! New cases are answered by the real one: `RECORD=1 cargo test --test sandbox_kinds real`.

#![cfg(feature = "sandbox")]
#![allow(clippy::expect_used, clippy::panic)] // outside of #[test] functions too

#[path = "../support/mod.rs"]
mod support;

mod blank;
mod cost;
mod play;
mod reading;
mod stages;
mod strict;

use play::{Case, answers, cases};

const TABLES: [&str; 9] = [
    "endpointslices",
    "endpoints",
    "services",
    "service-families",
    "pods",
    "workloads",
    "nodes-and-namespaces",
    "leases-and-events",
    "metadata",
];

/// All cases whose answer is another one, in words.
fn differences(table: &str, cases: &[Case], given: &[Vec<serde_json::Value>]) -> Vec<String> {
    let wanted = answers(table);
    let mut found = Vec::new();
    for (case, given) in cases.iter().zip(given) {
        let Some(wanted) = wanted.get(&case.name) else {
            found.push(format!("{table}: {}: never answered by a real API server", case.name));
            continue;
        };
        for (number, (wanted, given)) in wanted.iter().zip(given).enumerate() {
            if wanted != given {
                found.push(format!(
                    "{table}: {}: step {}\n  real  {wanted}\n  given {given}",
                    case.name,
                    number + 1
                ));
            }
        }
        if wanted.len() != given.len() {
            found.push(format!("{table}: {}: {} answers, {} steps", case.name, wanted.len(), given.len()));
        }
    }
    found
}

#[test]
fn every_kind_answers_as_the_real_api_server_does() {
    let mut found = Vec::new();
    for table in TABLES {
        let cases = cases(table);
        let given: Vec<_> = cases.iter().map(stages::on_the_store).collect();
        found.extend(differences(table, &cases, &given));
    }
    assert!(found.is_empty(), "{} differences\n{}", found.len(), found.join("\n"));
}

#[tokio::test]
async fn the_answers_are_those_of_a_real_api_server() {
    let Some(real) = stages::real().await else { return };
    let record = std::env::var_os("RECORD").is_some();
    let mut found = Vec::new();
    for table in TABLES {
        let cases = cases(table);
        let mut given = Vec::new();
        for case in &cases {
            given.push(real.play(case).await);
        }
        if record {
            play::record(table, &cases, &given);
        }
        found.extend(differences(table, &cases, &given));
    }
    assert!(found.is_empty(), "{} differences\n{}", found.len(), found.join("\n"));
}

#[test]
fn every_table_is_read_and_every_answer_has_its_case() {
    for table in TABLES {
        let names: Vec<String> = cases(table).into_iter().map(|case| case.name).collect();
        let mut once = names.clone();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), names.len(), "{table}: each name once");
        for name in answers(table).keys() {
            assert!(names.contains(name), "{table}: an answer without a case: {name}");
        }
    }
}
