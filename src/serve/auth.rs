//! Who may scrape: asked of somebody else, because this room knows no API server.

use futures::future::BoxFuture;

/// The answer about a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// Known, and may.
    Allowed,
    /// Not known: 401.
    Unauthenticated,
    /// Known, but may not: 403.
    Denied,
}

/// Decides who may read a path.
pub trait ScrapeAuth: Send + Sync + 'static {
    /// Whether the bearer of this token may do `verb` (`get`) on `path` (`/metrics`).
    ///
    /// # Errors
    /// Why nobody could be asked, in a sentence. The answer is then 500.
    fn allowed<'a>(
        &'a self,
        token: &'a str,
        path: &'a str,
        verb: &'a str,
    ) -> BoxFuture<'a, Result<Decision, String>>;
}
