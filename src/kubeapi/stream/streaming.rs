//! A list as the beginning of a watch: the objects come as events, a bookmark with an annotation ends
//! them, and the same watch goes on. A server that cannot do this is asked page by page from then on.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt;
use tokio::time::timeout;
use tracing::info;

use super::failure::Failure;
use super::handle::SILENCE;
use super::list::{Listing, Verdict};
use super::machine::{State, Stream};
use super::watch::Watching;
use super::{Listed, Sink};
use crate::kubeapi::decode::{Decoder, FrameKind, Wire};
use crate::model::{Key, Meta};

/// A list that has not ended after this long is not going to.
const LIST_LIMIT: Duration = Duration::from_secs(300);

type Rows<R> = BTreeMap<Key, (Meta, Listed<R>)>;

/// How a streaming list ended.
enum Gathered {
    /// All there; the watch goes on.
    Complete(Watching),
    /// The server does not know of streaming lists.
    Unsupported(String),
}

impl<D: Decoder, S: Sink<Row = D::Row>> Stream<D, S> {
    /// Fetches a list as the beginning of a watch.
    pub(super) async fn list_by_watch(&mut self, listing: Listing<D::Row>) -> State<D::Row> {
        let mut listing = listing.again();
        let protobuf = self.protobuf;
        let gathered = timeout(LIST_LIMIT, self.gather(&mut listing)).await;
        if protobuf != self.protobuf {
            return State::List(listing.again());
        }
        match gathered.unwrap_or_else(|_| Ok(Gathered::Unsupported("it did not end".to_owned()))) {
            Ok(Gathered::Complete(watching)) => match self.judge(listing) {
                Verdict::Refused(state) => state,
                Verdict::Show { listing, restored } => {
                    self.list_backoff.reset();
                    self.show(listing, restored);
                    if self.is_asked() { State::List(self.consistent()) } else { State::Watching(watching) }
                }
            },
            Ok(Gathered::Unsupported(why)) => {
                self.streaming = false;
                let resource = self.config.resource;
                info!(resource, "no streaming list of {resource} ({why}): it is listed page by page");
                State::List(listing.again())
            }
            Err(failure) => self.list_failed(listing.again(), &failure),
        }
    }

    async fn gather(&mut self, listing: &mut Listing<D::Row>) -> Result<Gathered, Failure> {
        let uri = self.config.streaming_uri(listing.fresh);
        let request = self.transport.get(uri, self.config.watch_accept(self.protobuf));
        let response = timeout(SILENCE, request).await.map_err(|_| Failure::Late(SILENCE))??;
        if response.status != 200 {
            let failure = Failure::of_response(response).await;
            return if failure.is_bad_request() {
                Ok(Gathered::Unsupported(failure.to_string()))
            } else {
                Err(failure)
            };
        }
        let mut watching = Watching::new(response.wire, response.body);
        let mut rows = Rows::new();
        loop {
            let chunk = timeout(SILENCE, watching.body.next()).await.map_err(|_| Failure::Silent(SILENCE))?;
            let chunk = chunk.ok_or_else(|| Failure::Unreadable("the list broke off".to_owned()))??;
            self.shared.life.sign();
            watching.frames.push(&chunk);
            let wire = watching.frames.wire();
            while let Some(frame) =
                watching.frames.next_frame().map_err(|error| Failure::Unreadable(error.to_string()))?
            {
                match self.gather_frame(listing, &mut rows, wire, &frame)? {
                    Progress::More => {}
                    Progress::NoEnd => {
                        return Ok(Gathered::Unsupported("it has no end".to_owned()));
                    }
                    Progress::End => {
                        listing.rows = rows.into_values().collect();
                        return Ok(Gathered::Complete(watching));
                    }
                }
            }
        }
    }

    fn gather_frame(
        &mut self,
        listing: &mut Listing<D::Row>,
        rows: &mut Rows<D::Row>,
        wire: Wire,
        frame: &[u8],
    ) -> Result<Progress, Failure> {
        let frame = wire.read_frame(frame).map_err(|error| Failure::Unreadable(error.to_string()))?;
        match frame.kind {
            FrameKind::Upserted => {
                if let Some((meta, listed)) = self.read_object(listing.deciding, wire, frame.object) {
                    rows.insert(meta.key.clone(), (meta, listed));
                }
            }
            FrameKind::Deleted => {
                let meta = self.decoder.meta(wire, frame.object);
                let meta = meta.map_err(|error| Failure::Unreadable(error.to_string()))?;
                rows.remove(&meta.key);
            }
            FrameKind::Bookmark => {
                let bookmark = wire.read_bookmark(frame.object);
                let bookmark = bookmark.map_err(|error| Failure::Unreadable(error.to_string()))?;
                if !bookmark.initial_events_end {
                    return Ok(Progress::NoEnd);
                }
                if bookmark.version == 0 {
                    return Err(Failure::Unreadable("the list has no resourceVersion".to_owned()));
                }
                listing.version = bookmark.version;
                return Ok(Progress::End);
            }
            FrameKind::Error => return Err(Failure::of_status(200, frame.object, None)),
            FrameKind::Unknown(_) => {}
        }
        Ok(Progress::More)
    }
}

/// What a frame says about the list.
enum Progress {
    More,
    /// A bookmark before the end: this server sends the current state and does not mark its end.
    NoEnd,
    End,
}
