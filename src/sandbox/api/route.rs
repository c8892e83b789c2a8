//! What a path means.

use http::Method;

use crate::sandbox::kinds::Kind;
use crate::sandbox::status::Status;

/// The group whose only resource is another view of core Events.
pub(super) const EVENTS: &str = "events.k8s.io";
/// The groups besides core, in the order in which discovery tells them.
pub(super) const GROUPS: [&str; 4] = ["apps", EVENTS, "coordination.k8s.io", "discovery.k8s.io"];

pub(super) enum Route {
    Root,
    Health,
    Version,
    /// `/api`
    CoreVersions,
    /// `/apis`
    Groups,
    /// `/apis/GROUP`
    Group(&'static str),
    /// `/apis/GROUP/v1`, and `/api/v1` with the empty group.
    Resources(&'static str),
    OpenApiIndex,
    /// Group and version.
    OpenApi(String, String),
    Resource(Resource),
    Nowhere,
}

/// A collection of objects, one of them, or a part of one.
pub(super) struct Resource {
    pub kind: Kind,
    /// Events as events.k8s.io/v1 shows them.
    pub second_view: bool,
    pub namespace: Option<String>,
    pub name: Option<String>,
    pub sub: Option<String>,
    /// The path begins with `watch`, as it did of old.
    pub watch: bool,
}

impl Resource {
    /// `apps/v1`: as the path says it.
    pub(super) fn api_version(&self) -> String {
        if self.second_view { format!("{EVENTS}/v1") } else { self.kind.info().api_version() }
    }
}

/// # Errors
/// 404 where nothing is served, 405 where it is and not like this.
pub(super) fn route(path: &str, method: &Method) -> Result<Route, Status> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    Ok(match parts.as_slice() {
        [] => Route::Root,
        ["healthz" | "livez" | "readyz", ..] => Route::Health,
        ["version"] => Route::Version,
        ["api"] => Route::CoreVersions,
        ["apis"] => Route::Groups,
        ["openapi", "v3"] => Route::OpenApiIndex,
        ["openapi", "v3", "api", version] => Route::OpenApi(String::new(), (*version).to_owned()),
        ["openapi", "v3", "apis", group, version] => {
            Route::OpenApi((*group).to_owned(), (*version).to_owned())
        }
        ["api", "v1"] => Route::Resources(""),
        ["api", "v1", rest @ ..] => Route::Resource(resource("", rest, method)?),
        ["api", ..] => return Err(Status::no_resource()),
        ["apis", group, rest @ ..] => {
            let Some(group) = GROUPS.into_iter().find(|known| known == group) else {
                return Ok(Route::Nowhere);
            };
            match rest {
                [] => Route::Group(group),
                ["v1"] => Route::Resources(group),
                ["v1", rest @ ..] => Route::Resource(resource(group, rest, method)?),
                _ => return Err(Status::no_resource()),
            }
        }
        _ => Route::Nowhere,
    })
}

fn resource(group: &str, mut parts: &[&str], method: &Method) -> Result<Resource, Status> {
    let watch = parts.first() == Some(&"watch") && parts.len() > 1;
    if watch {
        parts = parts.get(1..).unwrap_or_default();
    }
    let (namespace, parts) = match parts {
        ["namespaces", namespace, rest @ ..]
            if !rest.is_empty() && !matches!(rest, ["status" | "finalize"]) =>
        {
            (Some((*namespace).to_owned()), rest)
        }
        _ => (None, parts),
    };
    let [plural, rest @ ..] = parts else { return Err(Status::no_resource()) };
    let kind = Kind::of_resource(group, plural).ok_or_else(Status::no_resource)?;
    let info = kind.info();
    let (name, sub) = match rest {
        [] => (None, None),
        [name] => (Some(*name), None),
        [name, sub] if info.subresources.contains(sub) => (Some(*name), Some(*sub)),
        _ => return Err(Status::no_resource()),
    };
    let everywhere = info.namespaced && namespace.is_none();
    if (!info.namespaced && namespace.is_some()) || (everywhere && name.is_some()) {
        return Err(Status::no_resource());
    }
    let allowed: &[Method] = match (name, sub) {
        _ if watch => &[Method::GET],
        (_, Some("binding")) => &[Method::POST],
        (_, Some("finalize")) => &[Method::PUT],
        (_, Some(_)) => &[Method::GET, Method::PUT, Method::PATCH],
        (Some(_), None) => &[Method::GET, Method::PUT, Method::PATCH, Method::DELETE],
        (None, None) if everywhere => &[Method::GET],
        (None, None) if kind == Kind::Namespace => &[Method::GET, Method::POST],
        (None, None) => &[Method::GET, Method::POST, Method::DELETE],
    };
    if !allowed.contains(method) {
        return Err(Status::no_method());
    }
    Ok(Resource {
        kind,
        second_view: group == EVENTS,
        namespace,
        name: name.map(str::to_owned),
        sub: sub.map(str::to_owned),
        watch,
    })
}
