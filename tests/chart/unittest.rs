//! The suites for those who have helm-unittest and no Rust (`charts/…/tests`), run as they would run them.

use std::process::Command;

use crate::support::helm::{chart, copy_folder, fresh};
use crate::support::real::judge;

#[test]
fn the_suites_of_helm_unittest_pass() {
    let Some(program) = judge("helm-unittest") else { return };
    // On a copy: it makes a folder for snapshots beside the suites.
    let copy = fresh("chart");
    copy_folder(&chart(), &copy);
    let report = fresh("helm-unittest.xml");
    let output = Command::new(program)
        .args(["--strict", "--output-type", "JUnit", "--output-file"])
        .arg(&report)
        .arg(&copy)
        .output()
        .expect("run helm-unittest");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    // All of them were found and ran.
    let report = std::fs::read_to_string(&report).expect("the report");
    let wanted: usize = std::fs::read_dir(chart().join("tests"))
        .expect("the suites")
        .map(|found| found.expect("a file").path())
        .filter(|path| path.is_file())
        .map(|path| std::fs::read_to_string(path).expect("read a suite"))
        .map(|text| text.matches("  - it: ").count())
        .sum();
    assert!(wanted > 20, "{wanted}");
    assert_eq!(report.matches("<testcase ").count(), wanted, "{said}");
}
