//! Lists: whole, fresh, and believed only when they may be.

use super::*;

#[tokio::test(start_paused = true)]
async fn the_first_list_is_consistent_and_paged_and_shown_in_one_piece() {
    let mut stage = Stage::new();
    let first = stage.server.list().await;
    assert!(first.is_consistent(), "{}", first.uri);
    assert_eq!(first.query("limit").as_deref(), Some("500"));
    first.answer(200, page(10, "a b/=", &[object("a", 3, "v")]));
    let second = stage.server.list().await;
    assert_eq!(second.query("continue").as_deref(), Some("a%20b%2F%3D"));
    assert_eq!(second.query("resourceVersion"), None, "a token names its version itself");
    assert!(!stage.handle.synced() && stage.rows.log().is_empty(), "a part of a list was shown");
    second.answer(200, page(10, "", &[object("b", 4, "v")]));
    let _watch = stage.server.watch_at(10).await.accept();
    assert_eq!(stage.rows.log(), ["replaced 10"]);
    assert_eq!(stage.rows.names(), ["a", "b"]);
    assert!(stage.handle.synced() && stage.handle.healthy());
    assert_eq!(stage.handle.version(), 10);
}

#[tokio::test(start_paused = true)]
async fn selectors_and_metadata_only_are_asked_for() {
    let mut stage = Stage::with(StreamConfig {
        label_selector: Some("managed-by in (a,b)".into()),
        field_selector: Some("x!=y".into()),
        metadata_only: true,
        page_size: 7,
        ..StreamConfig::new("things", "/apis/test/v1/things")
    });
    let selectors = "labelSelector=managed-by%20in%20%28a%2Cb%29&fieldSelector=x%21%3Dy&";
    let request = stage.server.list().await;
    assert!(request.uri.starts_with(&format!("/apis/test/v1/things?{selectors}limit=7")), "{}", request.uri);
    assert!(request.accept.starts_with("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"));
    request.answer(200, list(5, &[]));
    let watch = stage.server.watch_at(5).await;
    assert!(watch.uri.starts_with(&format!("/apis/test/v1/things?{selectors}watch=true")), "{}", watch.uri);
    assert!(watch.accept.starts_with("application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"));
}

#[tokio::test(start_paused = true)]
async fn a_page_that_fails_is_fetched_again_and_the_others_are_kept() {
    let mut stage = Stage::new();
    stage.server.list().await.answer(200, page(10, "next", &[object("a", 3, "v")]));
    stage.server.list().await.answer(500, "broken");
    let cut = page(10, "", &[object("b", 4, "v"), object("c", 5, "v")]);
    stage.server.list().await.answer(200, &cut[..cut.len() - 40]);
    let third = stage.server.list().await;
    assert_eq!(third.query("continue").as_deref(), Some("next"));
    third.answer(200, cut);
    stage.rows.until_log("replaced 10").await;
    assert_eq!(stage.rows.names(), ["a", "b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_expires_in_the_middle_of_a_list_makes_one_whole_list() {
    let mut stage = Stage::new();
    stage.server.list().await.answer(200, page(10, "next", &[object("gone", 3, "v")]));
    stage.server.list().await.answer(410, status(410, "Expired"));
    let whole = stage.server.list().await;
    assert!(whole.is_consistent() && whole.query("limit").is_none(), "{}", whole.uri);
    whole.answer(200, list(20, &[object("b", 4, "v")]));
    stage.rows.until_log("replaced 20").await;
    assert_eq!(stage.rows.names(), ["b"], "the first page belonged to another version");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_refused_is_not_sent_for_ever() {
    let mut stage = Stage::new();
    stage.server.list().await.answer(200, page(10, "next", &[object("a", 3, "v")]));
    stage.server.list().await.answer(400, status(400, "BadRequest"));
    let first = stage.server.list().await;
    assert!(first.is_consistent(), "{}", first.uri);
    first.answer(200, list(11, &[object("b", 4, "v")]));
    stage.rows.until_log("replaced 11").await;
    assert_eq!(stage.rows.names(), ["b"]);
}

#[tokio::test(start_paused = true)]
async fn pages_of_different_versions_are_not_one_list() {
    let mut stage = Stage::new();
    stage.server.list().await.answer(200, page(10, "next", &[object("a", 3, "v")]));
    stage.server.list().await.answer(200, page(12, "", &[object("b", 11, "v")]));
    let whole = stage.server.list().await;
    assert!(whole.query("limit").is_none(), "{}", whole.uri);
    assert!(stage.rows.log().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_not_a_list_is_not_taken_for_an_empty_one() {
    let mut stage = Stage::new();
    stage.server.list().await.answer(200, "{}");
    stage.server.list().await.answer(200, r#"{"metadata":{"resourceVersion":"7"}}"#);
    stage.server.list().await.answer(200, r#"{"metadata":{},"items":[]}"#);
    stage.server.list().await.answer(200, "");
    assert!(stage.rows.log().is_empty());
    stage.server.list().await.answer(200, r#"{"items":null,"metadata":{"resourceVersion":"7"}}"#);
    stage.rows.until_log("replaced 7").await;
}

#[tokio::test(start_paused = true)]
async fn pitfall_2_a_page_has_a_time_limit() {
    let mut stage = Stage::new();
    let never = stage.server.list().await;
    let again = stage.server.list().await;
    let waited = again.at - never.at;
    assert!(waited >= Duration::from_secs(60) && waited < Duration::from_secs(62), "{waited:?}");
    let body = again.accept();
    body.send("{\"items\":[");
    stage.server.list().await.answer(200, list(7, &[]));
    stage.rows.until_log("replaced 7").await;
}

#[tokio::test(start_paused = true)]
async fn a_relist_that_lacks_something_is_followed_by_a_consistent_one_before_it_is_shown() {
    let mut stage = Stage::new();
    let watch = stage.server.begin(10, &things(1..4)).await;
    watch.send(event("ERROR", &status(410, "Expired")));
    let relist = stage.server.list().await;
    assert!(relist.is_not_older_than(10), "{}", relist.uri);
    relist.answer(200, list(12, &things(2..5)));
    let consistent = stage.server.list().await;
    assert!(consistent.is_consistent(), "{}", consistent.uri);
    assert_eq!(stage.rows.log(), ["replaced 10"]);
    consistent.answer(200, list(13, &things(1..5)));
    stage.rows.until_log("replaced 13").await;
    assert_eq!(stage.rows.names().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_relist_that_lacks_nothing_is_shown_at_once() {
    let mut stage = Stage::new();
    let watch = stage.server.begin(10, &things(1..4)).await;
    watch.send(event("ERROR", &status(410, "Expired")));
    stage.server.list().await.answer(200, list(12, &things(1..5)));
    let _watch = stage.server.watch_at(12).await.accept();
    assert_eq!(stage.rows.log(), ["replaced 10", "replaced 12"]);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_removes_more_than_half_needs_a_second_one() {
    let mut stage = Stage::new();
    let _watch = stage.server.begin(100, &things(1..41)).await;
    let handle = stage.handle.clone();
    let relist = tokio::spawn(async move { handle.relist().await });
    stage.server.list().await.answer(200, list(110, &things(1..11)));
    let second = stage.server.list().await;
    assert!(second.is_consistent(), "{}", second.uri);
    assert_eq!(stage.rows.names().len(), 40, "one list alone was believed");
    assert_eq!(stage.restarts("brake"), 1.0);
    second.answer(200, list(111, &things(1..36)));
    assert_eq!(relist.await.unwrap(), 111);
    assert_eq!(stage.rows.names().len(), 35);

    let _watch = stage.server.watch_at(111).await.accept();
    let handle = stage.handle.clone();
    let relist = tokio::spawn(async move { handle.relist().await });
    for version in [120, 121] {
        stage.server.list().await.answer(200, list(version, &[]));
    }
    assert_eq!(relist.await.unwrap(), 121);
    assert!(stage.rows.names().is_empty(), "two agree");
}

#[tokio::test(start_paused = true)]
async fn a_list_older_than_what_was_shown_is_refused() {
    let mut stage = Stage::new();
    let watch = stage.server.begin(10, &things(1..4)).await;
    watch.send(event("ERROR", &status(410, "Expired")));
    stage.server.list().await.answer(200, list(9, &things(1..3)));
    let again = stage.server.list().await;
    assert!(again.is_not_older_than(10), "another API server may be fresher: {}", again.uri);
    assert!(!stage.handle.healthy(), "what is held is not to be planned from");
    again.answer(504, too_large());
    let deciding = stage.server.list().await;
    assert!(deciding.is_consistent(), "{}", deciding.uri);
    deciding.answer(200, list(15, &things(1..4)));
    let _watch = stage.server.watch_at(15).await.accept();
    assert_eq!(stage.rows.log(), ["replaced 10", "replaced 15"]);
    assert!(stage.handle.healthy());
}

#[tokio::test(start_paused = true)]
async fn versions_that_went_back_for_good_are_believed_after_a_consistent_read() {
    let mut stage = Stage::new();
    *stage.rows.picky.lock() = true;
    let watch = stage.server.begin(10, &[object("a", 5, "before"), object("b", 6, "v")]).await;
    watch.send(event("ERROR", &status(410, "Expired")));
    stage.server.list().await.answer(504, too_large());
    stage.server.list().await.answer(504, too_large());
    stage.server.list().await.answer(200, list(7, &[object("a", 5, "after")]));
    let _watch = stage.server.watch_at(7).await.accept();
    let shown = stage.rows.until_log("replaced 7").await;
    assert_eq!(shown.log, ["replaced 10", "restored", "replaced 7"]);
    assert_eq!(shown.rows["a"].1, "after", "the same uid and version may be another state after a restore");
    assert_eq!(stage.handle.version(), 7);
}

#[tokio::test(start_paused = true)]
async fn one_consistent_list_that_is_old_is_asked_for_again() {
    let mut stage = Stage::new();
    let _watch = stage.server.begin(10, &things(1..3)).await;
    let handle = stage.handle.clone();
    let relist = tokio::spawn(async move { handle.relist().await });
    stage.server.list().await.answer(200, list(8, &things(1..2)));
    let again = stage.server.list().await;
    assert!(again.is_consistent() && stage.rows.names().len() == 2);
    again.answer(200, list(11, &things(1..3)));
    assert_eq!(relist.await.unwrap(), 11);
    assert_eq!(stage.rows.log(), ["replaced 10", "replaced 11"]);
}

#[tokio::test(start_paused = true)]
async fn relist_waits_for_a_consistent_list_that_began_after_it() {
    let mut stage = Stage::new();
    let first = stage.server.list().await;
    let ask = |stage: &Stage| {
        let handle = stage.handle.clone();
        tokio::spawn(async move { handle.relist().await })
    };
    let (one, two) = (ask(&stage), ask(&stage));
    tokio::task::yield_now().await;
    first.answer(200, list(10, &things(1..3)));
    stage.server.list().await.answer(200, list(11, &things(1..3)));
    assert_eq!((one.await.unwrap(), two.await.unwrap()), (11, 11), "they share one list");
    let watch = stage.server.watch_at(11).await.accept();
    let three = ask(&stage);
    stage.server.list().await.answer(200, list(12, &things(1..3)));
    assert_eq!(three.await.unwrap(), 12);
    watch.dropped().await;
    // Also while a watch is being opened.
    let _opening = stage.server.watch_at(12).await;
    let four = ask(&stage);
    stage.server.list().await.answer(200, list(13, &things(1..3)));
    assert_eq!(four.await.unwrap(), 13);
    assert_eq!(stage.restarts("asked"), 2.0);
}

#[tokio::test(start_paused = true)]
async fn what_the_sink_holds_is_not_decoded_again() {
    let mut stage = Stage::new();
    *stage.rows.picky.lock() = true;
    let watch = stage.server.begin(10, &[object("a", 5, "v"), object("b", 6, "v")]).await;
    watch.send(event("ERROR", &status(410, "Expired")));
    // Would be undecodable if it were decoded.
    stage.server.list().await.answer(200, list(12, &[object("a", 5, "bad"), object("b", 11, "w")]));
    let watch = stage.server.watch_at(12).await.accept();
    watch.send(event("MODIFIED", &object("b", 11, "bad").replace("\"11\"", "\"13\"")));
    watch.send(event("MODIFIED", &object("b", 14, "x")));
    stage.rows.until_log("upserted b 14").await;
    watch.send(event("MODIFIED", &object("b", 14, "bad")));
    let shown = stage.rows.until_log("bookmark 14").await;
    assert_eq!(shown.rows["a"], (5, "v".into()));
    assert_eq!(stage.metric("endpointslice_decode_errors_total", None), 1.0, "only the one of version 13");
}
