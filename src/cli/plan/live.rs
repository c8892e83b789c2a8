//! The objects of a running cluster for `plan`: each resource listed once, consistently, page by
//! page; the slices first, so that what they were made from is never older than they are.

use std::time::Duration;

use http::Request;
use kube::Client;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Cluster, Outcome, PlanArgs, PlanError, outcome};
use crate::kubeapi::client::call::call;
use crate::kubeapi::client::{Clients, Environment, Flags};
use crate::kubeapi::metrics::RequestMetrics;
use crate::model::wire::{
    DecodeError, decode_endpoints, decode_node, decode_pod, decode_service, decode_slice,
};

const PAGE: usize = 500;
const PAGE_LIMIT: Duration = Duration::from_secs(60);

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(default)]
    metadata: PageMeta,
    #[serde(borrow, default)]
    items: Option<Vec<&'a RawValue>>,
}

#[derive(Default, Deserialize)]
struct PageMeta {
    #[serde(rename = "continue", default)]
    more: Option<String>,
}

/// Plans for the cluster that the flags name. Nothing is written, and no Event is posted.
///
/// # Errors
/// When the cluster cannot be reached or read, or as [`outcome`].
pub async fn live(args: &PlanArgs) -> Result<Outcome, PlanError> {
    let unreachable = |error: &dyn std::fmt::Display| PlanError::Cluster(error.to_string());
    let metrics = RequestMetrics::new(&prometheus::Registry::new()).map_err(|e| unreachable(&e))?;
    let flags = Flags { kubeconfig: args.cluster.kubeconfig.clone(), master: args.cluster.master.clone() };
    let clients =
        Clients::new(&flags, &Environment::of_process(), &metrics).await.map_err(|e| unreachable(&e))?;
    clients.probe().await.map_err(|e| unreachable(&e))?;
    let client = &clients.watches;
    let mut cluster = Cluster::default();
    let at = |group: &str, resource: &str| match &args.namespace {
        Some(namespace) => format!("{group}/namespaces/{namespace}/{resource}"),
        None => format!("{group}/{resource}"),
    };
    let slices = at("/apis/discovery.k8s.io/v1", "endpointslices");
    let mut notes = Vec::new();
    each(client, &slices, decode_slice, |row| cluster.slice(row), &mut notes).await?;
    each(client, &at("/api/v1", "services"), decode_service, |row| cluster.service(row), &mut notes).await?;
    each(client, &at("/api/v1", "pods"), decode_pod, |row| cluster.pod(row), &mut notes).await?;
    each(client, "/api/v1/nodes", decode_node, |row| cluster.node(row), &mut notes).await?;
    each(client, &at("/api/v1", "endpoints"), decode_endpoints, |row| cluster.endpoints(row), &mut notes)
        .await?;
    let mut outcome = outcome(args, &cluster)?;
    outcome.notes.extend(notes);
    Ok(outcome)
}

/// Lists a collection and puts each row; what cannot be decoded is noted and left out.
async fn each<R>(
    client: &Client,
    path: &str,
    decode: fn(&[u8]) -> Result<R, DecodeError>,
    mut put: impl FnMut(R),
    notes: &mut Vec<String>,
) -> Result<(), PlanError> {
    let mut more = String::new();
    loop {
        // Continue tokens are base64url, which needs no escaping here.
        let from = if more.is_empty() { String::new() } else { format!("&continue={more}") };
        let failed = |message: String| PlanError::Cluster(format!("{path} cannot be listed: {message}"));
        let request = Request::get(format!("{path}?limit={PAGE}{from}"))
            .body(Vec::new())
            .map_err(|e| failed(e.to_string()))?;
        let answer = call(client, request, PAGE_LIMIT).await.map_err(|e| failed(e.to_string()))?;
        if !answer.succeeded() {
            return Err(failed(format!(
                "the API server answered {}: {}",
                answer.code,
                answer.status().message
            )));
        }
        let page: Page<'_> = serde_json::from_slice(&answer.body).map_err(|e| failed(e.to_string()))?;
        for item in page.items.unwrap_or_default() {
            match decode(item.get().as_bytes()) {
                Ok(row) => put(row),
                Err(error) => notes.push(format!("{path}: one object is left out: {error}")),
            }
        }
        match page.metadata.more {
            Some(token) if !token.is_empty() => more = token,
            _ => return Ok(()),
        }
    }
}
