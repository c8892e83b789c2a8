//! One stored object.

use bytes::Bytes;
use serde_json::Value;
use smol_str::SmolStr;

use crate::sandbox::kinds::Kind;

/// Where an object stands among those of its kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Empty for what has no namespace.
    pub namespace: SmolStr,
    /// The object's name.
    pub name: SmolStr,
}

impl Key {
    /// The key of a namespace and a name.
    #[must_use]
    pub fn new(namespace: &str, name: &str) -> Key {
        Key { namespace: namespace.into(), name: name.into() }
    }
}

/// Of an owner reference what garbage collection asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The owner's kind.
    pub kind: Kind,
    /// Its name.
    pub name: SmolStr,
    /// Its uid: an owner of the same name with another uid is none.
    pub uid: SmolStr,
    /// `blockOwnerDeletion`: a foreground deletion of the owner waits for this object.
    pub blocks: bool,
}

/// An object as it is sent, and of it what is asked for without reading it: selectors, preconditions,
/// the way to its key.
#[derive(Debug)]
pub struct Object {
    /// What it is.
    pub kind: Kind,
    /// Where it stands.
    pub key: Key,
    /// `metadata.uid`.
    pub uid: SmolStr,
    /// `metadata.resourceVersion`.
    pub version: u64,
    /// `metadata.labels`, ordered by key.
    pub labels: Box<[(SmolStr, SmolStr)]>,
    /// What field selectors may ask for, see [`Strategy::fields`](crate::sandbox::kinds::Strategy::fields).
    pub fields: Box<[(&'static str, SmolStr)]>,
    /// Who owns it (`metadata.ownerReferences`), of those kinds that the sandbox knows.
    pub owners: Box<[Owner]>,
    /// It was deleted and waits for its end.
    pub deleting: bool,
    /// What no other object may have, see [`Strategy::claims`](crate::sandbox::kinds::Strategy::claims).
    pub claims: Box<[SmolStr]>,
    /// The object without `kind` and `apiVersion`, as in a list.
    json: Bytes,
}

impl Object {
    /// An object at a version. `value` has a name and a uid; its version and its type are replaced.
    /// Version 0: it is not stored, and has none.
    #[must_use]
    pub fn new(kind: Kind, mut value: Value, version: u64) -> Object {
        if version > 0 {
            value["metadata"]["resourceVersion"] = version.to_string().into();
        }
        if let Some(map) = value.as_object_mut() {
            map.remove("kind");
            map.remove("apiVersion");
        }
        let metadata = &value["metadata"];
        let text = |field: &str| SmolStr::from(metadata[field].as_str().unwrap_or_default());
        let labels = metadata["labels"].as_object().map_or_else(Box::default, |labels| {
            labels
                .iter()
                .map(|(key, value)| (key.as_str().into(), value.as_str().unwrap_or_default().into()))
                .collect()
        });
        Object {
            kind,
            key: Key { namespace: text("namespace"), name: text("name") },
            uid: text("uid"),
            version,
            labels,
            fields: kind.strategy().fields(&value).into(),
            owners: metadata["ownerReferences"].as_array().into_iter().flatten().filter_map(owner).collect(),
            deleting: !metadata["deletionTimestamp"].is_null(),
            claims: kind.strategy().claims(&value).into(),
            json: value.to_string().into(),
        }
    }

    /// The object, to be read or changed, without `kind` and `apiVersion`.
    #[must_use]
    pub fn value(&self) -> Value {
        serde_json::from_slice(&self.json).unwrap_or_default() // we wrote it
    }

    /// The object's JSON without `kind` and `apiVersion`: how it stands in a list.
    #[must_use]
    pub fn json(&self) -> Bytes {
        self.json.clone()
    }

    /// Appends the object's JSON with `kind` and `apiVersion`: how it stands alone.
    pub fn write_typed(&self, out: &mut Vec<u8>) {
        let info = self.kind.info();
        out.extend_from_slice(b"{\"kind\":\"");
        out.extend_from_slice(info.kind.as_bytes());
        out.extend_from_slice(b"\",\"apiVersion\":\"");
        out.extend_from_slice(info.api_version().as_bytes());
        out.extend_from_slice(b"\",");
        out.extend_from_slice(self.json.get(1..).unwrap_or_default());
    }

    /// The object with `kind` and `apiVersion`, to be read or changed.
    #[must_use]
    pub fn typed(&self) -> Value {
        let mut value = self.value();
        value["kind"] = self.kind.info().kind.into();
        value["apiVersion"] = self.kind.info().api_version().into();
        value
    }

    /// A label's value.
    #[must_use]
    pub fn label(&self, key: &str) -> Option<&str> {
        let at = self.labels.binary_search_by(|(other, _)| other.as_str().cmp(key)).ok()?;
        Some(self.labels[at].1.as_str())
    }
}

fn owner(reference: &Value) -> Option<Owner> {
    let version = reference["apiVersion"].as_str().unwrap_or_default();
    let kind = reference["kind"].as_str().unwrap_or_default();
    let kind = Kind::ALL.into_iter().find(|known| {
        let info = known.info();
        info.kind == kind && info.api_version() == version
    })?;
    Some(Owner {
        kind,
        name: reference["name"].as_str().unwrap_or_default().into(),
        uid: reference["uid"].as_str().unwrap_or_default().into(),
        blocks: reference["blockOwnerDeletion"] == true,
    })
}
