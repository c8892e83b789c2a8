//! Hints of topology mode Auto: the ready endpoints of one address type are shared out among the
//! zones in proportion to their CPU.
//!
//! Each endpoint hints at its own zone where that is possible. Slices that are not written anyway keep
//! the hints that they have as long as no endpoint of any zone is overloaded by them; so a plan made
//! from the result of a plan writes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::balance::{self, Move};
use super::ratios::{Off, Ratios, Want};
use super::{Content, Fate};
use crate::model::{Addresses, Endpoint, Hints, Text};

/// A ready endpoint, with zones by position in [`Seats::zones`].
struct Seat {
    content: usize,
    endpoint: usize,
    /// The zone that it is in.
    own: usize,
    /// The zone that it hints at, where its hints are such as this module gives.
    held: Option<usize>,
    /// The zone that it is to hint at.
    hint: usize,
    /// Whether its slice is written, or may be for the sake of its hints.
    free: bool,
}

/// All ready endpoints of an address type, in the order of their slices.
struct Seats {
    /// The zones with wants, then other zones of endpoints.
    zones: Vec<Text>,
    seats: Vec<Seat>,
}

/// Shares out the ready endpoints. Contents that hold other hints than they should are corrected, and
/// written if they were untouched.
///
/// # Errors
/// Why there can be no hints; the contents are as they were.
pub fn share_out(ratios: &Ratios, contents: &mut [Content<'_>]) -> Result<(), Off> {
    let wants = ratios.wants(ready(contents))?;
    let mut seats = Seats::new(ratios, contents)?;
    seats.keep_untouched(&wants, contents);
    let moves = balance::balance(&seats.counts(), &wants);
    seats.carry_out(&moves, &[true]);
    let counts = seats.counts();
    if balance::overloaded(&counts, &wants) {
        seats.carry_out(&balance::relieve(&counts, &wants), &[true, false]);
    }
    seats.write(contents);
    Ok(())
}

fn is_ready(endpoint: &Endpoint) -> bool {
    endpoint.conditions.ready == Some(true)
}

fn final_fate(content: &Content<'_>) -> bool {
    content.fate != Fate::WrittenForNow
}

fn ready(contents: &[Content<'_>]) -> usize {
    let endpoints = contents.iter().filter(|content| final_fate(content)).flat_map(|c| c.endpoints.iter());
    endpoints.filter(|endpoint| is_ready(endpoint)).count()
}

impl Seats {
    /// Every ready endpoint, hinting at its own zone.
    fn new(ratios: &Ratios, contents: &[Content<'_>]) -> Result<Seats, Off> {
        let mut zones: Vec<Text> = ratios.zones().cloned().collect();
        let mut positions: BTreeMap<Text, usize> =
            zones.iter().enumerate().map(|(at, zone)| (zone.clone(), at)).collect();
        let eligible = zones.len();
        let mut seats = Vec::new();
        for (content, held) in contents.iter().enumerate().filter(|(_, content)| final_fate(content)) {
            for (at, endpoint) in held.endpoints.iter().enumerate().filter(|(_, one)| is_ready(one)) {
                let Some(zone) = endpoint.zone.as_ref().filter(|zone| !zone.is_empty()) else {
                    let address = endpoint.addresses.as_slice().first();
                    return Err(Off::Endpoint(address.map(ToString::to_string).unwrap_or_default()));
                };
                let own = *positions.entry(zone.clone()).or_insert_with(|| {
                    zones.push(zone.clone());
                    zones.len() - 1
                });
                // A zone without eligible Nodes is no zone to hint at, except for its own endpoints.
                let hinted = hinted(endpoint).and_then(|zone| positions.get(zone).copied());
                let held = hinted.filter(|zone| *zone < eligible || *zone == own);
                seats.push(Seat { content, endpoint: at, own, held, hint: own, free: true });
            }
        }
        Ok(Seats { zones, seats })
    }

    /// Lets untouched slices keep their hints, one after the other, as long as no zone gets so many
    /// that another could not have its minimum.
    fn keep_untouched(&mut self, wants: &[Want], contents: &[Content<'_>]) {
        let mut totals = vec![0; self.zones.len()];
        for slice in self.seats.chunk_by_mut(|a, b| a.content == b.content) {
            let untouched = slice.first().is_some_and(|seat| contents[seat.content].fate == Fate::Untouched);
            let Some(held) = slice.iter().map(|seat| seat.held).collect::<Option<Vec<usize>>>() else {
                continue;
            };
            let mut with_it = totals.clone();
            held.iter().for_each(|zone| with_it[*zone] += 1);
            let fits = wants.iter().zip(&with_it).all(|(want, count)| *count <= want.maximum);
            if !untouched || !fits {
                continue;
            }
            totals = with_it;
            for (seat, zone) in slice.iter_mut().zip(held) {
                (seat.hint, seat.free) = (zone, false);
            }
        }
    }

    /// How many endpoints hint at each zone.
    fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.zones.len()];
        self.seats.iter().for_each(|seat| counts[seat.hint] += 1);
        counts
    }

    /// Makes the moves, as far as there are endpoints for them: of free slices first (and only of
    /// those, if so asked), and endpoints that come home before others.
    fn carry_out(&mut self, moves: &[Move], of_free: &[bool]) {
        let mut open: BTreeMap<Move, usize> = BTreeMap::new();
        for one in moves {
            *open.entry(*one).or_default() += 1;
        }
        for free in of_free {
            for home in [true, false] {
                for seat in self.seats.iter_mut().filter(|seat| seat.free == *free) {
                    let (first, last) = match home {
                        true => (seat.own, seat.own),
                        false => (0, usize::MAX),
                    };
                    let from = seat.hint;
                    let range = Move { from, to: first }..=Move { from, to: last };
                    let Some((one, count)) = open.range_mut(range).next() else { continue };
                    seat.hint = one.to;
                    *count -= 1;
                    if *count == 0 {
                        let done = *one;
                        open.remove(&done);
                    }
                }
            }
        }
    }

    fn write(&self, contents: &mut [Content<'_>]) {
        let mut hints: BTreeMap<Addresses, &Text> = BTreeMap::new();
        let for_now = contents.iter().any(|content| !final_fate(content));
        for seat in &self.seats {
            let zone = &self.zones[seat.hint];
            let content = &mut contents[seat.content];
            if for_now {
                hints.insert(content.endpoints[seat.endpoint].addresses.clone(), zone);
            }
            if hinted(&content.endpoints[seat.endpoint]) == Some(zone) {
                continue;
            }
            hint(&mut content.endpoints.to_mut()[seat.endpoint], zone);
            if content.fate == Fate::Untouched {
                content.fate = Fate::Written;
            }
        }
        // What stands for a moment hints where it will in the end: one endpoint without hints would
        // make consumers ignore those of all.
        for content in contents.iter_mut().filter(|content| !final_fate(content)) {
            for endpoint in content.endpoints.to_mut().iter_mut().filter(|endpoint| is_ready(endpoint)) {
                match hints.get(&endpoint.addresses) {
                    Some(zone) if hinted(endpoint) != Some(*zone) => hint(endpoint, zone),
                    _ => {}
                }
            }
        }
    }
}

/// The zone that an endpoint hints at, if its hints are exactly one zone.
fn hinted(endpoint: &Endpoint) -> Option<&Text> {
    match endpoint.hints.as_deref() {
        Some(Hints { for_zones, for_nodes }) if for_nodes.is_empty() => match for_zones.as_slice() {
            [zone] => Some(zone),
            _ => None,
        },
        _ => None,
    }
}

fn hint(endpoint: &mut Arc<Endpoint>, zone: &Text) {
    let hints = Hints { for_zones: vec![zone.clone()], for_nodes: Vec::new() };
    Arc::make_mut(endpoint).hints = Some(Box::new(hints));
}
