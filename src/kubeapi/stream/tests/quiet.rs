//! What is told: nothing while nothing is wrong, each distinct failure once, and once that it is over.

use std::io;

use tracing::subscriber::DefaultGuard;

use super::*;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn begin() -> (Lines, DefaultGuard) {
        // Which levels anybody wants is known process-wide: a subscriber that stays keeps it from being
        // forgotten while another test's ends.
        let stays = tracing_subscriber::fmt().with_max_level(tracing::Level::INFO).with_writer(io::sink);
        let _ = tracing::subscriber::set_global_default(stays.finish());
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .without_time()
            .with_ansi(false)
            .with_max_level(tracing::Level::INFO)
            .with_writer(move || writer.clone())
            .finish();
        (lines, tracing::subscriber::set_default(subscriber))
    }

    fn all(&self) -> Vec<String> {
        String::from_utf8(self.0.lock().clone()).unwrap().lines().map(str::to_owned).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn no_line_is_written_when_nothing_is_wrong() {
    let (lines, _guard) = Lines::begin();
    let mut stage = Stage::new();
    let watch = stage.server.begin(10, &things(1..3)).await;
    watch.send(event("ADDED", &object("b", 11, "v")));
    watch.send(bookmark(12));
    stage.handle.reached(12).await;
    tokio::time::advance(Duration::from_secs(60)).await;
    drop(watch);
    let watch = stage.server.watch_at(12).await.accept();
    watch.send(event("ERROR", &status(410, "Expired")));
    stage.server.list().await.answer(200, list(20, &[]));
    stage.server.list().await.answer(200, list(20, &[]));
    let watch = stage.server.watch_at(20).await.accept();
    // An API server that is restarted.
    watch.reset();
    let _watch = stage.server.watch_at(20).await.accept();
    assert_eq!(lines.all(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn each_distinct_failure_is_told_once_and_its_end_once() {
    let (lines, _guard) = Lines::begin();
    let mut stage = Stage::new();
    for _ in 0..5 {
        stage.server.list().await.answer(403, status(403, "things is forbidden"));
        stage.server.list().await.refuse_connection();
    }
    let told = lines.all();
    assert_eq!(told.len(), 2, "{told:#?}");
    for part in ["WARN", "list things", "403", "things is forbidden", "grant the verb \"list\"", "role"] {
        assert!(told[0].contains(part), "{part:?} in {}", told[0]);
    }
    assert!(told[1].contains("the connection failed: connection reset"), "{}", told[1]);
    let watch = stage.server.begin(10, &[]).await;
    let told = lines.all();
    assert_eq!(told.len(), 3, "{told:#?}");
    assert!(told[2].contains("INFO") && told[2].contains("works again"), "{}", told[2]);

    watch.reset();
    for _ in 0..5 {
        stage.server.watch_at(10).await.answer(403, status(403, "Forbidden"));
    }
    let watch = stage.server.watch_at(10).await.accept();
    watch.send(bookmark(11));
    stage.handle.reached(11).await;
    let told = lines.all();
    assert_eq!(told.len(), 5, "{told:#?}");
    assert!(told[3].contains("cannot watch things"), "{}", told[3]);
    assert!(told[4].contains("watch of things works again"), "{}", told[4]);
}

#[tokio::test(start_paused = true)]
async fn an_undecodable_object_is_told_once_for_its_version_and_an_unknown_type_once() {
    let (lines, _guard) = Lines::begin();
    let mut stage = Stage::new();
    let watch = stage.server.begin(10, &[object("a", 5, "bad")]).await;
    watch.send(event("SURPRISE", "{}"));
    watch.send(event("SURPRISE", "{}"));
    watch.send(event("ERROR", &status(410, "Expired")));
    stage.server.list().await.answer(200, list(20, &[object("a", 5, "bad")]));
    let _watch = stage.server.watch_at(20).await.accept();
    let told = lines.all();
    assert_eq!(told.len(), 2, "{told:#?}");
    assert!(told[0].contains("ns/a (version 5) cannot be decoded: Thing: value"), "{}", told[0]);
    assert!(told[1].contains("SURPRISE"), "{}", told[1]);
}

#[tokio::test(start_paused = true)]
async fn the_brake_on_mass_removal_is_told() {
    let (lines, _guard) = Lines::begin();
    let mut stage = Stage::new();
    let _watch = stage.server.begin(100, &things(1..31)).await;
    let handle = stage.handle.clone();
    let relist = tokio::spawn(async move { handle.relist().await });
    stage.server.list().await.answer(200, list(110, &things(1..3)));
    stage.server.list().await.answer(200, list(110, &things(1..3)));
    relist.await.unwrap();
    let told = lines.all();
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].contains("brake on mass removal") && told[0].contains("28 of 30"), "{}", told[0]);
}
