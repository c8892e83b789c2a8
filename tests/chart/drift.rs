//! Files of the repository that are made from others: compared, or with `UPDATE=1` written.

use std::path::Path;

/// Compares a file of the repository with what it should say; with `UPDATE=1` it is written instead.
///
/// # Panics
/// When they differ.
pub fn check(path: &str, wanted: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var("UPDATE").as_deref() == Ok("1") {
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("make a folder");
        std::fs::write(&file, wanted).expect("write a generated file");
        return;
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    if found == wanted {
        return;
    }
    let line = found.lines().zip(wanted.lines()).take_while(|(found, wanted)| found == wanted).count();
    panic!(
        "{path} is not what is made for it, from line {} on:\n  found  {:?}\n  wanted {:?}\nmake it again with \
         `UPDATE=1 cargo test --test chart`",
        line + 1,
        found.lines().nth(line),
        wanted.lines().nth(line)
    );
}
