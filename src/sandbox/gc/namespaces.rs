//! Namespaces that were deleted: what is in them is deleted, and when nothing is left they go.

use serde_json::json;

use crate::sandbox::kinds::Kind;
use crate::sandbox::store::{Key, Store};
use crate::sandbox::verbs::{DeleteOptions, Propagation};

/// The finalizer that stands for this.
const OURS: &str = "kubernetes";

/// Deletes what is in the namespace `name`, if it was deleted, and removes it when it is empty.
pub(super) fn empty(store: &Store, name: &str) {
    let key = Key::new("", name);
    let Some(namespace) = store.get(Kind::Namespace, &key).filter(|namespace| namespace.deleting) else {
        return;
    };
    let mut left = false;
    for kind in Kind::ALL.into_iter().filter(|kind| kind.info().namespaced) {
        for object in store.list(kind, Some(name)).1 {
            if !object.deleting {
                let options =
                    DeleteOptions { propagation: Some(Propagation::Background), ..DeleteOptions::default() };
                // Somebody else may have removed it.
                let _ = store.delete(kind, &object.key, &options);
            }
            left |= store.get(kind, &object.key).is_some();
        }
    }
    if left {
        return;
    }
    let value = namespace.value();
    let others: Vec<&str> = value["spec"]["finalizers"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|finalizer| finalizer.as_str())
        .filter(|finalizer| *finalizer != OURS)
        .collect();
    let wanted = json!({"metadata": {"name": name}, "spec": {"finalizers": others}});
    // It may be gone already.
    let _ = store.finalize(&key, &wanted, false);
}
