//! Which labels a slice bears: those of its source, with ours put over them.
//!
//! Both loops compare all labels of a slice, the reserved ones too, so that whatever is changed by
//! hand is repaired.

use crate::model::labels::{HEADLESS, MANAGED_BY, SERVICE_NAME};
use crate::model::{Labels, Loop, Service, Text};

/// Labels of the slices of a Service with a selector: the Service's but the three reserved ones,
/// plus service-name, managed-by, and the headless label when the Service is headless.
pub fn for_service(service: &Service) -> Labels {
    let inherited = service
        .labels
        .iter()
        .filter(|(key, _)| !matches!(key.as_str(), SERVICE_NAME | MANAGED_BY | HEADLESS))
        .cloned();
    let headless = service.headless().then(|| (Text::new(HEADLESS), Text::default()));
    Labels::new(inherited.chain(ours(&service.key.name, Loop::Selector)).chain(headless))
}

/// Labels of the slices that mirror an Endpoints object with these labels and this name: all of its
/// labels but our two keys, plus our two.
pub fn mirrored(labels: &Labels, name: &str) -> Labels {
    let inherited =
        labels.iter().filter(|(key, _)| !matches!(key.as_str(), SERVICE_NAME | MANAGED_BY)).cloned();
    Labels::new(inherited.chain(ours(name, Loop::Mirroring)))
}

fn ours(service: &str, by: Loop) -> [(Text, Text); 2] {
    [(Text::new(SERVICE_NAME), Text::new(service)), (Text::new(MANAGED_BY), Text::new(by.managed_by()))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_two_labels_win_over_those_of_the_endpoints() {
        let labels = mirrored(&Labels::new([("a", "b"), (MANAGED_BY, "me"), (SERVICE_NAME, "x")]), "web");
        let expected = [(MANAGED_BY, Loop::Mirroring.managed_by()), (SERVICE_NAME, "web"), ("a", "b")];
        assert_eq!(labels, Labels::new(expected));
    }

    #[test]
    fn a_mirrored_headless_label_stays() {
        let labels = mirrored(&Labels::new([(HEADLESS, "")]), "web");
        assert!(labels.has(HEADLESS, ""));
    }
}
