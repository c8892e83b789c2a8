//! A client that hides nothing: one connection a request, status, headers and body as they come.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use endpointslice_controller::sandbox::Sandbox;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::wait::SOON;

pub const ENDPOINTS: &str = "/api/v1/namespaces/default/endpoints";
pub const PODS: &str = "/api/v1/namespaces/default/pods";
pub const SERVICES: &str = "/api/v1/namespaces/default/services";
pub const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/default/leases";
pub const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";

/// A sandbox and what is said to it.
pub struct Scene {
    pub sandbox: Sandbox,
}

#[derive(Debug)]
pub struct Answer {
    pub code: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    pub fn headers(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_str()).collect()
    }

    /// Code and message of a refusal.
    #[track_caller]
    pub fn refused(&self, code: u16, message: &str) -> &Answer {
        assert_eq!((self.code, self.json()["message"].as_str().unwrap_or_default()), (code, message));
        self
    }

    #[track_caller]
    pub fn ok(&self) -> Value {
        assert!(self.code < 300, "{}: {}", self.code, self.body);
        self.json()
    }
}

impl Scene {
    pub async fn start() -> Scene {
        Scene { sandbox: Sandbox::start(loopback()).await.expect("start a sandbox") }
    }

    pub async fn try_ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> io::Result<Answer> {
        let all = self.open(method, path, headers, body).await?.whole();
        timeout(SOON, all).await.expect("an answer in time")
    }

    pub async fn ask(&self, method: &str, path: &str, body: &str) -> Answer {
        let headers: &[(&str, &str)] =
            if body.is_empty() { &[] } else { &[("content-type", "application/json")] };
        self.try_ask(method, path, headers, body).await.expect("an answer")
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "").await
    }

    pub async fn accept(&self, path: &str, accept: &str) -> Answer {
        self.try_ask("GET", path, &[("accept", accept)], "").await.expect("an answer")
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask("POST", path, &body.to_string()).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.ask("PUT", path, &body.to_string()).await
    }

    /// A JSON merge patch.
    pub async fn merge(&self, path: &str, body: Value) -> Answer {
        let headers = [("content-type", "application/merge-patch+json")];
        self.try_ask("PATCH", path, &headers, &body.to_string()).await.expect("an answer")
    }

    pub async fn delete(&self, path: &str, options: Value) -> Answer {
        let body = if options.is_null() { String::new() } else { options.to_string() };
        self.ask("DELETE", path, &body).await
    }

    /// Stores Endpoints of this name and gives their version.
    pub async fn endpoints(&self, name: &str, labels: Value) -> u64 {
        let body = json!({"metadata": {"name": name, "labels": labels}});
        version(&self.post(ENDPOINTS, body).await.ok())
    }

    /// Sends a request and reads the head of its answer.
    pub async fn open(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> io::Result<Reading> {
        let mut stream = TcpStream::connect(self.sandbox.address()).await?;
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: sandbox\r\nconnection: close\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() {
            head.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        stream.write_all(format!("{head}\r\n{body}").as_bytes()).await?;
        let mut stream = BufReader::new(stream);
        let head = timeout(SOON, read_head(&mut stream)).await.expect("the head of an answer in time")?;
        Ok(Reading { code: head.0, headers: head.1, stream })
    }

    /// Opens a watch; it must begin well.
    pub async fn watch(&self, path: &str, query: &str) -> Reading {
        let path = format!("{path}?watch=true&{query}");
        let reading = self.open("GET", &path, &[], "").await.expect("a watch");
        assert_eq!(reading.code, 200);
        reading
    }
}

pub fn loopback() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

pub fn version(object: &Value) -> u64 {
    object["metadata"]["resourceVersion"].as_str().and_then(|text| text.parse().ok()).expect("a version")
}

/// The names of a list's objects.
pub fn names(list: &Value) -> Vec<String> {
    let items = list["items"].as_array().expect("items");
    items.iter().map(|item| item["metadata"]["name"].as_str().unwrap_or_default().to_owned()).collect()
}

async fn read_head(stream: &mut BufReader<TcpStream>) -> io::Result<(u16, Vec<(String, String)>)> {
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let code = line.split(' ').nth(1).and_then(|code| code.parse().ok());
    let code = code.ok_or(io::Error::from(io::ErrorKind::UnexpectedEof))?;
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { return Ok((code, headers)) };
        headers.push((name.to_owned(), value.to_owned()));
    }
}

/// An answer that is being read.
pub struct Reading {
    pub code: u16,
    pub headers: Vec<(String, String)>,
    stream: BufReader<TcpStream>,
}

impl Reading {
    fn chunked(&self) -> bool {
        self.headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked")
    }

    /// The next chunk; empty at the end.
    async fn chunk(&mut self) -> io::Result<Vec<u8>> {
        let mut size = String::new();
        self.stream.read_line(&mut size).await?;
        let size = usize::from_str_radix(size.trim(), 16)
            .map_err(|_| io::Error::from(io::ErrorKind::UnexpectedEof))?;
        let mut bytes = vec![0; size + 2];
        self.stream.read_exact(&mut bytes).await?;
        bytes.truncate(size);
        Ok(bytes)
    }

    async fn whole(mut self) -> io::Result<Answer> {
        let mut body = Vec::new();
        if self.chunked() {
            loop {
                let chunk = self.chunk().await?;
                if chunk.is_empty() {
                    break;
                }
                body.extend(chunk);
            }
        } else {
            let length = self.headers.iter().find(|(name, _)| name == "content-length");
            let length: usize = length.and_then(|(_, value)| value.parse().ok()).unwrap_or(0);
            body.resize(length, 0);
            self.stream.read_exact(&mut body).await?;
        }
        let body = String::from_utf8(body).expect("text");
        Ok(Answer { code: self.code, headers: self.headers, body })
    }

    /// The events that come until `count` of them are there.
    pub async fn events(&mut self, count: usize) -> Vec<Value> {
        let mut text = String::new();
        while text.matches('\n').count() < count {
            let chunk = timeout(SOON, self.chunk()).await.unwrap_or_else(|_| panic!("only: {text}"));
            let chunk = chunk.unwrap_or_else(|error| panic!("{error} after: {text}"));
            assert!(!chunk.is_empty(), "the end after: {text}");
            text.push_str(std::str::from_utf8(&chunk).expect("text"));
        }
        let events: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).expect("an event")).collect();
        assert_eq!(events.len(), count, "{text}");
        events
    }

    /// What comes until the stream ends: the events, and the error when it was cut.
    pub async fn rest(mut self) -> (Vec<Value>, io::Result<()>) {
        let mut text = String::new();
        let end = loop {
            match timeout(SOON, self.chunk()).await.expect("an end in time") {
                Ok(chunk) if chunk.is_empty() => break Ok(()),
                Ok(chunk) => text.push_str(std::str::from_utf8(&chunk).expect("text")),
                Err(error) => break Err(error),
            }
        };
        (text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect(), end)
    }

    /// Nothing comes in this time; only for what must not happen.
    pub async fn silent(&mut self, time: Duration) -> bool {
        timeout(time, self.chunk()).await.is_err()
    }
}

/// Types and names of events: `ADDED a`.
pub fn summary(events: &[Value]) -> Vec<String> {
    events
        .iter()
        .map(|event| {
            let name = event["object"]["metadata"]["name"].as_str().unwrap_or_default();
            format!("{} {name}", event["type"].as_str().unwrap_or_default()).trim_end().to_owned()
        })
        .collect()
}
