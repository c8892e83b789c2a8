//! What stands on a slice and is not ours: it is kept as it is when the slice is rewritten.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use smol_str::SmolStr;

use super::{Text, Uid};

/// An owner reference.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OwnerReference {
    /// `v1` for ours.
    pub api_version: Text,
    /// `Service` or `Endpoints` for ours.
    pub kind: Text,
    /// Name of the owner.
    pub name: SmolStr,
    /// Uid of the owner.
    pub uid: Uid,
    /// Whether the owner is the managing controller.
    pub controller: Option<bool>,
    /// Whether foreground deletion of the owner waits for this object.
    pub block_owner_deletion: Option<bool>,
}

/// What is on a slice that this program does not set. Empty for nearly all.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Foreign {
    /// `metadata.finalizers`.
    pub finalizers: Vec<String>,
    /// Fields of the object that this program does not know.
    pub fields: BTreeMap<String, Value>,
}
