//! Which endpoint goes into which slice, and in which order slices are written, so that no live
//! address is ever in no slice.
//!
//! Abstract on purpose: endpoints are numbers, slices are positions. [`super::selector`] and
//! [`super::mirror`] translate.

use smol_str::SmolStr;

use super::fill;

mod order;
mod pairing;
mod seating;
mod stakes;
mod steps;

use order::order;
use pairing::{Preference, pair};
use seating::seat;
use stakes::Stakes;

/// An endpoint's identity (addresses, hostname, target namespace and name) as a number: equal
/// identities have equal numbers, in old slices and in what is desired.
pub type Identity = u32;

/// One address text as a number.
pub type Address = u32;

/// A port name as a number. A slice without ports has the one name [`NO_PORTS`].
pub type PortName = u32;

/// The port name of a slice without ports.
pub const NO_PORTS: PortName = 0;

/// The API server accepts no slice with more endpoints.
pub const LARGEST: usize = 1000;

/// A desired endpoint. Each identity is desired in exactly one group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Who it is.
    pub identity: Identity,
    /// Its addresses.
    pub addresses: Vec<Address>,
}

/// A desired group: one multiset of ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The names of its ports.
    pub port_names: Vec<PortName>,
    /// Its endpoints, in the order in which new ones are appended to slices.
    pub wanted: Vec<Wanted>,
}

/// An endpoint in an existing slice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Who it is.
    pub identity: Identity,
    /// Its addresses.
    pub addresses: Vec<Address>,
    /// Whether its fields differ from the desired endpoint of that identity.
    pub changed: bool,
}

/// An existing slice (ours, owned, without deletionTimestamp), in the order of its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Existing {
    /// Its name, for ties.
    pub name: SmolStr,
    /// The position of its group; `None` when its ports are no longer desired.
    pub group: Option<usize>,
    /// The names of its ports as they stand.
    pub port_names: Vec<PortName>,
    /// Its endpoints, in order.
    pub members: Vec<Held>,
    /// Whether its labels are wrong (it counts as changed in step 1).
    pub relabel: bool,
    /// Whether it is a placeholder (no ports, no endpoints) that is right in all labels.
    pub placeholder: bool,
}

/// One address type of one Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Endpoints a slice may have.
    pub max: usize,
    /// Whether one placeholder must exist when nothing else would.
    pub placeholder: bool,
    /// Whether slices may be created (not for a Service that is being deleted).
    pub create: bool,
    /// The desired groups.
    pub groups: Vec<Group>,
    /// The slices that stand.
    pub slices: Vec<Existing>,
}

/// What a written slice is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// The group at this position.
    Group(usize),
    /// No ports and no endpoints.
    Placeholder,
}

/// One write, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A new slice with these endpoints.
    Create {
        /// What it is for.
        content: Content,
        /// Its endpoints, in order.
        members: Vec<Identity>,
        /// Whether it takes over nothing and so comes before all updates.
        first: bool,
    },
    /// The slice at this position gets this content (a recycled one changes its group). Members
    /// that are not desired in that group stay for a while: a later step writes the slice again.
    Update {
        /// Position in [`Problem::slices`].
        slice: usize,
        /// What it is for from now on.
        content: Content,
        /// Its endpoints, in order: kept ones in their place, new ones appended.
        members: Vec<Identity>,
    },
    /// The slice at this position goes.
    Delete {
        /// Position in [`Problem::slices`].
        slice: usize,
    },
}

/// The writes that bring the slices of one address type to what is desired, in order. Empty when
/// all stands as it should; slices that are not named stay as they are.
///
/// A member of a [`Step::Update`] that the update's group does not want is taken from the slice
/// as it stands: the slice is written twice, and that is the first time.
///
/// 1. The numbers are those of the three steps ([`super::fill`]).
/// 2. Creates are paired with deletes so that most endpoints stay where they are. If the order
///    that comes of it needs extra writes, it is tried once more with as few live endpoints as
///    possible thrown out.
/// 3. Slices are written in an order in which nobody is thrown out who has no other place yet.
/// 4. Where there is no such order, an extra write breaks the cycle.
/// 5. Deletes come last.
/// 6. The order fixes who goes where.
pub fn arrange(problem: &Problem) -> Vec<Step> {
    if !problem.slices.is_sorted_by(|a, b| a.name <= b.name) {
        return arrange_unsorted(problem);
    }
    let numbers = fill::count(problem); // 1.
    let stakes = Stakes::new(problem, &numbers);
    let attempt = |preference| {
        let recycled = pair(problem, &numbers, &stakes, preference); // 2.
        order(problem, &numbers, &stakes, &recycled) // 3., 4., 5.
    };
    let mut chosen = attempt(Preference::MostStaying);
    if chosen.extra > 0 {
        let other = attempt(Preference::FewestThrownOut);
        if other.extra < chosen.extra {
            chosen = other;
        }
    }
    let taken = seat(problem, &stakes, &chosen); // 6.
    steps::list(problem, &numbers, &stakes, &chosen, &taken)
}

/// Ties go by name, so slices are looked at in the order of their names.
fn arrange_unsorted(problem: &Problem) -> Vec<Step> {
    let mut positions: Vec<usize> = (0..problem.slices.len()).collect();
    positions.sort_by(|a, b| problem.slices[*a].name.cmp(&problem.slices[*b].name));
    let slices = positions.iter().map(|at| problem.slices[*at].clone()).collect();
    let mut steps = arrange(&Problem { slices, ..problem.clone() });
    for step in &mut steps {
        match step {
            Step::Update { slice, .. } | Step::Delete { slice } => *slice = positions[*slice],
            Step::Create { .. } => {}
        }
    }
    steps
}

#[cfg(test)]
mod tests;
