//! Counts the tests that really ran on a real server: one line each in a file of the target
//! folder, which `.ci/run` compares with a committed number.

use std::fs::File;
use std::io::Write;
use std::path::Path;

/// Notes that the test on this thread runs on a real server.
pub fn this_test() {
    let test = std::thread::current().name().unwrap_or("unnamed").to_string();
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("real-tests");
    let mut file = File::options().create(true).append(true).open(&path).expect("open the count of tests");
    writeln!(file, "{} {test}", super::super::process::binary_name()).expect("count the test");
}
