//! What a slice bears besides its endpoints: labels, owner reference, annotations, and whatever of it
//! is not ours.

use std::sync::Arc;

use smol_str::SmolStr;

use crate::model::{AddressType, Annotations, Key, Labels, OwnerReference, Service, Slice, Text, Time, Uid};
use crate::plan::{labels, names, trigger};

/// The metadata of all slices of one Service.
pub struct Metadata<'a> {
    service: &'a Service,
    labels: Labels,
    owner: OwnerReference,
    time: Option<Time>,
}

impl<'a> Metadata<'a> {
    /// That of this Service's slices, with this trigger time.
    pub fn new(service: &'a Service, time: Option<Time>) -> Metadata<'a> {
        let owner = OwnerReference {
            api_version: Text::new("v1"),
            kind: Text::new("Service"),
            name: service.key.name.clone(),
            uid: service.uid.clone(),
            controller: Some(true),
            block_owner_deletion: Some(true),
        };
        Metadata { service, labels: labels::for_service(service), owner, time }
    }

    /// Whether labels and owner reference of a slice of ours are right.
    pub fn fits(&self, slice: &Slice) -> bool {
        slice.labels == self.labels
            && (slice.owners.contains(&self.owner) || controlled_by_another(slice, self.service))
    }

    /// A slice that is not there yet, without endpoints and ports.
    pub fn create(&self, name: SmolStr, address_type: &AddressType) -> Slice {
        Slice {
            key: Key { namespace: self.service.key.namespace.clone(), name },
            uid: Uid::default(),
            version: 0,
            generate_name: SmolStr::from(names::generate_name(&self.service.key.name)),
            labels: self.labels.clone(),
            annotations: trigger::annotate(&Annotations::default(), self.time),
            deleting: false,
            owners: Arc::from([self.owner.clone()]),
            address_type: address_type.clone(),
            ports: Arc::from([]),
            endpoints: Vec::new(),
            foreign: None,
        }
    }

    /// The slice with our labels, annotation and owner reference, without endpoints; all else stays.
    pub fn update(&self, base: &Slice) -> Slice {
        Slice {
            key: base.key.clone(),
            uid: base.uid.clone(),
            version: base.version,
            generate_name: base.generate_name.clone(),
            labels: self.labels.clone(),
            annotations: trigger::annotate(&base.annotations, self.time),
            deleting: base.deleting,
            owners: self.owners(base),
            address_type: base.address_type.clone(),
            ports: Arc::clone(&base.ports),
            endpoints: Vec::new(),
            foreign: base.foreign.clone(),
        }
    }

    fn owners(&self, base: &Slice) -> Arc<[OwnerReference]> {
        if base.owners.contains(&self.owner) || controlled_by_another(base, self.service) {
            return Arc::clone(&base.owners);
        }
        let mut owners = base.owners.to_vec();
        match owners.iter_mut().find(|owner| refers_to(owner, self.service)) {
            Some(ours) => *ours = self.owner.clone(),
            None => owners.push(self.owner.clone()),
        }
        Arc::from(owners)
    }
}

/// Whether the slice has an owner reference with the uid of this very Service.
pub fn owned(slice: &Slice, service: &Service) -> bool {
    slice.owners.iter().any(|owner| refers_to(owner, service))
}

fn refers_to(owner: &OwnerReference, service: &Service) -> bool {
    owner.uid == service.uid && owner.kind == "Service" && owner.api_version == "v1"
}

/// The API server accepts one controller among the owners: where another has that place, our
/// reference stays as it is.
fn controlled_by_another(slice: &Slice, service: &Service) -> bool {
    slice.owners.iter().any(|owner| owner.controller == Some(true) && !refers_to(owner, service))
}
