use prost::Message;
use prost::encoding::{encode_key, encode_varint};

use super::*;
use crate::kubeapi::decode::wire::Objects;
use crate::model::Uid;

/// A field with a length.
fn lengthy(number: u32, value: &[u8]) -> Vec<u8> {
    let mut field = Vec::new();
    encode_key(number, prost::encoding::WireType::LengthDelimited, &mut field);
    encode_varint(value.len() as u64, &mut field);
    field.extend_from_slice(value);
    field
}

fn object(name: &str, version: &str) -> Vec<u8> {
    let parts = [(1, name), (3, "ns"), (5, "uid-a"), (6, version)];
    let meta: Vec<u8> =
        parts.into_iter().flat_map(|(number, text)| lengthy(number, text.as_bytes())).collect();
    let managed = lengthy(17, &[7; 300]);
    lengthy(1, &[meta, managed].concat())
}

fn enveloped(kind: &str, raw: &[u8]) -> Vec<u8> {
    let type_meta = [lengthy(1, b"v1"), lengthy(2, kind.as_bytes())].concat();
    let rest = [lengthy(3, b""), lengthy(4, b"")].concat();
    [MAGIC.to_vec(), lengthy(1, &type_meta), lengthy(2, raw), rest].concat()
}

fn list(items: &[Vec<u8>]) -> Vec<u8> {
    let meta = lengthy(1, &[lengthy(1, b""), lengthy(2, b"10245"), lengthy(3, b"token")].concat());
    let items: Vec<u8> = items.iter().flat_map(|item| lengthy(2, item)).collect();
    enveloped("PodList", &[meta, items].concat())
}

fn split(body: &[u8], chunk: usize) -> Result<(Vec<Vec<u8>>, ListEnd), SplitError> {
    let mut objects = Objects::of(Wire::Protobuf);
    let mut all = Vec::new();
    for chunk in body.chunks(chunk) {
        objects.push(chunk);
        while let Some(object) = objects.next_object()? {
            all.push(object.to_vec());
        }
    }
    Ok((all, objects.finish()?))
}

#[test]
fn a_protobuf_list_is_cut_into_the_same_objects_wherever_it_is_split() {
    let items = [object("a", "1"), Vec::new(), object("b", "2")];
    let body = list(&items);
    for chunk in 1..=body.len() {
        let (found, end) = split(&body, chunk).unwrap();
        assert_eq!(found, items, "{chunk}");
        assert_eq!(end, ListEnd { version: 10245, next: Some("token".into()), items: true }, "{chunk}");
    }
}

#[test]
fn of_a_protobuf_list_no_more_than_one_object_is_held_back() {
    let body = list(&[object("a", "1"), object("b", "2")]);
    let mut objects = Objects::of(Wire::Protobuf);
    objects.push(&body[..body.len() - 20]);
    assert_eq!(objects.next_object().unwrap().as_deref(), Some(&*object("a", "1")));
    assert_eq!(objects.next_object(), Ok(None));
}

#[test]
fn a_protobuf_body_that_is_not_a_whole_list_is_refused() {
    let body = list(&[object("a", "1"), object("b", "2")]);
    let whole = split(&body, 64).unwrap().0.len();
    // What follows the list in the envelope says nothing: a body that ends there is whole.
    let needed = body.len() - 4;
    for at in 0..needed {
        match split(&body[..at], 50) {
            Err(SplitError::Truncated(bytes)) => assert_eq!(bytes, at),
            other => panic!("{at} of {needed} bytes of a list of {whole}: {other:?}"),
        }
    }
    assert!(matches!(split(b"{\"kind\":\"PodList\"}", 5), Err(SplitError::Message { at: 0, .. })));
    let (_, end) = split(&enveloped("Status", &lengthy(2, b"Failure")), 9).unwrap();
    assert!(!end.items, "a Status is no list");
    let too_long = enveloped("PodList", &[0x0a, 0x7f, 1]);
    assert!(matches!(split(&too_long, 99), Err(SplitError::Message { .. })));
}

#[test]
fn a_protobuf_version_that_is_no_number_is_told() {
    let body = enveloped("PodList", &lengthy(1, &lengthy(2, b"x7")));
    assert_eq!(
        split(&body, 99).unwrap_err().to_string(),
        "metadata of the list: resourceVersion \"x7\": expected a decimal number"
    );
}

fn event(kind: &str, enveloped: &[u8]) -> Vec<u8> {
    let event = [lengthy(1, kind.as_bytes()), lengthy(2, &lengthy(1, enveloped))].concat();
    [(event.len() as u32).to_be_bytes().to_vec(), event].concat()
}

#[test]
fn protobuf_frames_are_cut_and_opened_wherever_they_are_split() {
    let events = [
        event("ADDED", &enveloped("Pod", &object("a", "7"))),
        event("DELETED", &enveloped("Pod", &object("b", "8"))),
    ];
    let stream = events.concat();
    for chunk in 1..=stream.len() {
        let mut frames = Frames::of(Wire::Protobuf);
        let mut found = Vec::new();
        for chunk in stream.chunks(chunk) {
            frames.push(chunk);
            while let Some(frame) = frames.next_frame().unwrap() {
                let frame = Wire::Protobuf.read_frame(&frame).unwrap();
                let meta = crate::model::wire::protobuf::peek_meta(frame.object).unwrap();
                found.push((frame.kind, meta.key.to_string(), meta.version));
            }
        }
        assert!(frames.between_frames());
        assert_eq!(
            found,
            [(FrameKind::Upserted, "ns/a".to_owned(), 7), (FrameKind::Deleted, "ns/b".to_owned(), 8)],
            "{chunk}"
        );
    }
    let mut frames = Frames::of(Wire::Protobuf);
    frames.push(&stream[..9]);
    assert!(matches!(frames.next_frame(), Ok(None)) && !frames.between_frames());
}

#[test]
fn a_length_that_no_frame_has_is_an_error_and_not_waited_for() {
    let mut frames = Frames::of(Wire::Protobuf);
    frames.push(b"{\"type\":\"ADDED\"}");
    assert!(frames.next_frame().unwrap_err().to_string().contains("expected at most"));
}

#[test]
fn what_is_no_watch_event_says_why() {
    for (frame, why) in [
        (Vec::new(), "no type"),
        (lengthy(1, &[0xff]), "no text"),
        ([lengthy(1, b"ADDED"), lengthy(2, &lengthy(1, b"{}"))].concat(), "envelope"),
        (lengthy(1, b"ADDED"), "envelope"),
    ] {
        let error = Wire::Protobuf.read_frame(&frame).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
    let unknown = [lengthy(1, b"NEWS"), lengthy(2, &lengthy(1, b""))].concat();
    assert_eq!(Wire::Protobuf.read_frame(&unknown).unwrap().kind, FrameKind::Unknown("NEWS".into()));
}

#[test]
fn a_protobuf_bookmark_has_a_version_and_may_end_a_list() {
    let bookmark = |annotation: &[u8]| {
        let entry = [lengthy(1, b"k8s.io/initial-events-end"), lengthy(2, annotation)].concat();
        lengthy(1, &[lengthy(6, b"9"), lengthy(12, &entry)].concat())
    };
    let read = |object: &[u8]| Wire::Protobuf.read_bookmark(object);
    assert_eq!(read(&bookmark(b"true")).unwrap(), BookmarkFrame { version: 9, initial_events_end: true });
    assert_eq!(read(&bookmark(b"false")).unwrap(), BookmarkFrame { version: 9, initial_events_end: false });
    assert!(read(b"").is_err());
}

#[test]
fn a_protobuf_status_is_read_from_its_envelope() {
    let status = ProtobufStatus {
        message: "too old".into(),
        reason: "Expired".into(),
        code: 410,
        details: Some(protobuf::StatusDetails {
            causes: vec![protobuf::StatusCause { reason: "X".into(), message: "Y".into() }],
            retry_after_seconds: 3,
        }),
    };
    let body = enveloped("Status", &status.encode_to_vec());
    assert_eq!(read_status(&body), Some(status));
    assert_eq!(read_status(br#"{"kind":"Status"}"#), None);
}

#[test]
fn of_a_message_that_cannot_be_decoded_the_metadata_is_asked_for_in_vain_or_found() {
    let meta = crate::model::wire::protobuf::peek_meta(&object("a", "x")).unwrap();
    assert_eq!((meta.key.to_string(), meta.uid, meta.version), ("ns/a".to_owned(), Uid::new("uid-a"), 0));
    for broken in [b"\xff\xff".as_slice(), b"", &object("", "1")] {
        assert!(crate::model::wire::protobuf::peek_meta(broken).is_err());
    }
}

#[test]
fn the_format_is_the_one_that_the_answer_names() {
    for (content_type, wire) in [
        ("application/vnd.kubernetes.protobuf", Wire::Protobuf),
        ("application/vnd.kubernetes.protobuf;stream=watch", Wire::Protobuf),
        ("application/json", Wire::Json),
        ("", Wire::Json),
    ] {
        assert_eq!(Wire::of(content_type), wire, "{content_type}");
    }
}
