//! Lists as the beginning of a watch.

use super::*;

fn streaming() -> Stage {
    Stage::with(StreamConfig {
        list_mode: ListMode::Streaming,
        ..StreamConfig::new("things", "/apis/test/v1/things")
    })
}

fn end(version: Version) -> String {
    event(
        "BOOKMARK",
        &format!(
            r#"{{"metadata":{{"resourceVersion":"{version}","annotations":{{"k8s.io/initial-events-end":"true"}}}}}}"#
        ),
    )
}

#[tokio::test(start_paused = true)]
async fn a_streaming_list_is_shown_at_its_end_and_goes_on_as_a_watch() {
    let mut stage = streaming();
    let request = stage.server.next().await;
    assert_eq!(request.query("sendInitialEvents").as_deref(), Some("true"));
    assert_eq!(request.query("resourceVersionMatch").as_deref(), Some("NotOlderThan"));
    assert_eq!(request.query("resourceVersion").as_deref(), Some(""), "consistent: {}", request.uri);
    let body = request.accept();
    body.send(event("ADDED", &object("a", 3, "v")) + &event("ADDED", &object("b", 4, "v")));
    body.send(event("MODIFIED", &object("a", 6, "w")) + &event("DELETED", &object("b", 7, "v")));
    tokio::time::advance(Duration::from_secs(30)).await;
    assert!(stage.rows.log().is_empty(), "a part of a list was shown");
    // What follows in the same piece is part of the watch.
    body.send(end(8) + &event("ADDED", &object("c", 9, "v")));
    let shown = stage.rows.until_log("upserted c 9").await;
    assert_eq!(shown.log, ["replaced 8", "upserted c 9"]);
    assert_eq!(shown.rows["a"], (6, "w".into()));
    assert_eq!(stage.rows.names(), ["a", "c"]);
    stage.server.assert_quiet();
}

#[tokio::test(start_paused = true)]
async fn a_streaming_list_that_breaks_off_shows_nothing_and_is_begun_again() {
    let mut stage = streaming();
    let body = stage.server.next().await.accept();
    body.send(event("ADDED", &object("a", 3, "v")));
    body.reset();
    let body = stage.server.next().await.accept();
    body.send(event("ADDED", &object("b", 4, "v")));
    drop(body);
    let body = stage.server.next().await.accept();
    body.send(event("ERROR", &status(410, "Gone")));
    let again = stage.server.next().await;
    assert_eq!(again.query("sendInitialEvents").as_deref(), Some("true"));
    assert!(stage.rows.log().is_empty());
    let body = again.accept();
    body.send(event("ADDED", &object("c", 5, "v")) + &end(9));
    stage.handle.until_synced().await;
    assert_eq!(stage.rows.names(), ["c"]);
}

#[tokio::test(start_paused = true)]
async fn a_streaming_list_that_falls_silent_is_begun_again() {
    let mut stage = streaming();
    let body = stage.server.next().await.accept();
    body.send(event("ADDED", &object("a", 3, "v")));
    stage.server.next().await;
    body.dropped().await;
}

#[tokio::test(start_paused = true)]
async fn absence_in_a_streaming_list_needs_a_consistent_one() {
    let mut stage = streaming();
    let body = stage.server.next().await.accept();
    body.send(event("ADDED", &object("a", 3, "v")) + &end(9));
    stage.handle.until_synced().await;
    body.send(event("ERROR", &status(410, "Gone")));
    let relist = stage.server.next().await;
    assert!(relist.is_not_older_than(9), "{}", relist.uri);
    let body = relist.accept();
    body.send(end(12));
    let consistent = stage.server.next().await;
    assert_eq!(consistent.query("resourceVersion").as_deref(), Some(""), "{}", consistent.uri);
    assert_eq!(stage.rows.names(), ["a"]);
    consistent.accept().send(end(12));
    stage.handle.reached(12).await;
    assert!(stage.rows.names().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_denied_streaming_list_is_no_reason_to_fall_back() {
    let mut stage = streaming();
    stage.server.next().await.answer(403, status(403, "Forbidden"));
    let again = stage.server.next().await;
    assert_eq!(again.query("sendInitialEvents").as_deref(), Some("true"));
}
