//! What differs on purpose. Each rule stands in `src/sandbox/README.md` with its reason, under the
//! same name, and each must have explained something in the hand-made sequences.

use super::compare::Difference;
use super::step::Step;

pub struct Rule {
    pub name: &'static str,
    pub explains: fn(&Difference) -> bool,
}

pub const RULES: &[Rule] = &[
    // It is not remembered who set a field, so there is nothing to apply against.
    Rule { name: "apply-patch", explains: |difference| asked(difference, "application/apply-patch+yaml") },
    Rule {
        name: "managed-fields",
        explains: |d| d.pointer.ends_with("/metadata/managedFields") && d.ours.is_none(),
    },
];

fn asked(difference: &Difference, content_type: &str) -> bool {
    match &difference.step {
        Step::Ask(ask) => ask.content_type == content_type && difference.answers[1]["code"] == 415,
        _ => false,
    }
}
