//! One patch on both sides: the real API server applies it, and our code does, whose result the
//! real server is then asked to store in the place of the object. Both are dry runs, so that the same server
//! judges, defaults and prints both.

use endpointslice_controller::sandbox::{Kind, patch};
use http::{Method, Request};
use serde_json::{Value, json};

use super::support::Api;

pub const JSON: &str = "application/json-patch+json";
pub const MERGE: &str = "application/merge-patch+json";
pub const STRATEGIC: &str = "application/strategic-merge-patch+json";

/// What one side answered: the object, or code, reason and message.
#[derive(Debug, PartialEq)]
pub enum Answer {
    Object(Value),
    Refused(u64, String, String),
}

/// The path of an object, from what it says of itself.
pub fn path_of(kind: Kind, object: &Value) -> String {
    let info = kind.info();
    let root = if info.group.is_empty() { "/api".to_owned() } else { format!("/apis/{}", info.group) };
    let namespace = match object["metadata"]["namespace"].as_str() {
        Some(namespace) => format!("namespaces/{namespace}/"),
        None => String::new(),
    };
    let name = object["metadata"]["name"].as_str().map(|name| format!("/{name}")).unwrap_or_default();
    format!("{root}/{}/{namespace}{}{name}", info.version, info.plural)
}

/// The real server's answer to a patch.
pub async fn real(
    api: &Api,
    kind: Kind,
    object: &Value,
    subresource: &str,
    form: &str,
    patch: &[u8],
) -> Answer {
    send(api, Method::PATCH, kind, object, subresource, form, patch.to_vec()).await
}

/// Our answer to the same, as the real server sees it.
pub async fn ours(
    api: &Api,
    kind: Kind,
    object: &Value,
    subresource: &str,
    form: &str,
    patch: &[u8],
) -> Answer {
    match patch::apply(kind, form, object, patch) {
        Ok(patched) => {
            let body = patched.to_string().into_bytes();
            let answer = send(api, Method::PUT, kind, object, subresource, "application/json", body).await;
            match answer {
                // What a PUT cannot read is a bad request; after a patch it is told of the patch.
                Answer::Refused(400, _, message) if message.contains(" cannot be handled as a ") => {
                    let status = patch::unreadable(&patched, &message);
                    Answer::Refused(u64::from(status.code), status.reason.to_owned(), status.message)
                }
                answer => answer,
            }
        }
        Err(status) => Answer::Refused(u64::from(status.code), status.reason.to_owned(), status.message),
    }
}

async fn send(
    api: &Api,
    method: Method,
    kind: Kind,
    object: &Value,
    subresource: &str,
    form: &str,
    body: Vec<u8>,
) -> Answer {
    let path = format!("{}{subresource}?dryRun=All", path_of(kind, object));
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("accept", "application/json")
        .header("content-type", form)
        .body(body)
        .expect("a request");
    let answer = api.ask(request).await.expect("an answer");
    let mut value: Value = serde_json::from_slice(answer.body()).expect("JSON");
    if answer.status().is_success() {
        if let Some(metadata) = value["metadata"].as_object_mut() {
            metadata.remove("managedFields");
            metadata.remove("resourceVersion");
        }
        return Answer::Object(value);
    }
    assert_eq!(value["code"], json!(answer.status().as_u16()), "{value}");
    Answer::Refused(
        value["code"].as_u64().unwrap_or(0),
        value["reason"].as_str().unwrap_or_default().to_owned(),
        value["message"].as_str().unwrap_or_default().to_owned(),
    )
}
