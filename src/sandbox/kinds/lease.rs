//! Leases.

use serde_json::Value;

use crate::sandbox::status::{FieldError, Status};
use crate::sandbox::store::Transaction;

use super::field::{self, Path};
use super::{Strategy, formats, metadata, set};

/// How Leases are treated.
pub struct Leases;

impl Strategy for Leases {
    fn go_type(&self) -> &'static str {
        "coordination.Lease"
    }

    fn on_create(&self, _: &Transaction<'_>, value: &mut Value) -> Result<(), Status> {
        drop_coordination(value);
        Ok(())
    }

    fn on_update(
        &self,
        _: &Transaction<'_>,
        new: &mut Value,
        _: &Value,
        _: Option<&str>,
    ) -> Result<(), Status> {
        drop_coordination(new);
        Ok(())
    }

    fn check(&self, new: &Value, old: Option<&Value>) -> Vec<FieldError> {
        let mut wrong = match old {
            None => metadata::check(new, true, formats::dns_subdomain),
            Some(old) => {
                let mut wrong = metadata::check_common_update(new, old, true);
                wrong.extend(metadata::check_update(new, old));
                wrong
            }
        };
        let path = Path::new("spec");
        let spec = &new["spec"];
        if spec["leaseDurationSeconds"].as_i64().is_some_and(|seconds| seconds <= 0) {
            let path = path.child("leaseDurationSeconds");
            wrong.push(field::invalid(&path, &spec["leaseDurationSeconds"], "must be greater than 0"));
        }
        if spec["leaseTransitions"].as_i64().is_some_and(|count| count < 0) {
            let detail = "must be greater than or equal to 0";
            wrong.push(field::invalid(&path.child("leaseTransitions"), &spec["leaseTransitions"], detail));
        }
        wrong
    }
}

/// Coordinated leader election is off by default, and its fields are dropped.
fn drop_coordination(value: &mut Value) {
    set(&mut value["spec"], "strategy", Value::Null);
    set(&mut value["spec"], "preferredHolder", Value::Null);
}
