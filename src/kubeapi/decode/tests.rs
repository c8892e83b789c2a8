use super::*;
use crate::model::Uid;

fn split(text: &str, chunk: usize) -> Result<(Vec<String>, ListEnd), SplitError> {
    let mut splitter = ListSplitter::default();
    let mut objects = Vec::new();
    for chunk in text.as_bytes().chunks(chunk) {
        splitter.push(chunk);
        while let Some(object) = splitter.next_object()? {
            objects.push(String::from_utf8_lossy(&object).into_owned());
        }
    }
    Ok((objects, splitter.finish()?))
}

const LIST: &str = r#" {"kind":"PodList", "apiVersion":"v1",
  "metadata":{"resourceVersion":"10245","continue":"tok\"en","remainingItemCount":3},
  "items":[ {"a":"}],\"{"} ,{"b":[1,{"c":"\\"}]},null, 7 ,"x,]"], "later":{"items":[1]}, "flag":true}
"#;

#[test]
fn a_list_is_cut_into_the_same_objects_wherever_it_is_split() {
    for chunk in 1..=LIST.len() {
        let (objects, end) = split(LIST, chunk).unwrap();
        assert_eq!(
            objects,
            [r#"{"a":"}],\"{"}"#, r#"{"b":[1,{"c":"\\"}]}"#, "null", "7", r#""x,]""#],
            "{chunk}"
        );
        assert_eq!(end, ListEnd { version: 10245, next: Some("tok\"en".into()), items: true });
    }
}

#[test]
fn no_more_than_one_object_is_held_back() {
    let mut splitter = ListSplitter::default();
    splitter.push(br#"{"metadata":{"resourceVersion":"1"},"items":[{"a":1},{"b":"#);
    assert_eq!(splitter.next_object().unwrap().as_deref(), Some(br#"{"a":1}"#.as_slice()));
    assert_eq!(splitter.next_object(), Ok(None));
    splitter.push(b"2}]}");
    assert_eq!(splitter.next_object().unwrap().as_deref(), Some(br#"{"b":2}"#.as_slice()));
}

#[test]
fn an_empty_list_may_be_null() {
    for text in [
        r#"{"metadata":{"resourceVersion":"5"},"items":null}"#,
        r#"{"items":[],"metadata":{"resourceVersion":"5"}}"#,
    ] {
        let (objects, end) = split(text, 3).unwrap();
        assert!(objects.is_empty() && end.items && end.version == 5 && end.next.is_none());
    }
    let (_, end) = split(r#"{"kind":"Status"}"#, 100).unwrap();
    assert!(!end.items);
}

#[test]
fn a_body_that_is_not_a_whole_list_is_refused() {
    for at in 1..LIST.trim_end().len() {
        assert!(matches!(split(&LIST[..at], 50), Err(SplitError::Truncated(n)) if n == at), "{at}");
    }
    for text in ["[]", "{\"items\":[}", "{]", "{\"items\" []}", "{} {}", "<html>", "{\"items\":[1}}"] {
        assert!(matches!(split(text, 100), Err(SplitError::Unexpected { .. })), "{text}");
    }
    let text = r#"{"metadata":{"resourceVersion":"abc"},"items":[]}"#;
    assert_eq!(
        split(text, 100).unwrap_err().to_string(),
        "metadata of the list: resourceVersion \"abc\": expected a decimal number"
    );
}

#[test]
fn frames_are_lines_wherever_they_are_split() {
    let text = "{\"a\":1}\r\n\n{\"b\":\"\\n\"}\n{\"c\":";
    for chunk in 1..=text.len() {
        let mut splitter = FrameSplitter::default();
        let mut frames = Vec::new();
        for chunk in text.as_bytes().chunks(chunk) {
            splitter.push(chunk);
            while let Some(frame) = splitter.next_frame() {
                frames.push(String::from_utf8_lossy(frame.trim_ascii()).into_owned());
            }
        }
        assert_eq!(frames, [r#"{"a":1}"#, r#"{"b":"\n"}"#]);
        assert!(!splitter.between_frames());
    }
}

#[test]
fn metadata_is_read_in_any_order_and_nothing_behind_it() {
    let expected = Meta {
        key: crate::model::Key::new("ns", "a"),
        uid: Uid::new("6f2d9b1e-0c4a-4f6e-9d55-3d1f0a7b8c9e"),
        version: 12,
    };
    let uid = "6f2d9b1e-0c4a-4f6e-9d55-3d1f0a7b8c9e";
    for text in [
        format!(r#"{{"metadata":{{"name":"a","namespace":"ns","uid":"{uid}","resourceVersion":"12","x":<<<"#),
        format!(
            r#"{{"kind":"Pod","metadata":{{"labels":{{"name":"no"}},"resourceVersion":"12","uid":"{uid}","name":"a","namespace":"ns"}},"spec":{{}}}}"#
        ),
        format!(
            r#"{{"metadata":{{"n\u0061me":"\u0061","namespace":"ns","uid":"{uid}","resourceVersion":"12"}},"spec":"#
        ),
    ] {
        assert_eq!(peek_meta(text.as_bytes()).unwrap(), expected, "{text}");
    }
}

#[test]
fn metadata_of_an_undecodable_object_is_read_as_far_as_possible() {
    let meta =
        peek_meta(br#"{"metadata":{"name":"a","namespace":null,"resourceVersion":"new","uid":5}}"#).unwrap();
    assert_eq!((meta.key.to_string(), meta.version), ("a".to_owned(), 0));
    assert!(meta.uid.is_empty());
    // What is wrong behind the metadata does not matter, bytes that are no text neither.
    assert_eq!(
        peek_meta(b"{\"metadata\":{\"name\":\"a\"},\"spec\":{\"x\":\"\xff\"}}").unwrap().key.to_string(),
        "a"
    );
    for (text, message) in [
        ("{}", "object: metadata.name is missing"),
        (r#"{"metadata":{"name":""}}"#, "object: metadata.name is missing"),
        (
            "null",
            "object: metadata.name cannot be read: invalid type: null, expected an object with metadata",
        ),
    ] {
        let error = peek_meta(text.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
    }
}

#[test]
fn it_agrees_with_the_full_reading_of_metadata() {
    let pod = br#"{"apiVersion":"v1","metadata":{"annotations":{"uid":"x"},"name":"web-1","namespace":"shop","resourceVersion":"7","uid":"u-1"}}"#;
    assert_eq!(peek_meta(pod).unwrap(), crate::model::wire::read_meta(pod).unwrap());
}

#[test]
fn frames_and_bookmarks_are_read() {
    let kind = |text: &str| Wire::Json.read_frame(text.as_bytes()).unwrap().kind;
    assert_eq!(kind(r#"{"type":"ADDED","object":{}}"#), FrameKind::Upserted);
    assert_eq!(kind(r#"{"object":{},"type":"MODIFIED"}"#), FrameKind::Upserted);
    assert_eq!(kind(r#"{"type":"DELETED","object":{}}"#), FrameKind::Deleted);
    assert_eq!(kind(r#"{"type":"ERROR"}"#), FrameKind::Error);
    assert_eq!(kind(r#"{"type":"HUH","object":{}}"#), FrameKind::Unknown("HUH".into()));
    assert!(Wire::Json.read_frame(br#"{"object":{}}"#).is_err());
    assert_eq!(
        Wire::Json.read_frame(br#"{"type":"ADDED","object":{"a": 1}}"#).unwrap().object,
        br#"{"a": 1}"#
    );

    let bookmark = Wire::Json
        .read_bookmark(br#"{"kind":"Pod","metadata":{"resourceVersion":"9","annotations":null},"spec":{}}"#);
    assert_eq!(bookmark.unwrap(), BookmarkFrame { version: 9, initial_events_end: false });
    let bookmark = Wire::Json.read_bookmark(
        br#"{"metadata":{"resourceVersion":"9","annotations":{"k8s.io/initial-events-end":"true"}}}"#,
    );
    assert!(bookmark.unwrap().initial_events_end);
    assert!(Wire::Json.read_bookmark(b"{}").is_err());
}
