//! What kubectl and clients ask before anything else.

use super::Scene;
use crate::step::Script;

pub const SCENES: &[Scene] =
    &[("discovery", plain), ("aggregated discovery", aggregated), ("version", versions)];

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
const AS_KUBECTL: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
    application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

fn plain(s: &mut Script) {
    for path in [
        "/api",
        "/api/v1",
        "/apis",
        "/apis/apps",
        "/apis/apps/v1",
        "/apis/discovery.k8s.io",
        "/apis/discovery.k8s.io/v1",
        "/apis/coordination.k8s.io",
        "/apis/coordination.k8s.io/v1",
        "/apis/events.k8s.io",
        "/apis/events.k8s.io/v1",
        "/apis/nonsense",
        "/apis/apps/v9",
        "/api/",
        "/apis/",
    ] {
        s.get(path);
    }
}

fn aggregated(s: &mut Script) {
    for accept in [AGGREGATED, AS_KUBECTL] {
        s.get_as(accept, "/api");
        s.get_as(accept, "/apis");
    }
}

fn versions(s: &mut Script) {
    s.get("/version");
    s.get("/");
}
