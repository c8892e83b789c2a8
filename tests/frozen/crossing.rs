//! A history of what no seed draws often.
//!
//! - Endpoints of one port name change places between the groups of a Service, all at once. Neither slice
//!   can be written first without an address in no slice, so that one write more is needed than
//!   upstream makes.
//! - A Service without Pods gets a slice of another one beside its placeholder.
//! - Endpoints have two ports of one name for the same address.

use serde_json::json;

use crate::support::history::{Change, History, Kind, Operation, Step, Tampering};
use crate::support::pods::{endpoints, node, pod, service, service_without_selector};

/// Its slices are written twice, and made anew.
const SERVICES: [&str; 2] = ["written-twice", "made-anew"];
const EMPTIED: &str = "emptied";
const BESIDE: &str = "beside";
const ONE_NAME: &str = "one-name";
const NODE: &str = "node-0";
/// Pods in each of the two groups.
const EACH: u8 = 3;

/// The history under this number; the Pods change places in the last of every `every` steps.
pub fn crossing(seed: u64, steps: usize, every: usize) -> History {
    let mut draw = Changes(Vec::new());
    let role = "node-role.kubernetes.io/control-plane";
    draw.push(Operation::Create(Kind::Node, node(NODE, "zone-a").label(role, "").0));
    for name in SERVICES {
        draw.push(Operation::Create(Kind::Service, service(name, name).port("http", 80, "web").0));
        draw.pods(name, false);
    }
    for name in [EMPTIED, BESIDE] {
        draw.push(Operation::Create(Kind::Service, service(name, name).port("http", 80, "80").0));
    }
    draw.push(Operation::Create(Kind::Pod, pod(EMPTIED, EMPTIED, "10.196.2.1").on(NODE).0));
    let with =
        |port: u16| json!({"addresses": [{"ip": "10.196.3.1"}], "ports": [{"name": "http", "port": port}]});
    let subsets = json!([with(80), with(8080)]);
    let one_name = service_without_selector(ONE_NAME).port("http", 80, "80");
    draw.push(Operation::Create(Kind::Service, one_name.0));
    draw.push(Operation::Create(Kind::Endpoints, endpoints(ONE_NAME, subsets).0));
    let start = draw.take();
    let steps = (1..=steps)
        .map(|number| {
            match number % every {
                // The peer sees this happen, so that the placeholder is a slice that it recycled.
                1 => draw.push(Operation::Delete(Kind::Pod, EMPTIED.to_string())),
                2 => draw.push(Operation::Tamper {
                    service: BESIDE.to_string(),
                    nth: 0,
                    how: Tampering::ServiceName(EMPTIED.to_string()),
                }),
                _ => {}
            }
            if number % every == 0 {
                SERVICES.iter().for_each(|name| draw.cross(name, number / every % 2 == 1));
            }
            draw.take()
        })
        .collect();
    History { seed, auto: false, start, steps }
}

struct Changes(Step);

impl Changes {
    fn push(&mut self, operation: Operation) {
        self.0.push(Change { number: self.0.len(), why: "crossing".to_string(), operation });
    }

    fn take(&mut self) -> Step {
        std::mem::take(&mut self.0)
    }

    /// The Pods of a Service; the first of each group is in the other one when they have crossed, and
    /// where slices are made anew all have other ports then.
    fn pods(&mut self, service: &str, crossed: bool) {
        for group in 0..2 {
            for number in 0..EACH {
                let port = if crossed && number == 0 { 1 - group } else { group };
                let base = if crossed && service == SERVICES[1] { 9080 } else { 8080 };
                let ip = format!("10.196.{group}.{}", number + 1);
                let pod = pod(&name(service, group, number), service, &ip).on(NODE);
                self.push(Operation::Create(Kind::Pod, pod.container_port("web", base + port).0));
            }
        }
    }

    /// The Pods are made again with the same names and addresses.
    fn cross(&mut self, service: &str, crossed: bool) {
        for group in 0..2 {
            (0..EACH)
                .for_each(|number| self.push(Operation::Delete(Kind::Pod, name(service, group, number))));
        }
        self.pods(service, crossed);
    }
}

fn name(service: &str, group: u16, number: u8) -> String {
    format!("{service}-{group}-{number}")
}
