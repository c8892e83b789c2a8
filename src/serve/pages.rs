//! Which path gives which page.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use http_body_util::Full;
use prometheus::{Registry, TEXT_FORMAT, TextEncoder};

use super::auth::{Decision, ScrapeAuth};
use super::health::{self, Check};

const PATHS: [&str; 4] = ["/healthz", "/livez", "/metrics", "/readyz"];
const TEXT: &str = "text/plain; charset=utf-8";

/// All that is served.
pub struct Site {
    registry: Registry,
    live: Vec<Check>,
    ready: Vec<Check>,
    auth: Option<Arc<dyn ScrapeAuth>>,
    refresh: Box<dyn Fn() + Send + Sync>,
}

impl Site {
    /// A site with the metrics of this registry, healthy as long as it answers.
    pub fn new(registry: Registry) -> Site {
        let (live, ready) = (vec![Check::ping()], vec![Check::ping()]);
        Site { registry, live, ready, auth: None, refresh: Box::new(|| {}) }
    }

    /// Asks this check on `/livez` and `/healthz`.
    #[must_use]
    pub fn live(mut self, check: Check) -> Site {
        self.live.push(check);
        self
    }

    /// Asks this check on `/readyz`.
    #[must_use]
    pub fn ready(mut self, check: Check) -> Site {
        self.ready.push(check);
        self
    }

    /// Asks for every request of `/metrics` whether its bearer may. Health pages stay open.
    #[must_use]
    pub fn auth(mut self, auth: Arc<dyn ScrapeAuth>) -> Site {
        self.auth = Some(auth);
        self
    }

    /// Does this before each reading of `/metrics`: it brings up to date what would be costly to keep so.
    #[must_use]
    pub fn before_metrics(mut self, refresh: impl Fn() + Send + Sync + 'static) -> Site {
        self.refresh = Box::new(refresh);
        self
    }

    /// Answers one request.
    pub(super) async fn answer(&self, request: &Parts) -> Response<Full<Bytes>> {
        if request.method != Method::GET && request.method != Method::HEAD {
            let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are answered\n");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        let path = request.uri.path();
        let query = request.uri.query().unwrap_or_default();
        match path.strip_suffix('/').unwrap_or(path) {
            "/metrics" => match self.refuse(request).await {
                Some(refusal) => refusal,
                None => self.metrics(),
            },
            "/livez" => health_page("livez", &self.live, query),
            "/readyz" => health_page("readyz", &self.ready, query),
            "/healthz" => health_page("healthz", &self.live, query),
            _ => text(
                StatusCode::NOT_FOUND,
                format!("{path} is not served here; what is: {}\n", PATHS.join(" ")),
            ),
        }
    }

    fn metrics(&self) -> Response<Full<Bytes>> {
        (self.refresh)();
        match TextEncoder::new().encode_to_string(&self.registry.gather()) {
            Ok(page) => {
                let mut response = text(StatusCode::OK, page);
                response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(TEXT_FORMAT));
                response
            }
            Err(error) => {
                tracing::error!("metrics cannot be written as text: {error}");
                text(StatusCode::INTERNAL_SERVER_ERROR, "metrics cannot be written as text\n")
            }
        }
    }

    // The answer to somebody who may not scrape; `None` for who may.
    async fn refuse(&self, request: &Parts) -> Option<Response<Full<Bytes>>> {
        let auth = self.auth.as_ref()?;
        let decision = match bearer(request) {
            None => Ok(Decision::Unauthenticated),
            Some(token) => auth.allowed(token, "/metrics", "get").await,
        };
        match decision {
            Ok(Decision::Allowed) => None,
            Ok(Decision::Unauthenticated) => {
                let mut response = text(StatusCode::UNAUTHORIZED, "a valid bearer token is required\n");
                response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
                Some(response)
            }
            Ok(Decision::Denied) => {
                Some(text(StatusCode::FORBIDDEN, "the bearer of this token may not get /metrics\n"))
            }
            Err(error) => {
                tracing::warn!("cannot ask who may scrape /metrics: {error}");
                Some(text(StatusCode::INTERNAL_SERVER_ERROR, "cannot ask the API server who may scrape\n"))
            }
        }
    }
}

fn bearer(request: &Parts) -> Option<&str> {
    let (scheme, token) = request.headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

fn health_page(title: &str, checks: &[Check], query: &str) -> Response<Full<Bytes>> {
    let mut verbose = false;
    let mut excluded = Vec::new();
    for pair in query.split('&') {
        match pair.split_once('=').unwrap_or((pair, "")) {
            ("verbose", _) => verbose = true,
            ("exclude", name) => excluded.push(name),
            _ => {}
        }
    }
    let (healthy, page) = health::page(title, checks, verbose, &excluded);
    let mut response = text(if healthy { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR }, page);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn text(status: StatusCode, page: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(page.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(TEXT));
    response.headers_mut().insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    response
}
