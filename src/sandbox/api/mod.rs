//! The API over HTTP, as kube-apiserver speaks it
//! (<https://kubernetes.io/docs/reference/using-api/api-concepts/>): one task a connection, JSON only.

mod accept;
mod answer;
mod body;
mod connection;
mod discovery;
mod events;
mod list;
mod query;
mod remove;
mod route;
mod scale;
mod selector;
mod token;
mod watch;
mod write;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use http::request::Parts;
use hyper::body::Incoming;
use serde_json::json;
use tokio::sync::watch as signal;

use answer::Answer;
use query::Query;
use route::{Resource, Route};

pub(super) use connection::{Wire, serve};

use super::faults::{Fault, Faults};
use super::kinds::Kind;
use super::openapi;
use super::status::Status;
use super::store::{Key, Store};

/// What a request does with a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // Kubernetes' names
pub enum Verb {
    Get,
    List,
    Watch,
    Create,
    Update,
    Patch,
    Delete,
    DeleteCollection,
}

/// The connection is to be cut instead of an answer.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the connection is cut on purpose")]
pub(super) struct Cut;

/// Everything that answers need.
pub(super) struct Api {
    pub store: Arc<Store>,
    pub faults: Arc<Faults>,
    /// While it is true nothing is answered.
    pub paused: signal::Sender<bool>,
    /// True when watches are to end.
    pub ending: signal::Sender<bool>,
    pub address: SocketAddr,
}

/// A request whose body has been read.
struct Request {
    head: Parts,
    query: Query,
    body: bytes::Bytes,
}

impl Request {
    pub(super) fn header(&self, name: http::HeaderName) -> &str {
        self.head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Whether JSON is wanted in many lines.
    pub(super) fn pretty(&self) -> bool {
        match self.query.get("pretty") {
            Some(_) => self.query.flag("pretty").unwrap_or(true),
            None => ["curl", "Wget", "Mozilla"]
                .iter()
                .any(|agent| self.header(http::header::USER_AGENT).starts_with(agent)),
        }
    }
}

/// What a fault changes in an answer.
#[derive(Clone, Debug, Default)]
struct Bent {
    /// A list shows what stood at this version.
    stale: Option<u64>,
    /// The object of this name (any, where it is empty) is shown so that nobody can decode it.
    undecodable: Option<String>,
}

impl Api {
    /// Waits while the server is paused.
    pub(super) async fn unpaused(&self) {
        let mut paused = self.paused.subscribe();
        // The sender is ours.
        let _ = paused.wait_for(|paused| !*paused).await;
    }

    /// Answers a request, or says that its connection is to be cut.
    pub(super) async fn respond(
        self: &Arc<Self>,
        request: hyper::Request<Incoming>,
    ) -> Result<http::Response<answer::Body>, Cut> {
        self.unpaused().await;
        let (head, incoming) = request.into_parts();
        let query = Query::of(head.uri.query().unwrap_or_default());
        let body = match body::read(incoming).await {
            Ok(body) => body,
            Err(status) => return Ok(Answer::refusal(&status).response(false)),
        };
        self.unpaused().await;
        let request = Request { head, query, body };
        let pretty = request.pretty();
        let answer = match route::route(request.head.uri.path(), &request.head.method) {
            Ok(Route::Resource(resource)) => self.with_faults(&request, &resource).await?,
            Ok(other) => self.elsewhere(&request, &other).unwrap_or_else(|status| Answer::refusal(&status)),
            Err(status) => Answer::refusal(&status),
        };
        Ok(answer.response(pretty))
    }

    async fn with_faults(self: &Arc<Self>, request: &Request, resource: &Resource) -> Result<Answer, Cut> {
        let verb = match self.verb(request, resource) {
            Ok(verb) => verb,
            Err(status) => return Ok(Answer::refusal(&status)),
        };
        let faults = self.faults.take(verb, resource.kind, resource.name.as_deref());
        let mut bent = Bent::default();
        for fault in &faults {
            match fault {
                Fault::Delay(time) => tokio::time::sleep(*time).await,
                Fault::Refuse(refusal) => return Ok(Answer::refusal(&refusal.status())),
                Fault::ResetBefore => return Err(Cut),
                Fault::HalfOpen => return Ok(Answer::half_open()),
                Fault::Stale(version) => bent.stale = Some(*version),
                Fault::Undecodable(name) => bent.undecodable = Some(name.clone()),
                Fault::StoreThenRefuse(_) | Fault::ResetAfter | Fault::Truncate(_) => {}
            }
        }
        let mut answer = self.handle(request, resource, verb, &bent).unwrap_or_else(|status| {
            let status = if resource.second_view { events::refusal(status) } else { status };
            Answer::refusal(&status)
        });
        if resource.kind == Kind::Endpoints {
            answer.warnings.insert(
                0,
                "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice".into(),
            );
        }
        for fault in &faults {
            match fault {
                Fault::StoreThenRefuse(refusal) => return Ok(Answer::refusal(&refusal.status())),
                Fault::ResetAfter => return Err(Cut),
                Fault::Truncate(bytes) => answer.truncate(*bytes),
                _ => {}
            }
        }
        Ok(answer)
    }

    fn verb(&self, request: &Request, resource: &Resource) -> Result<Verb, Status> {
        let watched = resource.watch || request.query.flag("watch").unwrap_or(false);
        Ok(match (&request.head.method, resource.name.is_some()) {
            (&Method::GET, _) if resource.watch => Verb::Watch,
            (&Method::GET, true) => Verb::Get,
            (&Method::GET, false) if watched => Verb::Watch,
            (&Method::GET, false) => Verb::List,
            (&Method::POST, _) => Verb::Create,
            (&Method::PUT, _) => Verb::Update,
            (&Method::PATCH, _) => Verb::Patch,
            (&Method::DELETE, true) => Verb::Delete,
            (&Method::DELETE, false) => Verb::DeleteCollection,
            _ => return Err(Status::no_method()),
        })
    }

    fn handle(
        self: &Arc<Self>,
        request: &Request,
        resource: &Resource,
        verb: Verb,
        bent: &Bent,
    ) -> Result<Answer, Status> {
        match resource.sub.as_deref() {
            Some("scale") => return scale::scale(self, request, resource, verb),
            Some("binding") => return write::bind(self, request, resource),
            Some("finalize") => return write::finalize(self, request, resource),
            _ => {}
        }
        match verb {
            Verb::Get => list::get(self, request, resource, bent),
            Verb::List => list::list(self, request, resource, bent),
            Verb::Watch => watch::watch(self, request, resource, bent),
            Verb::Create => write::create(self, request, resource),
            Verb::Update => write::update(self, request, resource),
            Verb::Patch => write::patch(self, request, resource),
            Verb::Delete => remove::delete(self, request, resource),
            Verb::DeleteCollection => remove::collection(self, request, resource),
        }
    }

    /// What is no resource: versions, health, discovery.
    fn elsewhere(&self, request: &Request, route: &Route) -> Result<Answer, Status> {
        if request.head.method != Method::GET && !matches!(route, Route::Nowhere) {
            return Err(Status::no_method());
        }
        let accept = request.header(http::header::ACCEPT);
        Ok(match route {
            Route::Resource(_) => return Err(Status::no_resource()),
            Route::Nowhere => Answer::text(404, "404 page not found\n"),
            Route::Health => Answer::text(200, "ok"),
            Route::Root => Answer::json(200, &discovery::paths()),
            Route::Version => Answer::json(200, &discovery::version()),
            Route::CoreVersions | Route::Groups if accept::aggregated(accept) => {
                Answer::aggregated(&discovery::aggregated(matches!(route, Route::CoreVersions)))
            }
            Route::CoreVersions => Answer::json(
                200,
                &json!({
                    "kind": "APIVersions", "versions": ["v1"],
                    "serverAddressByClientCIDRs": [
                        {"clientCIDR": "0.0.0.0/0", "serverAddress": self.address.to_string()},
                    ],
                }),
            ),
            Route::Groups => Answer::json(200, &discovery::groups()),
            Route::Group(group) => Answer::json(200, &discovery::group(group)),
            Route::Resources(group) => Answer::json(200, &discovery::resources(group)),
            Route::OpenApiIndex => Answer::json(200, &openapi::index()),
            Route::OpenApi(group, version) => {
                let document = openapi::document(group, version).ok_or_else(Status::no_resource)?;
                Answer::json(200, &document)
            }
        })
    }

    /// The key of the object that a path names.
    fn key(resource: &Resource) -> Key {
        Key::new(
            resource.namespace.as_deref().unwrap_or_default(),
            resource.name.as_deref().unwrap_or_default(),
        )
    }
}

/// How long a watch lasts whose caller does not say, at least.
const SHORTEST_WATCH: Duration = Duration::from_secs(1800);
