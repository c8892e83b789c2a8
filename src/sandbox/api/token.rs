//! `continue`: where a list in pages goes on. Base64 of `{"v":"meta.k8s.io/v1","rv":581,"start":"/e2\u0000"}`,
//! as kube-apiserver makes them.

use serde_json::{Value, json};

use crate::sandbox::status::Status;
use crate::sandbox::store::Key;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

pub(super) struct Token {
    /// `None`: whatever stands now.
    pub version: Option<u64>,
    /// The last object of the page before.
    pub after: Key,
}

impl Token {
    /// The token's text, for a list of one namespace or of all.
    pub(super) fn encode(&self, namespace: Option<&str>) -> String {
        let start = match namespace {
            Some(_) => format!("/{}\0", self.after.name),
            None if self.after.namespace.is_empty() => format!("/{}\0", self.after.name),
            None => format!("/{}/{}\0", self.after.namespace, self.after.name),
        };
        let version = self.version.map_or(json!(-1), Value::from);
        // The real one has its fields in this order.
        base64(format!("{{\"v\":\"meta.k8s.io/v1\",\"rv\":{version},\"start\":{}}}", json!(start)).as_bytes())
    }

    /// # Errors
    /// 400 for a text that is no token.
    pub(super) fn decode(text: &str, namespace: Option<&str>) -> Result<Token, Status> {
        let wrong = |why: &str| {
            Status::bad_request(format!("invalid continue token: continue key is not valid: {why}"))
        };
        let bytes = unbase64(text).ok_or_else(|| wrong("illegal base64 data"))?;
        let value: Value = serde_json::from_slice(&bytes)
            .map_err(|error| wrong(&crate::sandbox::patch::syntax(&bytes, &error)))?;
        if value["v"] != "meta.k8s.io/v1" {
            return Err(wrong("server does not recognize this encoded version"));
        }
        let start = value["start"].as_str().unwrap_or_default();
        let start = start.trim_start_matches('/').trim_end_matches('\0');
        let after = match (namespace, start.split_once('/')) {
            (Some(namespace), None) => Key::new(namespace, start),
            (None, Some((namespace, name))) => Key::new(namespace, name),
            (None, None) => Key::new("", start),
            (Some(_), Some(_)) => return Err(wrong("it belongs to another list")),
        };
        let version = match value["rv"].as_i64() {
            Some(-1) => None,
            Some(version @ 1..) => Some(version.unsigned_abs()),
            _ => return Err(wrong("incorrect encoded start resourceVersion (version meta.k8s.io/v1)")),
        };
        Ok(Token { version, after })
    }
}

fn base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits =
            three.iter().fold(0u32, |bits, byte| (bits << 8) | u32::from(*byte)) << (8 * (3 - three.len()));
        for place in 0..=three.len() {
            let sextet = (bits >> (18 - 6 * place)) & 0x3f;
            text.push(char::from(ALPHABET[sextet as usize]));
        }
    }
    text
}

fn unbase64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for four in text.trim_end_matches('=').as_bytes().chunks(4) {
        let mut bits = 0u32;
        for letter in four {
            let sextet = ALPHABET.iter().position(|other| other == letter)?;
            bits = (bits << 6) | u32::try_from(sextet).ok()?;
        }
        if four.len() == 1 {
            return None;
        }
        bits <<= 6 * (4 - four.len());
        let all = bits.to_be_bytes();
        bytes.extend_from_slice(all.get(1..four.len())?);
    }
    Some(bytes)
}
