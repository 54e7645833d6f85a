//! Matrices in tiles: the functions `mmt4d`, `pack`, `unpack` and `query_tile_sizes.2d` of the module `vmvx`.
//!
//! A matrix in tiles has four extents: rows and columns of tiles, rows and columns of elements in one. All but the outermost
//! lie without gaps.
//!
//! # Sources
//! Flags and meanings: the fact sheet on IREE's HAL, section 9, and stock's answers, with which `tests/bytecode.rs`
//! compares.

use super::plane::{Place, Plane, number, word};
use raddle_executable::Features;
use raddle_status::{Code, Error, Result};
use raddle_vm::Buffer as Bytes;

/// The bits of `flags` that say what elements are.
const TYPE_MASK: u32 = 0xff;
const F32: u32 = 1;
/// Of `mmt4d`: 8-bit factors, a 32-bit sum. Of `pack`: 8-bit elements.
const I8: u32 = 2;
const I32: u32 = 3;
/// `mmt4d` adds to what is there.
const ACCUMULATE: u32 = 0x100;
/// `pack`, `unpack`: the elements of a tile lie column by column.
const TRANSPOSE_INNER: u32 = 0x100;
/// `pack`, `unpack`: the tiles lie column by column.
const TRANSPOSE_OUTER: u32 = 0x200;

fn unknown(function: &str, flags: u32) -> Error {
    Error::new(Code::InvalidArgument, format!("{function} does not know the flags {flags:#x}"))
}

fn product(factors: &[u64]) -> Result<u64> {
    let too_many = || Error::new(Code::InvalidArgument, format!("a matrix with extents {factors:?}"));
    factors.iter().try_fold(1u64, |product, factor| product.checked_mul(*factor)).ok_or_else(too_many)
}

/// Matrices in tiles, the right one transposed.
pub(super) struct Product<'a> {
    /// Buffer, first element, elements from one row of tiles to the next.
    pub(super) left: (&'a Bytes, i64, i64),
    pub(super) right: (&'a Bytes, i64, i64),
    pub(super) out: (&'a Bytes, i64, i64),
    /// Tiles: rows of the left, rows of the right, columns of both.
    pub(super) tiles: [i64; 3],
    /// Elements of a tile: the same.
    pub(super) tile: [i32; 3],
    pub(super) flags: u32,
}

/// A row of tiles as a rectangle of one element a column.
fn panel((buffer, first, stride): (&Bytes, i64, i64)) -> Place<'_> {
    (buffer, first, [stride, 1])
}

impl Product<'_> {
    /// Multiplies. Sums go from the first column to the last, and are rounded, as in stock.
    ///
    /// # Errors
    /// INVALID_ARGUMENT: unknown flags, impossible extents. Those of [`Plane`].
    pub(super) fn compute(&self, preferred: Preferred) -> Result {
        let float = |bits: u64| f32::from_bits(bits as u32);
        match self.flags & TYPE_MASK {
            F32 if preferred.fuses(self.tile()?) => self.compute_as::<4>(0, |sum, left, right| {
                float(left).mul_add(float(right), f32::from_bits(sum)).to_bits()
            }),
            F32 => self.compute_as::<4>(0, |sum, left, right| {
                (f32::from_bits(sum) + float(left) * float(right)).to_bits()
            }),
            I8 => self.compute_as::<1>(0, |sum, left, right| {
                let product = i32::from(left as i8) * i32::from(right as i8);
                sum.wrapping_add(product.cast_unsigned())
            }),
            _ => Err(unknown("mmt4d", self.flags)),
        }
    }

    /// Elements of a tile: rows of the left, rows of the right, columns of both.
    fn tile(&self) -> Result<[u64; 3]> {
        let [m, n, k] = self.tile;
        Ok([word(m.into())?, word(n.into())?, word(k.into())?])
    }

    fn compute_as<const W: usize>(&self, zero: u32, step: impl Fn(u32, u64, u64) -> u32) -> Result {
        let [rows, columns, depth] = [word(self.tiles[0])?, word(self.tiles[1])?, word(self.tiles[2])?];
        let [m, n, k] = self.tile()?;
        let left = Plane::<W>::source(panel(self.left), [rows, product(&[depth, m, k])?])?;
        let right = Plane::<W>::source(panel(self.right), [columns, product(&[depth, n, k])?])?;
        let out = Plane::<4>::target(panel(self.out), [rows, product(&[columns, m, n])?])?;
        let accumulates = self.flags & ACCUMULATE != 0;
        for row in 0..rows {
            for column in 0..columns {
                for (i, j) in (0..m).flat_map(|i| (0..n).map(move |j| (i, j))) {
                    let at = (column * m + i) * n + j;
                    let mut sum = if accumulates { out.get(row, at) as u32 } else { zero };
                    for (tile, l) in (0..depth).flat_map(|tile| (0..k).map(move |l| (tile, l))) {
                        let factors = (
                            left.get(row, (tile * m + i) * k + l),
                            right.get(column, (tile * n + j) * k + l),
                        );
                        sum = step(sum, factors.0, factors.1);
                    }
                    out.set(row, at, sum.into());
                }
            }
        }
        Ok(())
    }
}

/// A matrix and the same in tiles.
pub(super) struct Tiling<'a> {
    pub(super) plain: Place<'a>,
    pub(super) plain_sizes: [i64; 2],
    /// The inner stride follows from the extents.
    pub(super) tiled: Place<'a>,
    pub(super) tiled_sizes: [i64; 4],
    pub(super) flags: u32,
}

impl Tiling<'_> {
    /// Writes the tiles; what is not in the matrix is `padding`.
    ///
    /// # Errors
    /// INVALID_ARGUMENT: unknown flags, impossible extents. Those of [`Plane`].
    pub(super) fn pack(&self, padding: u64) -> Result {
        match self.flags & TYPE_MASK {
            F32 | I32 => self.pack_as::<4>(padding),
            I8 => self.pack_as::<1>(padding),
            _ => Err(unknown("pack", self.flags)),
        }
    }

    fn pack_as<const W: usize>(&self, padding: u64) -> Result {
        let grid = TileGrid::new(self)?;
        let plain = Plane::<W>::source(self.plain, grid.plain)?;
        let tiled = Plane::<W>::target(self.row_of_tiles(), [grid.stored[0], grid.row()?])?;
        grid.each(|[row, column], (stored, at)| {
            let is_inside = row < grid.plain[0] && column < grid.plain[1];
            tiled.set(stored, at, if is_inside { plain.get(row, column) } else { padding });
        });
        Ok(())
    }

    /// Writes the matrix from its tiles.
    ///
    /// # Errors
    /// As [`pack`](Tiling::pack).
    pub(super) fn unpack(&self) -> Result {
        if !matches!(self.flags & TYPE_MASK, F32 | I32) {
            return Err(unknown("unpack", self.flags));
        }
        let grid = TileGrid::new(self)?;
        let plain = Plane::<4>::target(self.plain, grid.plain)?;
        let tiled = Plane::<4>::source(self.row_of_tiles(), [grid.stored[0], grid.row()?])?;
        grid.each(|[row, column], (stored, at)| {
            if row < grid.plain[0] && column < grid.plain[1] {
                plain.set(row, column, tiled.get(stored, at));
            }
        });
        Ok(())
    }

    fn row_of_tiles(&self) -> Place<'_> {
        let (buffer, first, strides) = self.tiled;
        (buffer, first, [strides[0], 1])
    }
}

/// Which element of a matrix lies where in its tiles.
struct TileGrid {
    plain: [u64; 2],
    /// Extents as they lie in memory.
    stored: [u64; 4],
    flags: u32,
}

impl TileGrid {
    fn new(tiling: &Tiling<'_>) -> Result<TileGrid> {
        let [a, b, c, d] = tiling.tiled_sizes;
        let grid = TileGrid {
            plain: [word(tiling.plain_sizes[0])?, word(tiling.plain_sizes[1])?],
            stored: [word(a)?, word(b)?, word(c)?, word(d)?],
            flags: tiling.flags,
        };
        let gap = number(tiling.tiled.2[1])?;
        let [.., rows, columns] = grid.stored;
        if gap != rows * columns {
            let text = format!("tiles of {rows} x {columns} elements, {gap} elements apart");
            return Err(Error::new(Code::InvalidArgument, text));
        }
        let (tiles, tile) = (grid.tiles(), grid.tile());
        let short = (0..2).find(|axis| tiles[*axis].saturating_mul(tile[*axis]) < grid.plain[*axis]);
        match short {
            None => Ok(grid),
            Some(_) => {
                let text = format!("{tiles:?} tiles of {tile:?} can't hold {:?} elements", grid.plain);
                Err(Error::new(Code::InvalidArgument, text))
            }
        }
    }

    /// Elements of a row of tiles in memory.
    fn row(&self) -> Result<u64> {
        product(&self.stored[1..])
    }

    /// Rows and columns of tiles.
    fn tiles(&self) -> [u64; 2] {
        let [a, b, ..] = self.stored;
        if self.flags & TRANSPOSE_OUTER != 0 { [b, a] } else { [a, b] }
    }

    /// Rows and columns of elements in a tile.
    fn tile(&self) -> [u64; 2] {
        let [.., c, d] = self.stored;
        if self.flags & TRANSPOSE_INNER != 0 { [d, c] } else { [c, d] }
    }

    /// Calls with row and column of each element, and with where it lies: row of tiles, element in it.
    fn each(&self, mut element: impl FnMut([u64; 2], (u64, u64))) {
        let [rows, columns] = self.tile();
        let [a, b, c, d] = self.stored;
        for (outer, inner) in (0..a).flat_map(|outer| (0..b).map(move |inner| (outer, inner))) {
            let tile = if self.flags & TRANSPOSE_OUTER != 0 { [inner, outer] } else { [outer, inner] };
            for (i, j) in (0..c).flat_map(|i| (0..d).map(move |j| (i, j))) {
                let at = if self.flags & TRANSPOSE_INNER != 0 { [j, i] } else { [i, j] };
                let place = [tile[0] * rows + at[0], tile[1] * columns + at[1]];
                element(place, (outer, (inner * c + i) * d + j));
            }
        }
    }
}

/// Which tiles stock has code for on this kind of processor. Its code for floats rounds once where the general one
/// rounds twice, so that results depend on the tiles.
#[derive(Clone, Copy)]
pub(super) struct Preferred {
    has_avx512: bool,
    has_fma: bool,
}

impl Preferred {
    pub(super) fn new(features: Features) -> Preferred {
        let has = |names: &[&str]| names.iter().all(|name| features.has(name) == Some(true));
        Preferred {
            has_avx512: has(&["avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"]),
            has_fma: has(&["avx2", "fma"]),
        }
    }

    /// Whether products of floats in tiles of these extents are added without being rounded before.
    fn fuses(self, [m, n, k]: [u64; 3]) -> bool {
        let is_short = |most: u64| m.is_power_of_two() && m <= most;
        k == 1 && ((n == 16 && is_short(16) && self.has_avx512) || (n == 8 && is_short(8) && self.has_fma))
    }

    /// The tiles of an operand of a product: rows and columns.
    ///
    /// # Errors
    /// INVALID_ARGUMENT: no product or operand that is known.
    pub(super) fn tile_sizes(self, flags: u32) -> Result<(i64, i64)> {
        let (m, n) = match self {
            Preferred { has_avx512: true, .. } => (16, 16),
            Preferred { has_fma: true, .. } => (8, 8),
            _ => (8, 4),
        };
        let k = match flags >> 8 {
            1 => 1,
            2 => 2,
            _ => return Err(unknown("query_tile_sizes.2d", flags)),
        };
        match flags & TYPE_MASK {
            1 => Ok((m, k)),
            2 => Ok((n, k)),
            3 => Ok((m, n)),
            _ => Err(unknown("query_tile_sizes.2d", flags)),
        }
    }
}
