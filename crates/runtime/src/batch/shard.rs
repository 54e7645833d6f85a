//! Shards: which items of a batch belong to one of several machines.
//!
//! An item belongs to the shard `crc32(id) % count`, where the id is its text (the decimal number of its place, if it has no
//! name). So every machine that reads the same input agrees, and the results of all shards together are those of the batch.

use super::item::ItemId;
use raddle_status::{Code, Error, Result};
use std::fmt;
use std::str::FromStr;

/// One of several parts of a batch: `2/8` is the third of eight.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shard {
    index: u32,
    count: u32,
}

impl Shard {
    /// The whole batch.
    pub const ALL: Shard = Shard { index: 0, count: 1 };

    /// The shard with this number, from 0, of so many.
    ///
    /// # Errors
    /// INVALID_ARGUMENT: there is no such shard.
    pub fn new(index: u32, count: u32) -> Result<Shard> {
        match index < count {
            true => Ok(Shard { index, count }),
            false => {
                let text = format!("there is no shard {index} of {count}: they count from 0");
                Err(Error::new(Code::InvalidArgument, text))
            }
        }
    }

    /// Whether an item with this id belongs to it.
    pub fn has(self, id: &ItemId) -> bool {
        self.count == 1 || {
            let text = id.to_string();
            crc32fast::hash(text.as_bytes()) % self.count == self.index
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl FromStr for Shard {
    type Err = Error;

    fn from_str(text: &str) -> Result<Shard> {
        let numbers =
            text.split_once('/').and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
        let (index, count) = numbers.ok_or_else(|| {
            Error::new(Code::InvalidArgument, format!("'{text}' is no shard; 0/4 is the first of four"))
        })?;
        Shard::new(index, count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_belongs_to_one_shard_and_they_are_about_equal() {
        let shards: Vec<Shard> = (0..4).map(|index| Shard::new(index, 4).unwrap()).collect();
        let mut counts = [0; 4];
        for index in 0..10_000 {
            let homes: Vec<usize> = (0..4).filter(|&at| shards[at].has(&ItemId::Index(index))).collect();
            assert_eq!(homes.len(), 1);
            counts[homes[0]] += 1;
        }
        assert!(counts.iter().all(|count| (2000..3000).contains(count)), "{counts:?}");
        assert!(
            "4/4".parse::<Shard>().is_err()
                && "a/b".parse::<Shard>().is_err()
                && "1".parse::<Shard>().is_err()
        );
        assert_eq!("2/8".parse::<Shard>().unwrap().to_string(), "2/8");
    }
}
