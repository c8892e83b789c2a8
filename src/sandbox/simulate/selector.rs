//! Label selectors and the requirements of node affinity.

use serde_json::Value;
use smol_str::SmolStr;

use crate::sandbox::store::Object;

/// A `metav1.LabelSelector`, or the `matchExpressions` of a node selector term.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Selector {
    requirements: Vec<Requirement>,
}

#[derive(Clone, Debug, PartialEq)]
struct Requirement {
    key: SmolStr,
    operator: SmolStr,
    values: Vec<SmolStr>,
}

impl Requirement {
    fn equal(key: &str, value: &Value) -> Requirement {
        let values = vec![value.as_str().unwrap_or_default().into()];
        Requirement { key: key.into(), operator: "In".into(), values }
    }

    fn read(value: &Value) -> Requirement {
        let text = |field: &str| SmolStr::from(value[field].as_str().unwrap_or_default());
        let values = value["values"].as_array().into_iter().flatten();
        Requirement {
            key: text("key"),
            operator: text("operator"),
            values: values.map(|value| value.as_str().unwrap_or_default().into()).collect(),
        }
    }

    fn matches(&self, label: Option<&str>) -> bool {
        let listed = || label.is_some_and(|label| self.values.iter().any(|value| value == label));
        let beside = |wanted| {
            let number = |text: &str| text.parse::<i64>().ok();
            let bound = self.values.first().and_then(|value| number(value));
            matches!((label.and_then(number), bound), (Some(is), Some(bound)) if is.cmp(&bound) == wanted)
        };
        match self.operator.as_str() {
            "In" => listed(),
            "NotIn" => !listed(),
            "Exists" => label.is_some(),
            "DoesNotExist" => label.is_none(),
            "Gt" => beside(std::cmp::Ordering::Greater),
            "Lt" => beside(std::cmp::Ordering::Less),
            _ => false, // the API refuses others
        }
    }
}

impl Selector {
    /// Reads `matchLabels` and `matchExpressions`.
    pub(super) fn read(value: &Value) -> Selector {
        let mut selector = Selector::of_map(&value["matchLabels"]);
        let expressions = value["matchExpressions"].as_array().into_iter().flatten();
        selector.requirements.extend(expressions.map(Requirement::read));
        selector
    }

    /// Reads a map of labels, all of which are wanted.
    pub(super) fn of_map(value: &Value) -> Selector {
        let map = value.as_object().into_iter().flatten();
        Selector { requirements: map.map(|(key, value)| Requirement::equal(key, value)).collect() }
    }

    /// Whether it selects everything.
    pub(super) fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }

    /// Whether it selects what has these labels.
    pub(super) fn matches<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.requirements.iter().all(|requirement| requirement.matches(label(&requirement.key)))
    }

    /// Whether it selects the object.
    pub(super) fn selects(&self, object: &Object) -> bool {
        self.matches(|key| object.label(key))
    }
}
