//! The same over a real connection, through kube's client.

use kube::{Client, Config};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// An HTTP server on loopback whose answers a test writes byte by byte.
struct Loopback(TcpListener);

struct Answer {
    head: String,
    socket: TcpStream,
}

impl Loopback {
    async fn begin() -> (Loopback, StreamHandle, Arc<Rows>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let mut config = Config::new(uri);
        config.default_retry = false;
        let client = Client::try_from(config).unwrap();
        let rows = Rows::new();
        let metrics = StreamMetrics::new(&Registry::new()).unwrap();
        let config = StreamConfig::new("things", "/apis/test/v1/things");
        let transport = Arc::new(ClientTransport(client));
        let (handle, _) = Stream::spawn(config, transport, Json(decode_row), Arc::clone(&rows), &metrics);
        (Loopback(listener), handle, rows)
    }

    /// The next request; each comes on a connection of its own, since answers close theirs.
    async fn next(&self) -> Answer {
        let (mut socket, _) = timeout(Duration::from_secs(20), self.0.accept()).await.unwrap().unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(socket.read_u8().await.unwrap());
        }
        Answer { head: String::from_utf8(head).unwrap(), socket }
    }
}

impl Answer {
    async fn whole(mut self, code: &str, headers: &str, body: &str) {
        let length = body.len();
        let head =
            format!("HTTP/1.1 {code}\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n");
        self.socket.write_all(head.as_bytes()).await.unwrap();
        for piece in body.as_bytes().chunks(7) {
            self.socket.write_all(piece).await.unwrap();
            tokio::task::yield_now().await;
        }
    }

    async fn begin_chunked(&mut self) {
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-type: application/json\r\n\r\n";
        self.socket.write_all(head.as_bytes()).await.unwrap();
    }

    /// As HTTP chunks of this size, which end anywhere in a frame, each torn in two on its way.
    async fn chunks(&mut self, text: &str, size: usize) {
        for piece in text.as_bytes().chunks(size) {
            let chunk = [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat();
            let (first, rest) = chunk.split_at(chunk.len() / 2);
            self.socket.write_all(first).await.unwrap();
            self.socket.flush().await.unwrap();
            tokio::task::yield_now().await;
            self.socket.write_all(rest).await.unwrap();
        }
    }
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(20), future).await.expect("it took too long")
}

#[tokio::test]
async fn lists_and_watches_arrive_however_the_connection_tears_them() {
    let (server, handle, rows) = Loopback::begin().await;
    let request = server.next().await;
    assert!(request.head.starts_with("GET /apis/test/v1/things?limit=500 HTTP/1.1\r\n"), "{}", request.head);
    let head = request.head.to_lowercase();
    assert!(head.contains("accept: application/json\r\n"), "{head}");
    assert!(head.contains("accept-encoding: identity\r\n"), "{head}");
    request.whole("200 OK", "", &list(10, &things(1..30))).await;
    let mut watch = server.next().await;
    watch.begin_chunked().await;
    for (version, size) in [(11, 1), (12, 3), (13, 1000)] {
        watch.chunks(&event("MODIFIED", &object("t001", version, "ü")), size).await;
    }
    within(handle.reached(13)).await;
    assert_eq!(rows.shown.borrow().rows["t001"], (13, "ü".into()));
    // An answer that ends without its last chunk is a broken connection, not an end.
    watch.chunks(&event("DELETED", &object("t002", 14, "v"))[..20], 20).await;
    drop(watch);
    let mut again = server.next().await;
    assert!(again.head.contains("&resourceVersion=13 "), "{}", again.head);
    again.begin_chunked().await;
    again.chunks(&event("DELETED", &object("t002", 14, "v")), 100).await;
    within(handle.reached(14)).await;
    assert_eq!(rows.names().len(), 28);
}

/// A newer server compresses a watch event by event, which costs more than it saves on a loopback
/// or a local network: neither a list nor a watch asks for it.
#[tokio::test]
async fn pitfall_12_lists_and_watches_ask_for_no_compression() {
    let (server, handle, _) = Loopback::begin().await;
    let asks = |answer: &Answer| answer.head.to_lowercase().contains("accept-encoding: identity\r\n");
    let listing = server.next().await;
    assert!(asks(&listing), "{}", listing.head);
    listing.whole("200 OK", "", &list(10, &things(1..3))).await;
    let watch = server.next().await;
    assert!(watch.head.contains("watch=true") && asks(&watch), "{}", watch.head);
    drop(handle);
}

#[tokio::test]
async fn a_half_open_watch_is_noticed_and_opened_again_at_its_version() {
    let (server, handle, rows) = Loopback::begin().await;
    server.next().await.whole("200 OK", "", &list(10, &things(1..3))).await;
    let mut half_open = server.next().await;
    half_open.begin_chunked().await;
    half_open.chunks(&bookmark(12), 1000).await;
    within(handle.reached(12)).await;
    assert!(handle.healthy());
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(76)).await;
    tokio::time::resume();
    assert!(!handle.healthy());
    let mut again = server.next().await;
    assert!(
        again.head.contains("watch=true") && again.head.contains("&resourceVersion=12 "),
        "{}",
        again.head
    );
    again.begin_chunked().await;
    again.chunks(&event("ADDED", &object("a", 13, "v")), 1000).await;
    within(handle.reached(13)).await;
    assert!(handle.healthy());
    assert_eq!(rows.log(), ["replaced 10", "bookmark 12", "upserted a 13"]);
}

#[tokio::test]
async fn answers_that_are_not_200_are_failures_with_their_code_and_their_retry_after() {
    let (server, handle, rows) = Loopback::begin().await;
    let asked = Instant::now();
    server.next().await.whole("429 Too Many Requests", "retry-after: 3\r\n", &status(429, "Busy")).await;
    server.next().await.whole("200 OK", "", &list(10, &[])).await;
    assert!(asked.elapsed() >= Duration::from_secs(3), "{:?}", asked.elapsed());
    server.next().await.whole("410 Gone", "", &status(410, "Expired")).await;
    let relist = server.next().await;
    assert!(relist.head.contains("resourceVersion=10&resourceVersionMatch=NotOlderThan"), "{}", relist.head);
    relist.whole("200 OK", "", &list(20, &[])).await;
    within(handle.reached(20)).await;
    assert_eq!(rows.log(), ["replaced 10", "replaced 20"]);
}
