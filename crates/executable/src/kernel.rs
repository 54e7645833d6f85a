//! What a kernel is, and what one call of it is given.

use crate::abi::{DISPATCH_ARGUMENTS_MAX, DispatchState};
use raddle_status::{Code, Error, Result};
use std::mem::MaybeUninit;

/// One kernel of a library.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Export {
    /// Its name; programs look kernels up by it.
    pub name: String,
    /// How many 32-bit constants a dispatch has.
    pub constant_count: usize,
    /// How many bindings a dispatch has.
    pub binding_count: usize,
    /// Memory that a worker lends to a workgroup while it runs. Unit: bytes.
    pub local_memory_bytes: usize,
    /// The size of one workgroup; what a dispatch says is used instead if `is_size_dynamic`.
    pub workgroup_size: [u32; 3],
    /// Whether a dispatch says how large a workgroup is.
    pub is_size_dynamic: bool,
    /// Whether neighbouring workgroups share data, so that one worker should run them in a row.
    pub is_sequential: bool,
    /// Its code, at an address of this process.
    pub(crate) address: usize,
}

/// The arguments of a dispatch: what all its workgroups share.
///
/// Cheap to make: one for each claim, on the stack, is meant.
#[derive(Clone, Copy, Debug)]
pub struct Dispatch<'a> {
    /// Workgroups along x, y, z; z at most 65,535.
    pub grid: [u32; 3],
    /// The size of one workgroup; 0 is read as 1. Used by kernels whose size is dynamic.
    pub workgroup_size: [u32; 3],
    /// As many as the export says.
    pub constants: &'a [u32],
    /// As many addresses as the export says, each a multiple of 64.
    pub bindings: &'a [*mut u8],
    /// The number of bytes at each of `bindings`.
    pub lengths: &'a [usize],
    /// How many workers may run workgroups at once. A hint.
    pub concurrency: usize,
}

/// Who runs a claim.
#[derive(Debug)]
pub struct Worker<'a> {
    /// Any small number that is the same for all that this thread runs at the moment.
    pub processor: u32,
    /// At least what the export says; 64-byte aligned.
    pub local_memory: &'a mut [MaybeUninit<u8>],
}

impl Dispatch<'_> {
    /// How many workgroups there are.
    ///
    /// # Errors
    /// INVALID_ARGUMENT if there are more than 2^64 - 1, or more than 65,535 along z.
    pub fn tile_count(&self) -> Result<u64> {
        let [x, y, z] = self.grid;
        if z > u32::from(u16::MAX) {
            return Err(Error::new(
                Code::InvalidArgument,
                format!("{z} workgroups along z; kernels count up to {}", u16::MAX),
            ));
        }
        (u64::from(x) * u64::from(y)).checked_mul(u64::from(z)).ok_or_else(|| {
            Error::new(
                Code::InvalidArgument,
                format!("a grid of {x} x {y} x {z} workgroups is too large to count"),
            )
        })
    }

    /// Which workgroup has this number; x runs fastest. The grid is not empty.
    pub(crate) fn position(&self, tile: u64) -> [u32; 3] {
        let [x, y, _] = self.grid;
        // Whole dispatches and rows are what is called most, and divisions would be a third of a claim's cost.
        if tile < u64::from(x) {
            return [tile as u32, 0, 0];
        }
        // Divisions of 32 bits are faster than of 64.
        if let Ok(tile) = u32::try_from(tile) {
            let (row, plane) = (tile / x, tile / x / y);
            return [tile - row * x, row - plane * y, plane];
        }
        let (row, plane) = (tile / u64::from(x), tile / u64::from(x) / u64::from(y));
        [(tile - row * u64::from(x)) as u32, (row - plane * u64::from(y)) as u32, plane as u32]
    }

    /// The arguments as kernels read them, after comparison with what the export wants.
    pub(crate) fn state(&self, export: &Export) -> Result<DispatchState> {
        let differ = |what: &str, have: usize, want: usize| {
            let name = &export.name;
            Err(Error::new(
                Code::InvalidArgument,
                format!("kernel {name} takes {want} {what} and is given {have}"),
            ))
        };
        if self.constants.len() != export.constant_count {
            return differ("constants", self.constants.len(), export.constant_count);
        }
        if self.bindings.len() != export.binding_count {
            return differ("bindings", self.bindings.len(), export.binding_count);
        }
        if self.lengths.len() != self.bindings.len() {
            return differ("binding lengths", self.lengths.len(), self.bindings.len());
        }
        debug_assert!(self.constants.len().max(self.bindings.len()) <= DISPATCH_ARGUMENTS_MAX);
        let size = if export.is_size_dynamic { self.workgroup_size } else { export.workgroup_size };
        let [size_x, size_y, size_z] = size.map(|size| size.max(1));
        Ok(DispatchState {
            workgroup_size_x: size_x,
            workgroup_size_y: size_y,
            workgroup_size_z: size_z.min(u32::from(u16::MAX)) as u16,
            constant_count: self.constants.len() as u16,
            workgroup_count_x: self.grid[0],
            workgroup_count_y: self.grid[1],
            workgroup_count_z: self.grid[2] as u16,
            concurrency_max: self.concurrency.clamp(1, usize::from(u8::MAX)) as u8,
            binding_count: self.bindings.len() as u8,
            constants: self.constants.as_ptr(),
            binding_pointers: self.bindings.as_ptr(),
            binding_lengths: self.lengths.as_ptr(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(grid: [u32; 3], tile: u64, expected: [u32; 3]) {
        let dispatch = Dispatch {
            grid,
            workgroup_size: [1; 3],
            constants: &[],
            bindings: &[],
            lengths: &[],
            concurrency: 1,
        };
        assert!(tile < dispatch.tile_count().unwrap());
        assert_eq!(dispatch.position(tile), expected, "{tile} of {grid:?}");
    }

    #[test]
    fn positions_run_along_x_then_y_then_z() {
        for (tile, expected) in
            [(0, [0, 0, 0]), (1, [1, 0, 0]), (2, [0, 1, 0]), (5, [1, 2, 0]), (6, [0, 0, 1])]
        {
            check([2, 3, 4], tile, expected);
        }
        check([2, 3, 4], 23, [1, 2, 3]);
        let most = u32::MAX;
        check([most, most, 1], u64::from(most), [0, 1, 0]);
        check([most, 2, 1], u64::from(most) + 7, [7, 1, 0]);
        check([most, most, 1], u64::from(most) * u64::from(most) - 1, [most - 1, most - 1, 0]);
        check([1, 1 << 20, 65535], (65535 << 20) - 1, [0, (1 << 20) - 1, 65534]);
    }
}
