//! Results in the order of their items, or as they come.
//!
//! # Invariants
//! - O1: what is held back are results behind one that is missing; it is given out when that one comes.
//!   (by construction: `put` gives out from the front)

use super::item::Done;
use std::collections::VecDeque;

/// See the head of this file.
pub(super) enum Order {
    /// As they come.
    None,
    /// The results from `first` on that have come; a place that is skipped needs no result.
    Kept { places: VecDeque<Place>, first: u64 },
}

/// A place in the order.
pub(super) enum Place {
    Missing,
    Skipped,
    Here(Done),
}

impl Order {
    pub(super) fn new(is_kept: bool) -> Order {
        match is_kept {
            true => Order::Kept { places: VecDeque::new(), first: 0 },
            false => Order::None,
        }
    }

    /// How far the item with this place is ahead of the first that is missing.
    pub(super) fn ahead(&self, index: u64) -> u64 {
        match self {
            Order::None => 0,
            Order::Kept { first, .. } => index.saturating_sub(*first),
        }
    }

    /// Takes a result, or notes that there will be none; gives out what can go.
    pub(super) fn put(&mut self, index: u64, place: Place, mut give: impl FnMut(Done)) {
        match self {
            Order::None => {
                if let Place::Here(done) = place {
                    give(done);
                }
            }
            Order::Kept { places, first } => {
                let at = (index - *first) as usize;
                while places.len() <= at {
                    places.push_back(Place::Missing);
                }
                places[at] = place;
                while let Some(Place::Here(_) | Place::Skipped) = places.front() {
                    *first += 1;
                    if let Some(Place::Here(done)) = places.pop_front() {
                        give(done);
                    }
                }
            }
        }
    }
}
