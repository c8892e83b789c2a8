//! Permissions that this program lacks: each is told in the log once, however many writes it stops,
//! and once that it is there. What admission forbids for one object is not one of them.

use std::collections::BTreeSet;

use http::Method;
use parking_lot::Mutex;
use tracing::{info, warn};

/// The permissions that were found missing, as (verb, resource).
#[derive(Debug, Default)]
pub(super) struct Permissions {
    // Held for one look-up; empty almost always.
    missing: Mutex<BTreeSet<(String, String)>>,
}

impl Permissions {
    /// A request was answered with 403 and this message.
    pub(super) fn forbidden(&self, message: &str) {
        let Some((verb, resource)) = lacking(message) else { return };
        if self.missing.lock().insert((verb.to_owned(), resource.to_owned())) {
            warn!(
                resource,
                verb,
                "cannot {verb} {resource}: {message}; grant the verb {verb:?} on the resource {resource:?} to the \
                 role of this controller; what needs it is tried again"
            );
        }
    }

    /// A request with this method and path succeeded.
    pub(super) fn worked(&self, method: &Method, path: &str) {
        let mut missing = self.missing.lock();
        if missing.is_empty() {
            return;
        }
        let (verb, resource) = (verb_of(method), resource_of(path));
        if missing.remove(&(verb.to_owned(), resource.to_owned())) {
            info!(resource, verb, "{verb} of {resource} works again");
        }
    }
}

/// Verb and resource in the sentence of an authorizer: `… User "x" cannot update resource "pods" in …`.
fn lacking(message: &str) -> Option<(&str, &str)> {
    let (verb, rest) = message.split_once(" cannot ")?.1.split_once(" resource \"")?;
    let (resource, _) = rest.split_once('"')?;
    (!verb.contains(' ')).then_some((verb, resource))
}

fn verb_of(method: &Method) -> &'static str {
    match *method {
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE => "delete",
        _ => "get",
    }
}

/// The segment after the namespace's name: all that is written and read here is in one.
fn resource_of(path: &str) -> &str {
    let behind = path.split_once("/namespaces/").map_or("", |(_, rest)| rest);
    behind.split(['/', '?']).nth(1).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DENIED: &str = "endpointslices.discovery.k8s.io \"web-1\" is forbidden: User \"me\" cannot update \
                          resource \"endpointslices\" in API group \"discovery.k8s.io\" in the namespace \"a\"";
    const SLICE: &str = "/apis/discovery.k8s.io/v1/namespaces/a/endpointslices/web-1?fieldManager=m";

    fn missing(permissions: &Permissions) -> Vec<(String, String)> {
        permissions.missing.lock().iter().cloned().collect()
    }

    #[test]
    fn a_permission_is_missing_from_the_first_refusal_to_the_first_success() {
        let permissions = Permissions::default();
        permissions.forbidden(DENIED);
        permissions.forbidden(&DENIED.replace("web-1", "web-2"));
        assert_eq!(missing(&permissions), [("update".to_owned(), "endpointslices".to_owned())]);
        permissions.worked(&Method::POST, "/apis/discovery.k8s.io/v1/namespaces/a/endpointslices?x=y");
        permissions.worked(&Method::PUT, "/api/v1/namespaces/a/events/e");
        assert_eq!(missing(&permissions).len(), 1, "another verb, another resource");
        permissions.worked(&Method::PUT, SLICE);
        assert_eq!(missing(&permissions), []);
    }

    #[test]
    fn what_admission_forbids_is_no_missing_permission() {
        let permissions = Permissions::default();
        for message in [
            "endpointslices.discovery.k8s.io \"a\" is forbidden: exceeded quota: few, requested: 1, used: 1, limited: 1",
            "endpointslices.discovery.k8s.io \"a\" is forbidden: cannot set blockOwnerDeletion if an ownerReference \
             refers to a resource you can't set finalizers on",
            "",
        ] {
            permissions.forbidden(message);
        }
        assert_eq!(missing(&permissions), []);
    }
}
