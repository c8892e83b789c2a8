//! From an accepted connection to answered requests: one task each, with limits on everything that
//! a client could hold on to.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::address::Bound;
use super::pages::Site;
use super::tls::Certificates;

/// Connections that are open at a time. Further clients wait in the kernel's backlog.
pub(super) const CONNECTIONS: usize = 256;
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// For a whole request head, and for the pause before the next one on the same connection: longer
/// than the usual short intervals between scrapes, and none of them.
const HEAD_TIMEOUT: Duration = Duration::from_secs(20);
const MAX_HEAD: usize = 16 * 1024;
/// A connection takes no further request after this time, and is cut after the grace: so a client
/// that reads its answer byte by byte does not hold it for ever.
const AGE: Duration = Duration::from_secs(300);
const GRACE: Duration = Duration::from_secs(5);

/// Serves the site on this socket until `shutdown` completes; then requests that are being answered
/// have five seconds to end. With `certificates` it speaks TLS only.
///
/// # Errors
/// The operating system refuses to give the socket to the runtime.
pub async fn serve(
    bound: Bound,
    site: Arc<Site>,
    certificates: Option<Arc<Certificates>>,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let listener = TcpListener::from_std(bound.listener)?;
    let acceptor = certificates.as_ref().map(|certificates| certificates.acceptor());
    let (ending, ended) = watch::channel(());
    let mut connections = JoinSet::new();
    let follow = async {
        match &certificates {
            Some(certificates) => certificates.follow().await,
            None => std::future::pending().await,
        }
    };
    {
        let accepting = accept(&listener, &site, acceptor, &mut connections, ended);
        let (mut accepting, mut follow, mut shutdown) = (pin!(accepting), pin!(follow), pin!(shutdown));
        tokio::select! {
            () = &mut accepting => {}
            () = &mut follow => {}
            () = &mut shutdown => {}
        }
    }
    drop(listener);
    drop(ending);
    let all = async { while connections.join_next().await.is_some() {} };
    if timeout(GRACE, all).await.is_err() {
        connections.shutdown().await;
    }
    Ok(())
}

async fn accept(
    listener: &TcpListener,
    site: &Arc<Site>,
    acceptor: Option<TlsAcceptor>,
    connections: &mut JoinSet<()>,
    ended: watch::Receiver<()>,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut failing = false;
    loop {
        // The semaphore is never closed.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // A connection that was reset before it was taken, or no file descriptor left.
                if !failing {
                    tracing::warn!("connections for metrics and health cannot be accepted: {error}");
                }
                failing = true;
                sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        failing = false;
        // An answer is one write: waiting for more of it helps nobody. Not worth a connection.
        let _ = stream.set_nodelay(true);
        while connections.try_join_next().is_some() {}
        let (site, acceptor, ended) = (Arc::clone(site), acceptor.clone(), ended.clone());
        connections.spawn(async move {
            if let Err(error) = converse(stream, site, acceptor, ended).await {
                tracing::debug!("a connection ended: {error}");
            }
            drop(place);
        });
    }
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    site: Arc<Site>,
    acceptor: Option<TlsAcceptor>,
    mut ended: watch::Receiver<()>,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let Some(acceptor) = acceptor else {
        return Ok(requests(stream, site, ended).await?);
    };
    let stream = tokio::select! {
        shaken = timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)) => shaken??,
        _ = ended.changed() => return Ok(()),
    };
    Ok(requests(stream, site, ended).await?)
}

async fn requests<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    site: Arc<Site>,
    mut ended: watch::Receiver<()>,
) -> hyper::Result<()> {
    let service = service_fn(|request: hyper::Request<hyper::body::Incoming>| {
        let site = Arc::clone(&site);
        async move {
            let (head, _) = request.into_parts();
            Ok::<_, Infallible>(site.answer(&head).await)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    tokio::select! {
        outcome = connection.as_mut() => return outcome,
        // An error means that the sender is gone: the end, too.
        _ = ended.changed() => {}
        () = sleep(AGE) => {}
    }
    connection.as_mut().graceful_shutdown();
    timeout(GRACE, connection).await.unwrap_or(Ok(()))
}

#[cfg(test)]
mod tests {
    use prometheus::Registry;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::task::JoinHandle;
    use tokio::time::Instant;

    use super::*;

    /// A connection whose pipe holds so many bytes, and the task that serves it.
    fn connect(bytes: usize, acceptor: Option<TlsAcceptor>) -> (DuplexStream, JoinHandle<Duration>) {
        let (client, server) = duplex(bytes);
        let site = Arc::new(Site::new(Registry::new()));
        let task = tokio::spawn(async move {
            let (_ending, ended) = watch::channel(());
            let begun = Instant::now();
            let _ = converse(server, site, acceptor, ended).await;
            begun.elapsed()
        });
        (client, task)
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_head_that_does_not_end_ends_the_connection() {
        let (mut client, served) = connect(1024, None);
        client.write_all(b"GET /livez HTT").await.unwrap();
        assert_eq!(served.await.unwrap().as_secs(), HEAD_TIMEOUT.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_handshake_that_does_not_come_ends_the_connection() {
        let certificates = Certificates::self_signed(&["localhost".to_owned()]).unwrap();
        let (_client, served) = connect(1024, Some(certificates.acceptor()));
        assert_eq!(served.await.unwrap().as_secs(), HANDSHAKE_TIMEOUT.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_its_answer_is_cut_off() {
        let (mut client, served) = connect(64, None);
        client.write_all(b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        assert_eq!(served.await.unwrap().as_secs(), (AGE + GRACE).as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_of_an_old_connection_is_answered_before_it_is_closed() {
        let (mut client, served) = connect(4096, None);
        let asking = async {
            let mut answers = 0;
            let mut answer = [0; 4096];
            while client.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await.is_ok() {
                match client.read(&mut answer).await {
                    Ok(length) if length > 0 => assert!(answer.starts_with(b"HTTP/1.1 200 OK")),
                    _ => break,
                }
                answers += 1;
                // The last one comes three seconds before the end.
                sleep(Duration::from_secs(9)).await;
            }
            answers
        };
        assert_eq!(asking.await, 34);
        assert_eq!(served.await.unwrap().as_secs(), AGE.as_secs());
    }
}
