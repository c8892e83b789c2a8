//! Health checks and their pages, in the style of Kubernetes.

use std::fmt::Write;

/// One named check.
pub struct Check {
    name: &'static str,
    check: Box<dyn Fn() -> Result<(), String> + Send + Sync>,
}

impl Check {
    /// A check: `Ok`, or a sentence that says what is wrong. It is asked at each request and must
    /// not block.
    pub fn new(name: &'static str, check: impl Fn() -> Result<(), String> + Send + Sync + 'static) -> Check {
        Check { name, check: Box::new(check) }
    }

    /// The check that is always met, by which a page says that the process answers at all.
    pub fn ping() -> Check {
        Check::new("ping", || Ok(()))
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }
}

/// The page of some checks: whether all are met, and its text. With `verbose`, or when one is not
/// met, each is listed. Checks named in `excluded` are not asked.
pub(super) fn page(title: &str, checks: &[Check], verbose: bool, excluded: &[&str]) -> (bool, String) {
    let mut lines = String::new();
    let mut healthy = true;
    for Check { name, check } in checks {
        let outcome = if excluded.contains(name) { Ok("excluded: ok") } else { check().map(|()| "ok") };
        // Writing to a String cannot fail.
        let _ = match outcome {
            Ok(ok) => writeln!(lines, "[+]{name} {ok}"),
            Err(reason) => {
                healthy = false;
                writeln!(lines, "[-]{name} failed: {reason}")
            }
        };
    }
    for name in excluded {
        if !checks.iter().any(|check| check.name == *name) {
            let _ = writeln!(lines, "warn: some health checks cannot be excluded: no matches for {name:?}");
        }
    }
    match (healthy, verbose) {
        (true, false) => (true, "ok".to_owned()),
        (true, true) => (true, format!("{lines}{title} check passed\n")),
        (false, _) => (false, format!("{lines}{title} check failed\n")),
    }
}
