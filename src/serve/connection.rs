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
use tokio::net::{TcpListener, TcpStream};
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

async fn converse(
    stream: TcpStream,
    site: Arc<Site>,
    acceptor: Option<TlsAcceptor>,
    mut ended: watch::Receiver<()>,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    stream.set_nodelay(true)?;
    let Some(acceptor) = acceptor else {
        return Ok(requests(stream, site, ended).await?);
    };
    let stream = tokio::select! {
        shaken = timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)) => shaken??,
        _ = ended.changed() => return Ok(()),
    };
    Ok(requests(stream, site, ended).await?)
}

async fn requests<S>(stream: S, site: Arc<Site>, mut ended: watch::Receiver<()>) -> hyper::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
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
