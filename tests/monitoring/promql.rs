//! As much of PromQL as tests need: which metrics a query names, and with which selectors. Prometheus
//! itself says whether a query parses.

use std::collections::BTreeSet;

const WORDS: [&str; 13] = [
    "and",
    "or",
    "unless",
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "offset",
    "bool",
    "inf",
    "nan",
];

/// What stands between the braces of each selector.
pub fn selectors(query: &str) -> Vec<&str> {
    let inside = |rest: &'_ str| rest.find('}').map(|end| end.min(rest.len()));
    query.split('{').skip(1).filter_map(|rest| Some(&rest[..inside(rest)?])).collect()
}

/// The metrics that are named. Functions have a bracket behind them; labels stand in braces, or in
/// brackets behind a word like `by`.
pub fn metrics(query: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut rest = query;
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '"' => 2 + rest[1..].find('"').expect("the end of a string"),
            '{' => 1 + rest.find('}').expect("the end of a selector"),
            '[' => 1 + rest.find(']').expect("the end of a range"),
            '0'..='9' => word(rest),
            'a'..='z' | 'A'..='Z' | '_' | ':' => {
                let end = word(rest);
                let (name, behind) = (&rest[..end], rest[end..].trim_start());
                let lists_labels = ["by", "without", "on", "ignoring", "group_left", "group_right"];
                if lists_labels.contains(&name) && behind.starts_with('(') {
                    end + rest[end..].find(')').expect("the end of a list of labels") + 1
                } else {
                    if !WORDS.contains(&name) && !behind.starts_with('(') && !aggregates(behind) {
                        found.insert(name.to_owned());
                    }
                    end
                }
            }
            other => other.len_utf8(),
        };
        rest = &rest[end..];
    }
    found
}

/// `sum by (…) (…)`: the word in front of a list of labels is no metric.
fn aggregates(behind: &str) -> bool {
    behind.starts_with("by ") || behind.starts_with("without ")
}

fn word(text: &str) -> usize {
    text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':').unwrap_or(text.len())
}

#[test]
fn metrics_are_told_from_functions_labels_and_words() {
    let named = |query| metrics(query).into_iter().collect::<Vec<_>>();
    assert_eq!(
        named(
            r#"histogram_quantile(0.99, sum by (loop, le) (rate(a_bucket{job="x", b=~"c d(e)"}[5m] offset 1h)))"#
        ),
        ["a_bucket"]
    );
    assert_eq!(
        named(r#"sum(rate(a{b="c"}[1m])) by (d, e) / on (f) group_left (g) h:i or vector(0) > bool 5m"#),
        ["a", "h:i"]
    );
    assert_eq!(
        named("time() - process_start_time_seconds unless absent(up == 1e3)"),
        ["process_start_time_seconds", "up"]
    );
    assert_eq!(selectors(r#"a{b="c"} + d{e="f",g="h"}"#), [r#"b="c""#, r#"e="f",g="h""#]);
}
