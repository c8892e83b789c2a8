//! What is known to go wrong with watches, each by its number in the list of pitfalls of kube 5.0.

use super::*;

#[tokio::test(start_paused = true)]
async fn pitfall_3_a_relist_tells_what_was_deleted_and_a_list_that_fails_half_way_shows_nothing() {
    let mut stage = Stage::new();
    let watch = stage.server.begin(10, &things(1..5)).await;
    watch.send(event("ERROR", &status(410, "Expired")));
    stage.server.list().await.answer(200, page(20, "next", &things(1..2)));
    stage.server.list().await.answer(500, "");
    stage.server.list().await.answer(410, status(410, "Expired"));
    assert_eq!(stage.rows.names().len(), 4, "half a list was shown");
    stage.server.list().await.answer(200, list(21, &things(2..4)));
    assert_eq!(stage.rows.names().len(), 4, "a list that is not consistent removed something");
    stage.server.list().await.answer(200, list(22, &things(2..4)));
    stage.rows.until_log("replaced 22").await;
    assert_eq!(stage.rows.names(), ["t002", "t003"]);
}

#[tokio::test(start_paused = true)]
async fn pitfall_4_one_bad_object_never_hides_the_others() {
    let mut stage = Stage::new();
    let watch = stage.server.begin(10, &[object("a", 5, "v"), object("b", 6, "v")]).await;
    // The old row stays, the events behind it arrive, and one list is fetched for its sake.
    watch.send(event("MODIFIED", &object("a", 11, "bad")));
    watch.send(event("MODIFIED", &object("b", 12, "w")));
    let relist = stage.server.list().await;
    let shown = stage.rows.shown.borrow().clone();
    assert_eq!(shown.log, ["replaced 10", "undecodable a 11", "upserted b 12"]);
    assert_eq!((&shown.rows["a"], &shown.rows["b"]), (&(5, "v".into()), &(12, "w".into())));
    assert!(relist.is_not_older_than(12), "{}", relist.uri);
    relist.answer(200, list(13, &[object("a", 11, "bad"), object("b", 12, "w")]));
    let watch = stage.server.watch_at(13).await.accept();
    assert_eq!(stage.rows.shown.borrow().rows["a"], (5, "v".into()));

    // The same uid and version: no second list. Another version: one more, but not at once.
    watch.send(event("MODIFIED", &object("a", 14, "bad")));
    watch.send(event("MODIFIED", &object("c", 15, "bad")));
    let asked = Instant::now();
    let relist = stage.server.list().await;
    assert!(relist.at - asked >= Duration::from_secs(55), "lists follow each other too fast");
    relist.answer(200, list(20, &[object("a", 14, "bad"), object("b", 12, "w"), object("c", 15, "bad")]));
    let watch = stage.server.watch_at(20).await.accept();
    let now = |stage: &Stage| stage.metric("endpointslice_undecodable_objects", None);
    assert_eq!(now(&stage), 2.0);
    watch.send(event("MODIFIED", &object("a", 21, "good")));
    let shown = stage.rows.until_log("upserted a 21").await;
    assert_eq!(now(&stage), 1.0, "the errors stay counted, the object is fine again");
    assert_eq!(shown.rows["a"], (21, "good".into()));
    assert!(!shown.rows.contains_key("c"));
    assert_eq!(stage.metric("endpointslice_decode_errors_total", None), 6.0);
    assert_eq!(stage.restarts("undecodable"), 2.0);
}

#[tokio::test(start_paused = true)]
async fn pitfall_4_an_event_that_cannot_be_read_is_made_up_for_by_a_list() {
    for line in ["{\"type\":\"MODIFIED\",\"obj", r#"{"type":"ADDED","object":{"metadata":{"name":7}}}"#, "{}"]
    {
        let mut stage = Stage::new();
        let watch = stage.server.begin(10, &[object("a", 5, "v")]).await;
        watch.send(event("ADDED", &object("b", 12, "v")) + line + "\n" + &bookmark(14));
        let relist = stage.server.list().await;
        assert!(relist.is_not_older_than(12), "{}", relist.uri);
        assert!(!stage.handle.healthy(), "an event was lost");
        assert_eq!(stage.handle.version(), 12, "what came after the lost event was built on");
        relist.answer(200, list(15, &[object("a", 5, "v"), object("b", 12, "v"), object("c", 14, "v")]));
        let watch = stage.server.watch_at(15).await.accept();
        watch.send(bookmark(16));
        stage.handle.reached(16).await;
        assert_eq!(stage.rows.names(), ["a", "b", "c"]);
        assert!(stage.handle.healthy());
        assert_eq!(stage.metric("endpointslice_decode_errors_total", None), 1.0);
    }
}

#[tokio::test(start_paused = true)]
async fn pitfall_5_410_on_starting_a_watch_does_not_loop_at_the_same_version() {
    let mut stage = Stage::new();
    stage.server.list().await.answer(200, list(10, &[]));
    stage.server.watch_at(10).await.answer(410, status(410, "Expired"));
    let relist = stage.server.list().await;
    assert!(relist.is_not_older_than(10), "{}", relist.uri);
    // A cache that is still at the version which has expired.
    relist.answer(200, list(10, &[]));
    let again = stage.server.watch_at(10).await;
    let at = again.at;
    again.answer(410, status(410, "Expired"));
    let consistent = stage.server.list().await;
    assert!(consistent.is_consistent(), "{}", consistent.uri);
    assert!(consistent.at - at >= Duration::from_millis(800), "no pause");
    consistent.answer(200, list(50, &[]));
    let watch = stage.server.watch_at(50).await.accept();
    watch.send(bookmark(51));
    stage.handle.reached(51).await;
    assert_eq!(stage.restarts("expired"), 2.0);
}

#[tokio::test(start_paused = true)]
async fn pitfall_6_a_relist_may_be_answered_from_the_cache_but_never_by_any_version() {
    let mut stage = Stage::new();
    for mode in [ListMode::Paged, ListMode::Streaming] {
        let mut streaming =
            Stage::with(StreamConfig { list_mode: mode, ..StreamConfig::new("things", "/things") });
        let first = streaming.server.next().await;
        assert_ne!(first.query("resourceVersion").as_deref(), Some("0"), "{}", first.uri);
    }
    let watch = stage.server.begin(10, &[]).await;
    watch.send(event("ERROR", &status(410, "Gone")));
    let relist = stage.server.list().await;
    assert!(relist.is_not_older_than(10), "{}", relist.uri);
}

#[tokio::test(start_paused = true)]
async fn pitfall_7_a_server_without_streaming_lists_is_asked_page_by_page() {
    let config = || StreamConfig { list_mode: ListMode::Streaming, ..StreamConfig::new("things", "/things") };
    // It refuses the parameter.
    for code in [400, 422] {
        let mut stage = Stage::with(config());
        stage.server.next().await.answer(code, status(code, "Invalid"));
        let paged = stage.server.list().await;
        assert!(paged.is_consistent() && paged.query("limit").is_some(), "{}", paged.uri);
    }
    // It ignores the parameter: events come, then a bookmark that ends nothing.
    let mut stage = Stage::with(config());
    let body = stage.server.next().await.accept();
    body.send(event("ADDED", &object("a", 5, "v")));
    body.send(bookmark(9));
    stage.server.list().await.answer(200, list(10, &[object("a", 5, "v")]));
    let watch = stage.server.watch_at(10).await.accept();
    assert_eq!(stage.rows.log(), ["replaced 10"]);
    // And so for good.
    watch.send(event("ERROR", &status(410, "Gone")));
    stage.server.list().await;
}

#[tokio::test(start_paused = true)]
async fn pitfall_7_a_streaming_list_does_not_go_back_in_time() {
    let mut stage = Stage::with(StreamConfig {
        list_mode: ListMode::Streaming,
        ..StreamConfig::new("things", "/things")
    });
    let end = |version: u64| {
        let annotations = r#""annotations":{"k8s.io/initial-events-end":"true"}"#;
        event("BOOKMARK", &format!(r#"{{"metadata":{{"resourceVersion":"{version}",{annotations}}}}}"#))
    };
    let body = stage.server.next().await.accept();
    body.send(event("ADDED", &object("a", 5, "v")) + &end(10));
    stage.handle.until_synced().await;
    body.send(event("ERROR", &status(410, "Gone")));
    let relist = stage.server.next().await;
    assert!(relist.is_not_older_than(10), "{}", relist.uri);
    let old = relist.accept();
    old.send(end(4));
    let again = stage.server.next().await;
    assert!(again.is_not_older_than(10), "{}", again.uri);
    assert_eq!(stage.rows.names(), ["a"]);
    old.dropped().await;
}
