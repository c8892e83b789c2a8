//! The requests that a stream makes: their addresses and what they accept.

use std::fmt::Write;

use super::StreamConfig;
use crate::kubeapi::decode::{EITHER, JSON};
use crate::model::Version;

// Whoever cannot strip objects sends them whole: their metadata is read all the same.
const METADATA_LIST: &str =
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";
const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";
const PROTOBUF_METADATA_LIST: &str = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,\
     application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";
const PROTOBUF_METADATA: &str = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,\
     application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";

/// How fresh a list has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fresh {
    /// The newest state there is, by quorum.
    Consistent,
    /// Any state that is not older; any API server's cache will do. Never 0.
    NotOlderThan(Version),
}

/// Which part of a list is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Page {
    /// The first one.
    First,
    /// The one after the page that gave this token.
    Next(String),
    /// All in one piece.
    Whole,
}

impl StreamConfig {
    /// What a list accepts.
    pub(super) fn list_accept(&self, protobuf: bool) -> &'static str {
        match (self.metadata_only, protobuf) {
            (true, true) => PROTOBUF_METADATA_LIST,
            (true, false) => METADATA_LIST,
            (false, true) => EITHER,
            (false, false) => JSON,
        }
    }

    /// What a watch accepts.
    pub(super) fn watch_accept(&self, protobuf: bool) -> &'static str {
        match (self.metadata_only, protobuf) {
            (true, true) => PROTOBUF_METADATA,
            (true, false) => METADATA,
            (false, true) => EITHER,
            (false, false) => JSON,
        }
    }

    /// The address of one page.
    pub(super) fn list_uri(&self, fresh: Fresh, page: &Page) -> String {
        let mut query = self.query();
        if !matches!(page, Page::Whole) {
            query.add("limit", &self.page_size.to_string());
        }
        match (page, fresh) {
            // The token holds the version; naming one beside it is refused.
            (Page::Next(token), _) => query.add("continue", token),
            (_, Fresh::Consistent) => {}
            (_, Fresh::NotOlderThan(version)) => query.not_older_than(version),
        }
        query.text
    }

    /// The address of the shortest consistent list.
    pub(super) fn newest_uri(&self) -> String {
        let mut query = self.query();
        query.add("limit", "1");
        query.text
    }

    /// The address of a watch from this version on.
    pub(super) fn watch_uri(&self, version: Version) -> String {
        let mut query = self.query();
        query.watch();
        query.add("resourceVersion", &version.to_string());
        query.text
    }

    /// The address of a watch that begins with a list.
    pub(super) fn streaming_uri(&self, fresh: Fresh) -> String {
        let mut query = self.query();
        query.watch();
        query.add("sendInitialEvents", "true");
        match fresh {
            Fresh::NotOlderThan(version) => query.not_older_than(version),
            Fresh::Consistent => {
                query.add("resourceVersion", "");
                query.add("resourceVersionMatch", "NotOlderThan");
            }
        }
        query.text
    }

    fn query(&self) -> Query {
        let mut query = Query { text: self.path.clone(), parts: 0 };
        if let Some(selector) = &self.label_selector {
            query.add("labelSelector", selector);
        }
        if let Some(selector) = &self.field_selector {
            query.add("fieldSelector", selector);
        }
        query
    }
}

struct Query {
    text: String,
    parts: usize,
}

impl Query {
    fn add(&mut self, name: &str, value: &str) {
        self.text.push(if self.parts == 0 { '?' } else { '&' });
        self.parts += 1;
        self.text.push_str(name);
        self.text.push('=');
        for byte in value.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    self.text.push(char::from(byte));
                }
                // Writing to a string does not fail.
                _ => drop(write!(self.text, "%{byte:02X}")),
            }
        }
    }

    fn not_older_than(&mut self, version: Version) {
        self.add("resourceVersion", &version.to_string());
        self.add("resourceVersionMatch", "NotOlderThan");
    }

    fn watch(&mut self) {
        self.add("watch", "true");
        self.add("allowWatchBookmarks", "true");
        // Not all of a server's watches end at the same moment.
        self.add("timeoutSeconds", &rand::random_range(290u32..580).to_string());
    }
}
