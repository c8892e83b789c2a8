//! Watches: resumed where they ended, believed only forwards.

use super::*;

#[tokio::test(start_paused = true)]
async fn events_are_shown_in_order_and_version_follows_them() {
    let mut stage = Stage::new();
    let watch = stage.server.begin(10, &[object("a", 5, "v")]).await;
    watch.send(event("ADDED", &object("b", 11, "v")));
    watch.send(event("MODIFIED", &object("a", 12, "w")));
    watch.send(event("DELETED", &object("b", 13, "v")));
    watch.send(bookmark(17));
    stage.handle.reached(17).await;
    let log = ["replaced 10", "upserted b 11", "upserted a 12", "deleted b 13", "bookmark 17"];
    assert_eq!(stage.rows.log(), log);
    assert_eq!(stage.handle.version(), 17);
}

#[tokio::test(start_paused = true)]
async fn a_watch_asks_for_bookmarks_and_an_end_of_its_own() {
    let mut stage = Stage::new();
    stage.server.list().await.answer(200, list(10, &[]));
    let watch = stage.server.watch_at(10).await;
    assert_eq!(watch.query("allowWatchBookmarks").as_deref(), Some("true"));
    let seconds: u32 = watch.query("timeoutSeconds").unwrap().parse().unwrap();
    assert!((290..=580).contains(&seconds), "{seconds}");
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_ends_is_resumed_at_its_last_version_without_a_list() {
    let mut stage = Stage::new();
    let watch = stage.server.begin(10, &[]).await;
    watch.send(bookmark(42));
    stage.handle.reached(42).await;
    tokio::time::advance(Duration::from_secs(60)).await;
    let ended = Instant::now();
    drop(watch);
    let again = stage.server.watch_at(42).await;
    assert_eq!(again.at, ended, "a clean end costs no pause");
    assert_eq!(stage.restarts("end"), 1.0);
}

#[tokio::test(start_paused = true)]
async fn watches_that_end_at_once_do_not_make_a_hot_loop() {
    let mut stage = Stage::new();
    drop(stage.server.begin(10, &[]).await);
    let begin = Instant::now();
    for _ in 0..10 {
        drop(stage.server.watch_at(10).await.accept());
    }
    assert!(begin.elapsed() > Duration::from_secs(60), "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn frames_may_be_split_anywhere_and_be_huge() {
    let mut stage = Stage::new();
    let watch = stage.server.begin(10, &[]).await;
    let text =
        event("ADDED", &object("ä\\\"\\n}", 11, "ü")) + "\n \n" + &event("ADDED", &object("b", 12, "v"));
    for byte in text.as_bytes() {
        watch.0.send(Ok(Bytes::copy_from_slice(&[*byte]))).unwrap();
    }
    stage.handle.reached(12).await;
    let huge = event("MODIFIED", &object("b", 13, &"x".repeat(2_000_000)));
    for chunk in huge.as_bytes().chunks(1000) {
        watch.0.send(Ok(Bytes::copy_from_slice(chunk))).unwrap();
    }
    stage.handle.reached(13).await;
    let shown = stage.rows.shown.borrow().clone();
    assert_eq!(shown.rows["b"].1.len(), 2_000_000);
    assert_eq!(shown.rows["ä\"\n}"].1, "ü");
}

#[tokio::test(start_paused = true)]
async fn a_watch_cut_off_in_the_middle_of_an_event_is_opened_again() {
    let mut stage = Stage::new();
    let watch = stage.server.begin(10, &[]).await;
    let text = event("ADDED", &object("a", 11, "v")) + &event("ADDED", &object("b", 12, "v"));
    watch.send(&text[..text.len() - 10]);
    stage.handle.reached(11).await;
    drop(watch);
    let again = stage.server.watch_at(11).await.accept();
    again.send(event("ADDED", &object("b", 12, "v")));
    stage.handle.reached(12).await;
    assert_eq!(stage.rows.names(), ["a", "b"]);
    assert_eq!((stage.restarts("error"), stage.restarts("end")), (1.0, 0.0));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_breaks_is_resumed_with_growing_pauses() {
    let mut stage = Stage::new();
    stage.server.begin(10, &[]).await.reset();
    let mut last = Instant::now();
    let mut pauses = Vec::new();
    for _ in 0..8 {
        let request = stage.server.watch_at(10).await;
        pauses.push((request.at - last).as_secs_f64());
        last = request.at;
        request.refuse_connection();
    }
    assert!((0.8..1.3).contains(&pauses[0]), "{pauses:?}");
    assert!((3.2..4.9).contains(&pauses[2]), "{pauses:?}");
    assert!((29.9..30.1).contains(&pauses[7]), "{pauses:?}");
    // What a watch sends proves that it works again.
    let watch = stage.server.watch_at(10).await.accept();
    watch.send(bookmark(11));
    stage.handle.reached(11).await;
    let broken = Instant::now();
    watch.reset();
    let pause = (stage.server.watch_at(11).await.at - broken).as_secs_f64();
    assert!((0.8..1.3).contains(&pause), "{pause}");
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_obeyed_on_429_and_503() {
    let mut stage = Stage::new();
    let list = stage.server.list().await;
    let mut last = list.at;
    list.answer_after(429, Some(20), status(429, "TooManyRequests"));
    let again = stage.server.list().await;
    assert!(again.at - last >= Duration::from_secs(20), "{:?}", again.at - last);
    again.answer(200, super::list(10, &[]));
    let watch = stage.server.watch_at(10).await;
    last = watch.at;
    watch.answer_after(503, Some(40), "");
    let again = stage.server.watch_at(10).await;
    assert!(again.at - last >= Duration::from_secs(40), "{:?}", again.at - last);
    last = again.at;
    again.answer_after(500, Some(400), "");
    let pause = stage.server.watch_at(10).await.at - last;
    assert!(pause < Duration::from_secs(30), "a 500 does not mean it: {pause:?}");
}

#[tokio::test(start_paused = true)]
async fn a_stream_without_a_sign_of_life_is_opened_again_at_its_version_without_a_list() {
    let mut stage = Stage::new();
    let watch = stage.server.begin(10, &[]).await;
    tokio::time::advance(Duration::from_secs(50)).await;
    watch.send("\n");
    let alive = Instant::now();
    let again = stage.server.watch_at(10).await;
    assert_eq!(again.at - alive, Duration::from_secs(75), "any byte is a sign of life");
    assert!(!stage.handle.healthy(), "a dead stream keeps its loop from planning");
    assert_eq!(stage.metric("endpointslice_watch_last_event_age_seconds", None), 75.0);
    let _open = again.accept();
    watch.dropped().await;
    while !stage.handle.healthy() {
        tokio::task::yield_now().await;
    }
    assert_eq!(stage.restarts("silent"), 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_watch_whose_start_is_never_answered_is_given_up() {
    let mut stage = Stage::new();
    stage.server.list().await.answer(200, list(10, &[]));
    let never = stage.server.watch_at(10).await;
    let again = stage.server.watch_at(10).await;
    let waited = again.at - never.at;
    assert!(waited >= Duration::from_secs(30) && waited < Duration::from_secs(32), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn watches_that_stay_silent_from_end_to_end_are_looked_after_by_a_list() {
    let mut stage = Stage::new();
    let mut open = vec![stage.server.begin(10, &[object("a", 5, "v")]).await];
    for _ in 0..2 {
        open.push(stage.server.watch_at(10).await.accept());
    }
    // The version no longer exists: the watch at it was accepted, and silent.
    stage.server.list().await.answer(200, list(4, &[]));
    stage.server.list().await.answer(200, list(4, &[]));
    let _watch = stage.server.watch_at(4).await.accept();
    assert_eq!(stage.rows.log(), ["replaced 10", "restored", "replaced 4"]);
}

#[tokio::test(start_paused = true)]
async fn a_resource_of_which_nothing_is_written_is_watched_on_without_lists() {
    let mut stage = Stage::new();
    let mut open = vec![stage.server.begin(10, &[object("a", 5, "v")]).await];
    for _ in 0..3 {
        for _ in 0..2 {
            open.push(stage.server.watch_at(10).await.accept());
        }
        // The newest version is not older, so all is well.
        stage.server.list().await.answer(200, list(30, &[]));
        open.push(stage.server.watch_at(10).await.accept());
    }
    assert_eq!(stage.rows.log(), ["replaced 10"]);
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_goes_back_is_not_believed() {
    let mut stage = Stage::new();
    let watch = stage.server.begin(10, &[object("a", 5, "v"), object("b", 9, "v")]).await;
    watch.send(event("DELETED", &object("a", 8, "v")));
    let deciding = stage.server.list().await;
    assert!(deciding.is_consistent() && !stage.handle.healthy());
    assert_eq!(stage.rows.log(), ["replaced 10"]);
    deciding.answer(200, list(12, &[object("a", 5, "v"), object("b", 9, "v")]));
    let watch = stage.server.watch_at(12).await.accept();
    watch.send(bookmark(11));
    let deciding = stage.server.list().await;
    assert_eq!(stage.rows.log(), ["replaced 10", "replaced 12"]);
    assert!(deciding.is_consistent());
}

#[tokio::test(start_paused = true)]
async fn an_error_in_the_stream_is_not_an_expired_version() {
    let mut stage = Stage::new();
    let watch = stage.server.begin(10, &[]).await;
    watch.send(event("ERROR", &status(500, "InternalError")));
    let _again = stage.server.watch_at(10).await.accept();
    assert_eq!(stage.rows.log(), ["replaced 10"]);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_type_of_event_is_ignored() {
    let mut stage = Stage::new();
    let watch = stage.server.begin(10, &[]).await;
    watch.send(event("SURPRISE", &object("a", 11, "v")));
    watch.send(event("ADDED", &object("b", 12, "v")));
    stage.handle.reached(12).await;
    assert_eq!(stage.rows.names(), ["b"]);
    stage.server.assert_quiet();
}

#[tokio::test(start_paused = true)]
async fn a_withdrawn_permission_keeps_the_old_list_and_heals_by_itself() {
    let mut stage = Stage::new();
    let watch = stage.server.begin(10, &things(1..3)).await;
    watch.send(event("ERROR", &status(410, "Expired")));
    for code in [403, 401, 403, 403, 403, 403, 403, 403] {
        stage.server.list().await.answer(code, status(code, "Forbidden"));
    }
    assert_eq!(stage.rows.names().len(), 2);
    assert!(stage.handle.synced() && !stage.handle.healthy());
    stage.server.list().await.answer(200, list(20, &things(1..4)));
    let _watch = stage.server.watch_at(20).await.accept();
    assert_eq!(stage.rows.names().len(), 3);
    assert!(stage.handle.healthy());
}

#[tokio::test(start_paused = true)]
async fn a_denied_watch_ages() {
    let mut stage = Stage::new();
    drop(stage.server.begin(10, &[]).await);
    for _ in 0..8 {
        stage.server.watch_at(10).await.answer(403, status(403, "Forbidden"));
    }
    assert!(!stage.handle.healthy(), "an answer that denies is not a sign of life");
}
