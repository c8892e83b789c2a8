//! Who may scrape: TokenReview says who the bearer of a token is, SubjectAccessReview what they may.
//!
//! Answers are kept for ten seconds, so that a scrape every few seconds does not ask each time and a
//! withdrawn permission is not honoured for long.

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, UserInfo};
use k8s_openapi::api::authorization::v1::{
    NonResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
};
use kube::Client;
use kube::api::{Api, PostParams};
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use crate::serve::{Decision, ScrapeAuth};

const KEPT_FOR: Duration = Duration::from_secs(10);
const KEPT_AT_MOST: usize = 128;
// Whoever sends forged tokens must not have us flood the API server.
const ASKED_AT_ONCE: usize = 4;
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
const LONGEST_TOKEN: usize = 8 * 1024;

/// Asks the API server who may scrape.
pub struct ScrapeReviews {
    client: Client,
    kept: Mutex<HashMap<Question, Kept, foldhash::fast::RandomState>>,
    places: Semaphore,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Question {
    token: Arc<str>,
    path: Arc<str>,
    verb: Arc<str>,
}

#[derive(Clone, Copy)]
struct Kept {
    decision: Decision,
    until: Instant,
}

impl ScrapeReviews {
    /// Asks with this client, which needs `create` on tokenreviews and subjectaccessreviews.
    pub fn new(client: Client) -> ScrapeReviews {
        ScrapeReviews { client, kept: Mutex::default(), places: Semaphore::new(ASKED_AT_ONCE) }
    }

    async fn decide(&self, question: Question) -> Result<Decision, String> {
        if let Some(decision) = self.kept(&question) {
            return Ok(decision);
        }
        // The semaphore is never closed.
        let Ok(_place) = self.places.acquire().await else { return Ok(Decision::Denied) };
        // Somebody else may have asked the same while this one waited.
        if let Some(decision) = self.kept(&question) {
            return Ok(decision);
        }
        let decision = timeout(ANSWER_TIMEOUT, self.ask(&question))
            .await
            .map_err(|_| format!("no answer to a review within {} s", ANSWER_TIMEOUT.as_secs()))??;
        self.keep(question, decision);
        Ok(decision)
    }

    fn kept(&self, question: &Question) -> Option<Decision> {
        let kept = *self.kept.lock().get(question)?;
        (Instant::now() < kept.until).then_some(kept.decision)
    }

    fn keep(&self, question: Question, decision: Decision) {
        let now = Instant::now();
        let mut kept = self.kept.lock();
        if kept.len() >= KEPT_AT_MOST {
            kept.retain(|_, answer| now < answer.until);
        }
        // Full of answers that still hold: this one is asked again next time.
        if kept.len() < KEPT_AT_MOST {
            kept.insert(question, Kept { decision, until: now + KEPT_FOR });
        }
    }

    async fn ask(&self, question: &Question) -> Result<Decision, String> {
        let Some(user) = self.who(&question.token).await? else { return Ok(Decision::Unauthenticated) };
        let review = SubjectAccessReview {
            spec: SubjectAccessReviewSpec {
                user: user.username,
                groups: user.groups,
                uid: user.uid,
                extra: user.extra,
                non_resource_attributes: Some(NonResourceAttributes {
                    path: Some(question.path.to_string()),
                    verb: Some(question.verb.to_string()),
                }),
                ..SubjectAccessReviewSpec::default()
            },
            ..SubjectAccessReview::default()
        };
        let answer = Api::<SubjectAccessReview>::all(self.client.clone())
            .create(&PostParams::default(), &review)
            .await
            .map_err(|error| not_answered("SubjectAccessReview", &error))?;
        match answer.status {
            Some(status) if status.allowed && status.denied != Some(true) => Ok(Decision::Allowed),
            _ => Ok(Decision::Denied),
        }
    }

    async fn who(&self, token: &str) -> Result<Option<UserInfo>, String> {
        let review = TokenReview {
            spec: TokenReviewSpec { token: token.to_owned(), ..TokenReviewSpec::default() },
            ..TokenReview::default()
        };
        let answer = Api::<TokenReview>::all(self.client.clone())
            .create(&PostParams::default(), &review)
            .await
            .map_err(|error| not_answered("TokenReview", &error))?;
        Ok(answer.status.filter(|status| status.authenticated == Some(true)).and_then(|status| status.user))
    }
}

fn not_answered(what: &str, error: &dyn Display) -> String {
    format!("{what} was not answered: {error}")
}

impl ScrapeAuth for ScrapeReviews {
    fn allowed<'a>(
        &'a self,
        token: &'a str,
        path: &'a str,
        verb: &'a str,
    ) -> BoxFuture<'a, Result<Decision, String>> {
        if token.len() > LONGEST_TOKEN {
            return std::future::ready(Ok(Decision::Unauthenticated)).boxed();
        }
        self.decide(Question { token: token.into(), path: path.into(), verb: verb.into() }).boxed()
    }
}

#[cfg(test)]
mod tests {
    use http::{Request, Response, StatusCode};
    use http_body_util::BodyExt;
    use kube::client::Body;
    use serde_json::{Value, json};
    use tokio::time::advance;

    use super::*;

    type Asked = Arc<Mutex<Vec<(String, Value)>>>;

    /// An API server that knows two tokens, and fails for a third.
    fn server() -> (ScrapeReviews, Asked) {
        let asked = Asked::default();
        let log = Arc::clone(&asked);
        let service = tower::service_fn(move |request: Request<Body>| {
            let log = Arc::clone(&log);
            async move {
                let path = request.uri().path().to_owned();
                let body = request.into_body().collect().await.unwrap().to_bytes();
                let review: Value = serde_json::from_slice(&body).unwrap();
                log.lock().push((path.clone(), review.clone()));
                let status = match path.as_str() {
                    "/apis/authentication.k8s.io/v1/tokenreviews" => who(&review),
                    "/apis/authorization.k8s.io/v1/subjectaccessreviews" => Some(json!({
                        "allowed": review["spec"]["user"] == "prometheus",
                    })),
                    _ => None,
                };
                if review["spec"]["token"] == "slow" {
                    std::future::pending::<()>().await;
                }
                let (code, body) = match status {
                    Some(status) => (StatusCode::CREATED, merge(review, status)),
                    None => (StatusCode::SERVICE_UNAVAILABLE, json!({ "kind": "Status", "code": 503 })),
                };
                let body = Body::from(serde_json::to_vec(&body).unwrap());
                Ok::<_, std::io::Error>(Response::builder().status(code).body(body).unwrap())
            }
        });
        (ScrapeReviews::new(Client::new(service, "default")), asked)
    }

    fn who(review: &Value) -> Option<Value> {
        match review["spec"]["token"].as_str().unwrap() {
            "outage" => None,
            name @ ("prometheus" | "tenant") => {
                Some(json!({ "authenticated": true, "user": { "username": name, "groups": ["g"] } }))
            }
            _ => Some(json!({ "error": "unknown token" })),
        }
    }

    fn merge(mut review: Value, status: Value) -> Value {
        review["status"] = status;
        review
    }

    async fn allowed(reviews: &ScrapeReviews, token: &str) -> Result<Decision, String> {
        reviews.allowed(token, "/metrics", "get").await
    }

    #[tokio::test(start_paused = true)]
    async fn the_api_server_decides_who_may_scrape() {
        let (reviews, asked) = server();
        assert_eq!(allowed(&reviews, "prometheus").await, Ok(Decision::Allowed));
        assert_eq!(allowed(&reviews, "tenant").await, Ok(Decision::Denied));
        assert_eq!(allowed(&reviews, "forged").await, Ok(Decision::Unauthenticated));
        let asked = asked.lock();
        let spec = &asked[1].1["spec"];
        assert_eq!(spec["nonResourceAttributes"], json!({ "path": "/metrics", "verb": "get" }));
        assert_eq!((&spec["user"], &spec["groups"]), (&json!("prometheus"), &json!(["g"])));
        assert_eq!(asked.len(), 5, "who is not known is not asked about further");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_kept_for_ten_seconds_and_a_failure_is_not() {
        let (reviews, asked) = server();
        for (after, asked_so_far) in [(0, 2), (9, 2), (2, 4)] {
            advance(Duration::from_secs(after)).await;
            assert_eq!(allowed(&reviews, "prometheus").await, Ok(Decision::Allowed));
            assert_eq!(asked.lock().len(), asked_so_far);
        }
        for _ in 0..2 {
            let error = allowed(&reviews, "outage").await.unwrap_err();
            assert!(error.starts_with("TokenReview was not answered: "), "{error}");
        }
        assert_eq!(asked.lock().len(), 6);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_kept_is_bounded_and_a_token_of_any_length_is_not_passed_on() {
        let (reviews, asked) = server();
        for n in 0..KEPT_AT_MOST + 20 {
            allowed(&reviews, &format!("forged-{n}")).await.unwrap();
        }
        assert_eq!(reviews.kept.lock().len(), KEPT_AT_MOST);
        advance(KEPT_FOR).await;
        allowed(&reviews, "prometheus").await.unwrap();
        assert_eq!(reviews.kept.lock().len(), 1);
        let before = asked.lock().len();
        let endless = "x".repeat(LONGEST_TOKEN + 1);
        assert_eq!(allowed(&reviews, &endless).await, Ok(Decision::Unauthenticated));
        assert_eq!(asked.lock().len(), before);
    }

    #[tokio::test(start_paused = true)]
    async fn an_api_server_that_does_not_answer_is_an_error_in_time() {
        let (reviews, _) = server();
        let error = allowed(&reviews, "slow").await.unwrap_err();
        assert_eq!(error, "no answer to a review within 10 s");
    }
}
