//! Protobuf is asked for where it can be read, and JSON takes over where it says too little.

use super::*;
use crate::kubeapi::decode::{DecodeError, Either, MAGIC, Wire};

fn field(number: u8, value: &[u8]) -> Vec<u8> {
    assert!(value.len() < 128);
    [&[number << 3 | 2, value.len() as u8], value].concat()
}

/// An object whose value stands in field 2.
fn message(name: &str, version: &str, value: &str) -> Vec<u8> {
    let meta = [(1, name), (3, "ns"), (5, "uid"), (6, version)];
    let meta: Vec<u8> = meta.into_iter().flat_map(|(number, text)| field(number, text.as_bytes())).collect();
    [field(1, &meta), field(2, value.as_bytes())].concat()
}

fn enveloped(kind: &str, raw: &[u8]) -> Vec<u8> {
    [MAGIC, &field(1, &field(2, kind.as_bytes())), &field(2, raw)].concat()
}

fn protobuf_list(version: &str, items: &[Vec<u8>]) -> Vec<u8> {
    let items: Vec<u8> = items.iter().flat_map(|item| field(2, item)).collect();
    enveloped("ThingList", &[field(1, &field(2, version.as_bytes())), items].concat())
}

fn protobuf_event(kind: &str, enveloped: &[u8]) -> Vec<u8> {
    let event = [field(1, kind.as_bytes()), field(2, &field(1, enveloped))].concat();
    [(event.len() as u32).to_be_bytes().to_vec(), event].concat()
}

fn decode_message(object: &[u8]) -> Result<Row, DecodeError> {
    let value = crate::model::wire::protobuf::field(object, 2).unwrap_or_default();
    match std::str::from_utf8(value) {
        Ok("only in JSON") | Err(_) => {
            Err(DecodeError { kind: "Thing", message: "field 9 is not known".to_owned() })
        }
        Ok(value) => Ok(value.to_owned()),
    }
}

fn begin() -> (Server, Arc<Rows>) {
    let (sender, requests) = mpsc::unbounded_channel();
    let rows = Rows::new();
    let metrics = StreamMetrics::new(&Registry::new()).unwrap();
    let config = StreamConfig::new("things", "/apis/test/v1/things");
    let decoder = Either { protobuf: decode_message, json: decode_row };
    drop(Stream::spawn(config, Arc::new(Line(sender)), decoder, Arc::clone(&rows), &metrics));
    (Server { requests }, rows)
}

#[tokio::test(start_paused = true)]
async fn protobuf_is_asked_for_first_and_read_in_lists_and_watches() {
    let (mut server, rows) = begin();
    let request = server.list().await;
    assert!(request.accept.starts_with("application/vnd.kubernetes.protobuf,"), "{}", request.accept);
    request.answer_as(Wire::Protobuf, 200, protobuf_list("5", &[message("a", "3", "one")]));
    let request = server.watch_at(5).await;
    assert!(request.accept.starts_with("application/vnd.kubernetes.protobuf,"), "{}", request.accept);
    let body = request.accept_as(Wire::Protobuf);
    body.send_bytes(protobuf_event("MODIFIED", &enveloped("Thing", &message("a", "6", "two"))));
    body.send_bytes(protobuf_event("ADDED", &enveloped("Thing", &message("b", "7", "new"))));
    let shown = rows.until("both", |shown| shown.rows.len() == 2).await;
    assert_eq!(shown.rows["a"], (6, "two".to_owned()));
    body.send_bytes(protobuf_event("DELETED", &enveloped("Thing", &message("a", "8", "two"))));
    rows.until("one", |shown| shown.rows.len() == 1).await;
    // An ERROR carries a Status in its envelope: 410 means a list.
    let status = [field(4, b"Expired"), vec![6 << 3, 0x9a, 0x03]].concat();
    body.send_bytes(protobuf_event("ERROR", &enveloped("Status", &status)));
    assert!(server.list().await.is_not_older_than(8));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_answers_in_json_all_the_same_is_read() {
    let (mut server, rows) = begin();
    server.list().await.answer(200, list(5, &[object("a", 3, "one")]));
    let body = server.watch_at(5).await.accept();
    body.send(event("MODIFIED", &object("a", 6, "two")));
    rows.until("the change", |shown| shown.rows["a"].1 == "two").await;
}

#[tokio::test(start_paused = true)]
async fn what_only_json_says_in_a_list_is_listed_as_json_at_once_and_from_then_on() {
    let (mut server, rows) = begin();
    let items = [message("a", "3", "one"), message("b", "4", "only in JSON")];
    server.list().await.answer_as(Wire::Protobuf, 200, protobuf_list("5", &items));
    let before = Instant::now();
    let request = server.list().await;
    assert_eq!((request.accept, before.elapsed()), ("application/json", Duration::ZERO));
    assert_eq!(rows.names(), Vec::<String>::new(), "nothing is shown of half a list");
    request.answer(200, list(5, &[object("a", 3, "one"), object("b", 4, "two")]));
    rows.until("both", |shown| shown.rows.len() == 2).await;
    assert_eq!(server.watch_at(5).await.accept, "application/json");
}

#[tokio::test(start_paused = true)]
async fn what_only_json_says_in_a_watch_is_listed_as_json_and_nothing_is_lost() {
    let (mut server, rows) = begin();
    server.list().await.answer_as(Wire::Protobuf, 200, protobuf_list("5", &[message("a", "3", "one")]));
    let body = server.watch_at(5).await.accept_as(Wire::Protobuf);
    body.send_bytes(protobuf_event("MODIFIED", &enveloped("Thing", &message("a", "6", "only in JSON"))));
    let request = server.list().await;
    assert_eq!(request.accept, "application/json");
    assert_eq!(rows.shown.borrow().rows["a"], (3, "one".to_owned()), "the old row stays");
    request.answer(200, list(6, &[object("a", 6, "all of it")]));
    rows.until("the new row", |shown| shown.rows["a"].1 == "all of it").await;
}

#[tokio::test(start_paused = true)]
async fn a_refusal_in_protobuf_is_understood() {
    let (mut server, _) = begin();
    server.list().await.answer_as(Wire::Protobuf, 200, protobuf_list("5", &[]));
    let status = [field(4, b"Expired"), vec![6 << 3, 0x9a, 0x03]].concat();
    server.watch_at(5).await.answer_as(Wire::Protobuf, 410, enveloped("Status", &status));
    assert!(server.list().await.is_not_older_than(5));
}
