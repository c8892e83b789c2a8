//! Printing plans: tables for people, JSON and YAML for programs.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use super::table::{NONE, addresses, port_text, table};
use super::{Cluster, Format, PlanError, PlannedWrite, consumers};
use crate::model::{Port, Slice, wire};

#[derive(Serialize)]
struct Document<'a> {
    writes: Vec<WriteDocument<'a>>,
}

#[derive(Serialize)]
struct WriteDocument<'a> {
    operation: &'static str,
    #[serde(rename = "loop")]
    which: &'static str,
    namespace: &'a str,
    name: &'a str,
    slice: Value,
}

/// The text of these writes, ended by a line feed.
pub(super) fn render(
    writes: &[PlannedWrite],
    cluster: &Cluster,
    format: Format,
) -> Result<String, PlanError> {
    match format {
        Format::Table => Ok(tables(writes, cluster)),
        Format::Json => {
            let json = serde_json::to_string_pretty(&document(writes));
            json.map(|text| text + "\n").map_err(|error| PlanError::Output(error.to_string()))
        }
        Format::Yaml => {
            serde_saphyr::to_string(&document(writes)).map_err(|error| PlanError::Output(error.to_string()))
        }
    }
}

fn document(writes: &[PlannedWrite]) -> Document<'_> {
    let write = |planned| {
        let PlannedWrite { which, write, .. }: &PlannedWrite = planned;
        WriteDocument {
            operation: write.operation.as_str(),
            which: which.as_str(),
            namespace: &write.slice.key.namespace,
            name: &write.slice.key.name,
            slice: wire::slice_value(&write.slice),
        }
    };
    Document { writes: writes.iter().map(write).collect() }
}

/// The writes, and under them what they change for consumers.
fn tables(writes: &[PlannedWrite], cluster: &Cluster) -> String {
    if writes.is_empty() {
        return "Nothing to write.\n".to_owned();
    }
    let heads = ["NAMESPACE", "SERVICE", "OPERATION", "SLICE", "ADDRESSTYPE", "PORTS", "ENDPOINTS"];
    let mut text = table(heads, writes.iter().map(row).collect());
    let seen = consumers::rows(writes, cluster);
    if !seen.is_empty() {
        text.push_str("\nWhat consumers see, today → after these writes:\n");
        text.push_str(&table(consumers::HEADS, seen));
    }
    text
}

fn row(planned: &PlannedWrite) -> [String; 7] {
    let slice = &planned.write.slice;
    [
        slice.key.namespace.to_string(),
        planned.key.name.to_string(),
        planned.write.operation.as_str().to_owned(),
        slice.key.name.to_string(),
        slice.address_type.to_string(),
        ports(&slice.ports),
        endpoints(slice),
    ]
}

fn ports(ports: &[Port]) -> String {
    if ports.is_empty() {
        return NONE.to_owned();
    }
    let one = |port: &Port| port_text(port.name.as_deref().unwrap_or_default(), port.port, &port.protocol);
    ports.iter().map(one).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(",")
}

fn endpoints(slice: &Slice) -> String {
    addresses(slice.endpoints.iter().flat_map(|endpoint| endpoint.addresses.as_slice()))
}
