//! What stands on a mirrored slice: labels, annotations, owner, and endpoints in a stable order.

use std::sync::Arc;

use smol_str::SmolStr;

use super::desired::{Group, Identity};
use crate::model::labels::{LAST_APPLIED, MANAGED_BY, SERVICE_NAME, TRIGGER_TIME};
use crate::model::{
    Annotations, Endpoint, Endpoints, Key, Labels, Loop, OwnerReference, Port, Slice, TargetReference, Text,
    Uid,
};
use crate::plan::names::generate_name;

/// What all slices of one Endpoints object have in common.
pub(super) struct Common<'a> {
    endpoints: &'a Endpoints,
    labels: Labels,
    annotations: Annotations,
}

impl<'a> Common<'a> {
    pub fn new(endpoints: &'a Endpoints) -> Common<'a> {
        let ours = [
            (Text::new(SERVICE_NAME), Text::new(&endpoints.key.name)),
            (Text::new(MANAGED_BY), Text::new(Loop::Mirroring.managed_by())),
        ];
        Common {
            endpoints,
            // Ours come last and win: who may write Endpoints must not choose another Service.
            labels: Labels::new(endpoints.labels.iter().cloned().chain(ours)),
            annotations: endpoints.annotations.filtered(|key| key != TRIGGER_TIME && key != LAST_APPLIED),
        }
    }

    /// Whether labels, annotations and owner of this slice are right.
    pub fn right(&self, slice: &Slice) -> bool {
        slice.labels == self.labels
            && slice.annotations == self.annotations
            && slice.owners == self.owners(&slice.owners)
    }

    /// A slice that is to be created.
    pub fn new_slice(&self, name: SmolStr, group: &Group) -> Slice {
        Slice {
            key: Key { namespace: self.endpoints.key.namespace.clone(), name },
            uid: Uid::default(),
            version: 0,
            generate_name: SmolStr::new(generate_name(&self.endpoints.key.name)),
            labels: self.labels.clone(),
            annotations: self.annotations.clone(),
            deleting: false,
            owners: self.owners(&[]),
            address_type: group.address_type.clone(),
            ports: Arc::clone(&group.ports),
            endpoints: group.endpoints.clone(),
            foreign: None,
        }
    }

    /// `base` with these endpoints, and with these ports unless it has them already. Finalizers and
    /// foreign owners stay.
    pub fn rewritten(
        &self,
        base: &Slice,
        ports: Option<&Arc<[Port]>>,
        endpoints: Vec<Arc<Endpoint>>,
    ) -> Slice {
        Slice {
            labels: self.labels.clone(),
            annotations: self.annotations.clone(),
            owners: self.owners(&base.owners),
            ports: Arc::clone(ports.unwrap_or(&base.ports)),
            endpoints,
            ..base.clone()
        }
    }

    /// The owners with ours among them, in the place of one of the same name with an older uid.
    /// An object has one managing controller: another one stays an owner only.
    fn owners(&self, standing: &[OwnerReference]) -> Arc<[OwnerReference]> {
        let ours = OwnerReference {
            api_version: Text::new("v1"),
            kind: Text::new("Endpoints"),
            name: self.endpoints.key.name.clone(),
            uid: self.endpoints.uid.clone(),
            controller: Some(true),
            block_owner_deletion: Some(true),
        };
        let mut owners: Vec<OwnerReference> = Vec::with_capacity(standing.len() + 1);
        let mut placed = false;
        for owner in standing {
            if is_ours(owner, self.endpoints) {
                if !std::mem::replace(&mut placed, true) {
                    owners.push(ours.clone());
                }
            } else {
                let controller = owner.controller.map(|_| false);
                owners.push(OwnerReference { controller, ..owner.clone() });
            }
        }
        if !placed {
            owners.push(ours);
        }
        Arc::from(owners)
    }
}

fn is_ours(owner: &OwnerReference, endpoints: &Endpoints) -> bool {
    owner.uid == endpoints.uid || (owner.kind == "Endpoints" && owner.name == endpoints.key.name)
}

/// The endpoints of a slice when it is written, and what that changes.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Filled {
    /// Endpoints that stay in their place, then new ones in canonical order.
    pub endpoints: Vec<Arc<Endpoint>>,
    /// Endpoints that the slice did not have.
    pub added: usize,
    /// Endpoints that it has otherwise.
    pub updated: usize,
    /// Endpoints that it loses, repetitions too.
    pub removed: usize,
}

impl Filled {
    /// Whether the slice has these endpoints already.
    pub fn unchanged(&self) -> bool {
        self.added == 0 && self.updated == 0 && self.removed == 0
    }
}

/// Fills a slice that has these endpoints with those of the group.
pub(super) fn fill(standing: &[Arc<Endpoint>], group: &Group) -> Filled {
    let mut filled = Filled { endpoints: Vec::with_capacity(group.endpoints.len()), ..Filled::default() };
    let mut placed = vec![false; group.endpoints.len()];
    for endpoint in standing {
        match group.positions.get(&Identity::of(endpoint)) {
            Some(&at) if !std::mem::replace(&mut placed[at], true) => {
                let wanted = &group.endpoints[at];
                filled.updated += usize::from(!same(endpoint, wanted));
                // What differs in the version of its target only is no change, but written along.
                let kept = same(endpoint, wanted) && endpoint.target_ref == wanted.target_ref;
                filled.endpoints.push(Arc::clone(if kept { endpoint } else { wanted }));
            }
            _ => filled.removed += 1,
        }
    }
    let new = group.endpoints.iter().zip(&placed).filter(|(_, placed)| !**placed);
    filled.endpoints.extend(new.map(|(endpoint, _)| Arc::clone(endpoint)));
    filled.added = placed.iter().filter(|placed| !**placed).count();
    filled
}

/// Whether two endpoints of one identity are the same, the resourceVersion of the target apart.
fn same(standing: &Endpoint, wanted: &Endpoint) -> bool {
    standing.conditions == wanted.conditions
        && standing.node_name == wanted.node_name
        && standing.zone == wanted.zone
        && standing.hints == wanted.hints
        && same_target(standing.target_ref.as_deref(), wanted.target_ref.as_deref())
}

fn same_target(standing: Option<&TargetReference>, wanted: Option<&TargetReference>) -> bool {
    match (standing, wanted) {
        (Some(standing), Some(wanted)) => {
            standing.kind == wanted.kind
                && standing.namespace == wanted.namespace
                && standing.name == wanted.name
                && standing.uid == wanted.uid
                && standing.api_version == wanted.api_version
                && standing.field_path == wanted.field_path
        }
        (None, None) => true,
        _ => false,
    }
}
