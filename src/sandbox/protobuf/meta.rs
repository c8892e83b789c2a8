//! Field numbers of k8s.io/apimachinery/pkg/apis/meta/v1 (v0.36.3).

use super::shape::Type::{Message, Number, Raw, Text, Time, Truth};
use super::shape::{Shape, kept, list, map, one};

pub(super) static META_CONDITION: Shape = Shape(&[
    kept(1, "type", Text),
    kept(2, "status", Text),
    one(3, "observedGeneration", Number),
    kept(4, "lastTransitionTime", Time),
    kept(5, "reason", Text),
    kept(6, "message", Text),
]);

pub(super) static META_DELETE_OPTIONS: Shape = Shape(&[
    kept(1, "gracePeriodSeconds", Number),
    kept(2, "preconditions", Message(&META_PRECONDITIONS)),
    kept(3, "orphanDependents", Truth),
    kept(4, "propagationPolicy", Text),
    list(5, "dryRun", Text),
    kept(6, "ignoreStoreReadErrorWithClusterBreakingPotential", Truth),
]);

pub(super) static META_LABEL_SELECTOR: Shape = Shape(&[
    map(1, "matchLabels", Text),
    list(2, "matchExpressions", Message(&META_LABEL_SELECTOR_REQUIREMENT)),
]);

pub(super) static META_LABEL_SELECTOR_REQUIREMENT: Shape =
    Shape(&[kept(1, "key", Text), kept(2, "operator", Text), list(3, "values", Text)]);

pub(super) static META_MANAGED_FIELDS_ENTRY: Shape = Shape(&[
    one(1, "manager", Text),
    one(2, "operation", Text),
    one(3, "apiVersion", Text),
    kept(4, "time", Time),
    one(6, "fieldsType", Text),
    kept(7, "fieldsV1", Raw),
    one(8, "subresource", Text),
]);

pub(super) static META_OBJECT_META: Shape = Shape(&[
    one(1, "name", Text),
    one(2, "generateName", Text),
    one(3, "namespace", Text),
    one(4, "selfLink", Text),
    one(5, "uid", Text),
    one(6, "resourceVersion", Text),
    one(7, "generation", Number),
    one(8, "creationTimestamp", Time),
    kept(9, "deletionTimestamp", Time),
    kept(10, "deletionGracePeriodSeconds", Number),
    map(11, "labels", Text),
    map(12, "annotations", Text),
    list(13, "ownerReferences", Message(&META_OWNER_REFERENCE)),
    list(14, "finalizers", Text),
    list(17, "managedFields", Message(&META_MANAGED_FIELDS_ENTRY)),
]);

pub(super) static META_OWNER_REFERENCE: Shape = Shape(&[
    kept(5, "apiVersion", Text),
    kept(1, "kind", Text),
    kept(3, "name", Text),
    kept(4, "uid", Text),
    kept(6, "controller", Truth),
    kept(7, "blockOwnerDeletion", Truth),
]);

pub(super) static META_PRECONDITIONS: Shape =
    Shape(&[kept(1, "uid", Text), kept(2, "resourceVersion", Text)]);
