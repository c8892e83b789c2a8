//! For making what shows a difference short.

use futures::{StreamExt, stream};

/// Candidates that are tried at once.
const AT_ONCE: usize = 6;

/// The first of the candidates for which `shows` is true.
pub async fn first<T, F, Fut>(candidates: Vec<T>, shows: &F) -> Option<T>
where
    T: Clone,
    F: Fn(T) -> Fut,
    Fut: Future<Output = bool>,
{
    let tried = stream::iter(candidates).map(|candidate| async move {
        let shown = shows(candidate.clone()).await;
        (candidate, shown)
    });
    let mut tried = std::pin::pin!(tried.buffered(AT_ONCE));
    while let Some((candidate, shown)) = tried.next().await {
        if shown {
            return Some(candidate);
        }
    }
    None
}
