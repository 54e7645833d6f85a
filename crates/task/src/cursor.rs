//! Which tile comes next: a count instead of three divisions for each.

/// Walks the tiles of a grid, x first.
pub(crate) struct Cursor {
    extents: [u32; 3],
    at: [u32; 3],
}

impl Cursor {
    /// Before the tile of this number.
    pub(crate) fn new(extents: [u32; 3], number: u64) -> Cursor {
        let [x, y] = [u64::from(extents[0]).max(1), u64::from(extents[1]).max(1)];
        let at = [(number % x) as u32, (number / x % y) as u32, (number / (x * y)) as u32];
        Cursor { extents, at }
    }

    /// The next tile.
    #[inline]
    pub(crate) fn next(&mut self) -> [u32; 3] {
        let next = self.at;
        self.at[0] += 1;
        if self.at[0] == self.extents[0] {
            self.at = [0, self.at[1] + 1, self.at[2]];
            if self.at[1] == self.extents[1] {
                self.at = [0, 0, self.at[2].wrapping_add(1)];
            }
        }
        next
    }
}

#[cfg(all(test, not(raddle_loom)))]
mod tests {
    use super::*;

    #[test]
    fn it_meets_every_tile_in_order_from_anywhere() {
        for extents in [[1, 1, 1], [7, 5, 3], [1, 4, 2], [5, 1, 1], [u32::MAX, 1, 1]] {
            let [x, y, z] = extents.map(u64::from);
            let count = (x * y * z).min(105);
            for start in 0..count {
                let mut cursor = Cursor::new(extents, start);
                for number in start..count {
                    let tile = [number % x, number / x % y, number / (x * y)];
                    assert_eq!(cursor.next().map(u64::from), tile, "of {extents:?} from {start}");
                }
            }
        }
        let last = [u32::MAX, 2, 1].map(u64::from).iter().product::<u64>() - 1;
        let mut cursor = Cursor::new([u32::MAX, 2, 1], last);
        assert_eq!(cursor.next(), [u32::MAX - 1, 1, 0]);
    }
}
