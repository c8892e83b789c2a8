//! A list: fetched page by page, judged as a whole, then shown in one piece or fetched again.

use std::time::Duration;

use futures::StreamExt;
use tokio::time::timeout;
use tracing::warn;

use super::failure::{Doing, Failure};
use super::handle::Answered;
use super::machine::{State, Stream};
use super::request::{Fresh, Page};
use super::{Change, Listed, Sink};
use crate::kubeapi::decode::{Decoder, ListEnd, Objects, Wire};
use crate::model::{Meta, Version};

/// The time limit of one page.
const PAGE_LIMIT: Duration = Duration::from_secs(60);
/// The brake on mass removal: from so many rows on, when more than half of them would go.
const BRAKE_FROM: usize = 20;
/// How long the second list waits, so that what was wrong may pass.
const BRAKE_PAUSE: Duration = Duration::from_secs(1);

/// A list that is being fetched.
pub(super) struct Listing<R> {
    pub(super) fresh: Fresh,
    /// It decides whether versions went back: every object is decoded, and an old version is believed.
    pub(super) deciding: bool,
    /// An earlier consistent list would have removed more than half.
    pub(super) confirming: bool,
    /// The requests for a consistent list, up to this one, that it answers.
    pub(super) number: u64,
    pub(super) page: Page,
    /// The version of the first page; 0 before it.
    pub(super) version: Version,
    pub(super) rows: Vec<(Meta, Listed<R>)>,
}

/// What is to be done with a complete list.
pub(super) enum Verdict<R> {
    /// It may be shown; `restored`: versions went back for good.
    Show { listing: Listing<R>, restored: bool },
    /// It may not; go on with this state.
    Refused(State<R>),
}

impl<R> Listing<R> {
    pub(super) fn new(fresh: Fresh, number: u64) -> Listing<R> {
        Listing {
            fresh,
            deciding: false,
            confirming: false,
            number,
            page: Page::First,
            version: 0,
            rows: Vec::new(),
        }
    }

    /// The same list from its beginning.
    pub(super) fn again(self) -> Listing<R> {
        Listing { page: Page::First, version: 0, rows: Vec::new(), ..self }
    }

    /// The same list in one piece, without tokens that can expire.
    fn whole(self) -> Listing<R> {
        Listing { page: Page::Whole, ..self.again() }
    }
}

impl<D: Decoder, S: Sink<Row = D::Row>> Stream<D, S> {
    /// Fetches the next page.
    pub(super) async fn list(&mut self, mut listing: Listing<D::Row>) -> State<D::Row> {
        if self.streaming {
            return self.list_by_watch(listing).await;
        }
        let (before, protobuf) = (listing.rows.len(), self.protobuf);
        let fetched = timeout(PAGE_LIMIT, self.fetch(&mut listing)).await;
        if protobuf != self.protobuf {
            return State::List(listing.again());
        }
        match fetched.unwrap_or(Err(Failure::Late(PAGE_LIMIT))) {
            Ok(end) => self.page_fetched(listing, end),
            Err(failure) => {
                listing.rows.truncate(before);
                self.list_failed(listing, &failure)
            }
        }
    }

    async fn fetch(&mut self, listing: &mut Listing<D::Row>) -> Result<ListEnd, Failure> {
        let uri = self.config.list_uri(listing.fresh, &listing.page);
        let (deciding, rows) = (listing.deciding, &mut listing.rows);
        self.walk(uri, |stream, wire, object| rows.extend(stream.read_object(deciding, wire, object))).await
    }

    /// The version of a consistent list, by as little of it as can be had.
    pub(super) async fn newest_version(&mut self) -> Result<Version, Failure> {
        Ok(self.walk(self.config.newest_uri(), |_, _, _| {}).await?.version)
    }

    /// Reads a list and takes its objects one by one.
    async fn walk(
        &mut self,
        uri: String,
        mut take: impl FnMut(&mut Self, Wire, &[u8]),
    ) -> Result<ListEnd, Failure> {
        let response = self.transport.get(uri, self.config.list_accept(self.protobuf)).await?;
        if response.status != 200 {
            return Err(Failure::of_response(response).await);
        }
        let mut body = response.body;
        let mut splitter = Objects::of(response.wire);
        while let Some(chunk) = body.next().await {
            splitter.push(&chunk?);
            self.shared.life.sign();
            while let Some(object) = splitter.next_object().map_err(unreadable)? {
                take(self, response.wire, &object);
            }
        }
        let end = splitter.finish().map_err(unreadable)?;
        match &end {
            ListEnd { items: false, .. } => Err(unreadable("this is not a list")),
            ListEnd { version: 0, .. } => Err(unreadable("the list has no resourceVersion")),
            _ => Ok(end),
        }
    }

    fn page_fetched(&mut self, mut listing: Listing<D::Row>, end: ListEnd) -> State<D::Row> {
        self.list_backoff.reset();
        // All pages are of one version; else the list as a whole never was.
        if listing.version != 0 && listing.version != end.version {
            self.metrics.restarted("expired");
            return State::List(listing.whole());
        }
        listing.version = end.version;
        match end.next {
            Some(token) => {
                listing.page = Page::Next(token);
                State::List(listing)
            }
            None => match self.judge(listing) {
                Verdict::Refused(state) => state,
                Verdict::Show { listing, restored } => {
                    self.show(listing, restored);
                    if self.is_asked() { State::List(self.consistent()) } else { State::Open }
                }
            },
        }
    }

    /// A page could not be fetched: it is fetched again, or the list is begun again.
    pub(super) fn list_failed(&mut self, listing: Listing<D::Row>, failure: &Failure) -> State<D::Row> {
        self.metrics.restarted(failure.reason());
        let next = match (failure, &listing.page) {
            (Failure::Expired(_), Page::Next(_)) => return State::List(listing.whole()),
            (Failure::Expired(_), _) => self.consistent(),
            (Failure::Behind(_), _) => {
                return self.is_behind(Doing::List, failure, State::List(listing.again()));
            }
            (_, Page::Next(_)) if failure.is_bad_request() => listing.again(),
            (_, Page::Whole) => listing.again(),
            _ => listing,
        };
        self.told.failed(Doing::List, failure);
        let pause = self.list_backoff.after(failure);
        self.pause(pause, State::List(next))
    }

    /// Whether a complete list may be shown.
    pub(super) fn judge(&mut self, listing: Listing<D::Row>) -> Verdict<D::Row> {
        let old = listing.version < self.shown;
        if old && !(listing.deciding && listing.fresh == Fresh::Consistent) {
            return Verdict::Refused(self.refuse_old(listing));
        }
        let compared = self.sink.compare(&listing.rows);
        if compared.missing > 0 && listing.fresh != Fresh::Consistent {
            return Verdict::Refused(State::List(self.consistent()));
        }
        let mass = compared.held >= BRAKE_FROM && compared.missing * 2 > compared.held;
        if mass && !listing.confirming {
            warn!(
                resource = self.config.resource,
                "brake on mass removal: a list of {} shows {} of {} no more; a second one has to agree",
                self.config.resource,
                compared.missing,
                compared.held
            );
            self.metrics.restarted("brake");
            let second = Listing { confirming: true, deciding: listing.deciding, ..self.consistent() };
            return Verdict::Refused(self.pause(BRAKE_PAUSE, State::List(second)));
        }
        Verdict::Show { listing, restored: old }
    }

    /// A list that is older than what was shown: another one may be fresher. A consistent one cannot lag:
    /// one more, read without trust in what is held, decides.
    fn refuse_old(&mut self, listing: Listing<D::Row>) -> State<D::Row> {
        let failure = Failure::Old { got: listing.version, shown: self.shown };
        self.metrics.restarted(failure.reason());
        match listing.fresh {
            Fresh::NotOlderThan(_) => self.is_behind(Doing::List, &failure, State::List(listing.again())),
            Fresh::Consistent => {
                self.told.failed(Doing::List, &failure);
                self.lose();
                let pause = self.list_backoff.after(&failure);
                self.pause(pause, State::List(self.deciding()))
            }
        }
    }

    /// Shows a list that was judged.
    pub(super) fn show(&mut self, listing: Listing<D::Row>, restored: bool) {
        let Listing { fresh, number, version, rows, .. } = listing;
        if restored {
            warn!(
                resource = self.config.resource,
                "versions of {} went back from {} to {version} for good: was etcd restored?",
                self.config.resource,
                self.shown
            );
            self.sink.event(Change::Restored);
        }
        let undecodable = rows.iter().filter(|(_, listed)| matches!(listed, Listed::Undecodable));
        self.undecodable.listed(undecodable.map(|(meta, _)| meta));
        self.sink.event(Change::Replaced(rows, version));
        self.shown = version;
        self.behind = 0;
        self.told.works(Doing::List);
        self.shared.version.send_replace(version);
        self.shared.lost.send_replace(false);
        if fresh == Fresh::Consistent {
            self.shared.answered.send_replace(Answered { number, version });
        }
    }
}

fn unreadable(error: impl ToString) -> Failure {
    Failure::Unreadable(error.to_string())
}
