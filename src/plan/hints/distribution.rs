//! Hints from `spec.trafficDistribution`: each endpoint for itself, from its own zone and node.

use std::sync::Arc;

use super::Rule;
use crate::model::{Endpoint, Hints, Text};

/// Hints at this zone and this node; none when there is neither.
pub fn hints(zone: Option<&Text>, node: Option<&Text>) -> Option<Hints> {
    (zone.is_some() || node.is_some()).then(|| Hints {
        for_zones: zone.into_iter().cloned().collect(),
        for_nodes: node.into_iter().cloned().collect(),
    })
}

/// Whether this endpoint gives no reason to write its slice.
pub fn fits(rule: Rule, endpoint: &Endpoint) -> bool {
    match targets(rule, endpoint) {
        None => endpoint.hints.is_none(),
        Some(_) if endpoint.conditions.ready != Some(true) => true,
        Some((zone, node)) => {
            let held = endpoint.hints.as_deref();
            let (zones, nodes) = held.map_or((&[][..], &[][..]), |h| (&h.for_zones[..], &h.for_nodes[..]));
            zones.iter().eq(zone) && nodes.iter().eq(node)
        }
    }
}

/// Gives the endpoint the hints that it should have; one that fits stays the same allocation.
pub fn correct(rule: Rule, endpoint: &mut Arc<Endpoint>) {
    if fits(rule, endpoint) {
        return;
    }
    let wanted = targets(rule, endpoint).and_then(|(zone, node)| hints(zone, node));
    Arc::make_mut(endpoint).hints = wanted.map(Box::new);
}

/// The zone and the node that the endpoint hints at when it is ready; `None` where no endpoint may
/// have hints.
fn targets(rule: Rule, endpoint: &Endpoint) -> Option<(Option<&Text>, Option<&Text>)> {
    match rule {
        // Mode Auto looks at all endpoints at once.
        Rule::Unset | Rule::Auto => None,
        Rule::SameZone => Some((endpoint.zone.as_ref(), None)),
        Rule::SameNode => Some((endpoint.zone.as_ref(), endpoint.node_name.as_ref())),
    }
}
