//! What is measured of our requests to the API server, under the names that client-go uses, so that
//! dashboards made for kube-controller-manager go on working; and of the leader election.
//!
//! Requests are counted in a layer around the client, so that none can be forgotten. `verb` and
//! `method` are the HTTP method. A watch is counted when it was answered and has no duration.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Method, Request, Response};
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};
use tokio::time::Instant;
use tower::{Layer, Service};

const SECONDS: [f64; 12] = [0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0];

/// The metrics `rest_client_*` and `leader_election_*`.
#[derive(Clone, Debug)]
pub struct RequestMetrics {
    requests: IntCounterVec,
    durations: HistogramVec,
    waits: HistogramVec,
    master: IntGaugeVec,
    slowpath: IntCounterVec,
}

/// The metrics of requests to one host. As a [`Layer`] it measures every request of a client.
#[derive(Clone, Debug)]
pub struct HostMetrics(Arc<Host>);

#[derive(Debug)]
struct Host {
    name: String,
    metrics: RequestMetrics,
    // One child a method, looked up once.
    durations: [(Method, Histogram); 5],
}

/// The metrics of one Lease.
#[derive(Clone, Debug)]
pub struct LeaseMetrics {
    pub(crate) master: IntGauge,
    pub(crate) slowpath: IntCounter,
}

/// A client's service with its requests measured.
#[derive(Clone, Debug)]
pub struct Measured<S> {
    inner: S,
    host: HostMetrics,
}

impl RequestMetrics {
    /// Registers the metrics.
    ///
    /// # Errors
    /// When one of the names is registered already.
    pub fn new(registry: &Registry) -> Result<RequestMetrics, prometheus::Error> {
        let metrics = RequestMetrics {
            requests: IntCounterVec::new(
                Opts::new(
                    "rest_client_requests_total",
                    "Requests to the API server by status code, method and host.",
                ),
                &["code", "method", "host"],
            )?,
            durations: seconds(
                "rest_client_request_duration_seconds",
                "Time from sending a request to its answer, by verb and host.",
            )?,
            waits: seconds(
                "rest_client_rate_limiter_duration_seconds",
                "Time that requests waited for our own rate limit, by verb and host.",
            )?,
            master: IntGaugeVec::new(
                Opts::new(
                    "leader_election_master_status",
                    "Whether this process holds the lease: 1 leader, 0 standby. Group by name.",
                ),
                &["name"],
            )?,
            slowpath: IntCounterVec::new(
                Opts::new(
                    "leader_election_slowpath_total",
                    "Renewals of the lease that had to read it first. Group by name.",
                ),
                &["name"],
            )?,
        };
        registry.register(Box::new(metrics.requests.clone()))?;
        registry.register(Box::new(metrics.durations.clone()))?;
        registry.register(Box::new(metrics.waits.clone()))?;
        registry.register(Box::new(metrics.master.clone()))?;
        registry.register(Box::new(metrics.slowpath.clone()))?;
        Ok(metrics)
    }

    /// The metrics of requests to this host, with port where the URL has one.
    pub fn host(&self, name: &str) -> HostMetrics {
        let child = |method: Method| {
            let histogram = self.durations.with_label_values(&[method.as_str(), name]);
            (method, histogram)
        };
        let durations = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE].map(child);
        HostMetrics(Arc::new(Host { name: name.to_owned(), metrics: self.clone(), durations }))
    }

    /// The metrics of the lease of this name; the gauge shows 0 from now on.
    pub fn lease(&self, name: &str) -> LeaseMetrics {
        LeaseMetrics {
            master: self.master.with_label_values(&[name]),
            slowpath: self.slowpath.with_label_values(&[name]),
        }
    }
}

fn seconds(name: &str, help: &str) -> Result<HistogramVec, prometheus::Error> {
    HistogramVec::new(HistogramOpts::new(name, help).buckets(SECONDS.to_vec()), &["verb", "host"])
}

impl HostMetrics {
    /// Counts a request that waited this long for the rate limit.
    pub fn waited(&self, method: &Method, wait: Duration) {
        let host = &*self.0;
        host.metrics.waits.with_label_values(&[method.as_str(), &host.name]).observe(wait.as_secs_f64());
    }

    fn answered(&self, method: &Method, code: &str) {
        self.0.metrics.requests.with_label_values(&[code, method.as_str(), &self.0.name]).inc();
    }

    fn took(&self, method: &Method, time: Duration) {
        match self.0.durations.iter().find(|(known, _)| known == method) {
            Some((_, histogram)) => histogram.observe(time.as_secs_f64()),
            None => self
                .0
                .metrics
                .durations
                .with_label_values(&[method.as_str(), &self.0.name])
                .observe(time.as_secs_f64()),
        }
    }
}

impl<S> Layer<S> for HostMetrics {
    type Service = Measured<S>;

    fn layer(&self, inner: S) -> Measured<S> {
        Measured { inner, host: self.clone() }
    }
}

impl<S, A, B> Service<Request<A>> for Measured<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    S::Future: Send + 'static,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<B>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let watch = request.uri().query().is_some_and(|query| query.split('&').any(is_watch));
        let open = Open {
            host: self.host.clone(),
            method: request.method().clone(),
            since: (!watch).then(Instant::now),
            code: None,
        };
        let answer = self.inner.call(request);
        Box::pin(async move {
            // The whole of it is moved in, so that it is dropped, and counted, with this future.
            let mut open = open;
            let answer = answer.await;
            open.code = answer.as_ref().ok().map(|response| response.status().as_u16());
            answer
        })
    }
}

fn is_watch(pair: &str) -> bool {
    matches!(pair, "watch=true" | "watch=1")
}

/// A request that is under way. It is counted when this is dropped, so that one that was given up
/// (its time limit ran out) is counted too.
struct Open {
    host: HostMetrics,
    method: Method,
    since: Option<Instant>,
    code: Option<u16>,
}

impl Drop for Open {
    fn drop(&mut self) {
        match self.code {
            Some(code) => self.host.answered(&self.method, &code.to_string()),
            None => self.host.answered(&self.method, "<error>"),
        }
        if let Some(since) = self.since {
            self.host.took(&self.method, since.elapsed());
        }
    }
}

#[cfg(test)]
mod tests {
    use prometheus::{Encoder, TextEncoder};
    use tower::ServiceExt;

    use super::*;

    fn text(registry: &Registry) -> String {
        let mut out = Vec::new();
        TextEncoder::new().encode(&registry.gather(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn get(path: &str) -> Request<()> {
        Request::get(path).body(()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn requests_are_counted_under_the_names_of_client_go() {
        let registry = Registry::new();
        let host = RequestMetrics::new(&registry).unwrap().host("10.0.0.1:6443");
        let server = tower::service_fn(|request: Request<()>| async move {
            tokio::time::sleep(Duration::from_secs(3)).await;
            match request.uri().path() {
                "/broken" => Err("connection reset"),
                "/missing" => Ok(Response::builder().status(404).body(()).unwrap()),
                _ => Ok(Response::new(())),
            }
        });
        let client = host.layer(server);
        client.clone().oneshot(get("/fine")).await.unwrap();
        client.clone().oneshot(get("/missing")).await.unwrap();
        client.clone().oneshot(get("/broken")).await.unwrap_err();
        client.clone().oneshot(get("/fine?watch=1")).await.unwrap();
        let given_up = tokio::time::timeout(Duration::from_secs(1), client.oneshot(get("/fine"))).await;
        given_up.unwrap_err();
        host.waited(&Method::PUT, Duration::from_millis(20));

        let text = text(&registry);
        for line in [
            r#"rest_client_requests_total{code="200",host="10.0.0.1:6443",method="GET"} 2"#,
            r#"rest_client_requests_total{code="404",host="10.0.0.1:6443",method="GET"} 1"#,
            r#"rest_client_requests_total{code="<error>",host="10.0.0.1:6443",method="GET"} 2"#,
            r#"rest_client_request_duration_seconds_bucket{host="10.0.0.1:6443",verb="GET",le="2"} 1"#,
            r#"rest_client_request_duration_seconds_bucket{host="10.0.0.1:6443",verb="GET",le="4"} 4"#,
            r#"rest_client_request_duration_seconds_count{host="10.0.0.1:6443",verb="GET"} 4"#,
            r#"rest_client_rate_limiter_duration_seconds_bucket{host="10.0.0.1:6443",verb="PUT",le="0.025"} 1"#,
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn a_standby_shows_0_from_the_start() {
        let registry = Registry::new();
        let metrics = RequestMetrics::new(&registry).unwrap();
        let lease = metrics.lease("endpointslice-controller");
        assert!(
            text(&registry).contains(r#"leader_election_master_status{name="endpointslice-controller"} 0"#)
        );
        lease.master.set(1);
        lease.slowpath.inc();
        let text = text(&registry);
        assert!(text.contains(r#"leader_election_master_status{name="endpointslice-controller"} 1"#));
        assert!(text.contains(r#"leader_election_slowpath_total{name="endpointslice-controller"} 1"#));
    }

    #[test]
    fn the_same_registry_cannot_hold_them_twice() {
        let registry = Registry::new();
        RequestMetrics::new(&registry).unwrap();
        assert!(RequestMetrics::new(&registry).is_err());
    }
}
