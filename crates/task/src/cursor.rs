//! Which tile comes next: a count instead of three divisions for each.

/// The tile before the one of this number, in the order in which [`advance`] walks a grid: x first.
pub(crate) fn before(extents: [u32; 3], number: u64) -> [u32; 3] {
    let [x, y] = [u64::from(extents[0]).max(1), u64::from(extents[1]).max(1)];
    [((number % x) as u32).wrapping_sub(1), (number / x % y) as u32, (number / (x * y)) as u32]
}

/// Moves on to the next tile. One number at a time: to load what was just written in parts stalls the processor.
#[inline]
pub(crate) fn advance(tile: &mut [u32; 3], extents: &[u32; 3]) {
    tile[0] = tile[0].wrapping_add(1);
    if tile[0] == extents[0] {
        (tile[0], tile[1]) = (0, tile[1] + 1);
        if tile[1] == extents[1] {
            (tile[1], tile[2]) = (0, tile[2] + 1);
        }
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
                let mut tile = before(extents, start);
                for number in start..count {
                    advance(&mut tile, &extents);
                    let wanted = [number % x, number / x % y, number / (x * y)];
                    assert_eq!(tile.map(u64::from), wanted, "of {extents:?} from {start}");
                }
            }
        }
        let last = [u32::MAX, 2, 1].map(u64::from).iter().product::<u64>() - 1;
        let mut tile = before([u32::MAX, 2, 1], last);
        advance(&mut tile, &[u32::MAX, 2, 1]);
        assert_eq!(tile, [u32::MAX - 1, 1, 0]);
    }
}
