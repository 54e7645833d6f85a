//! Writing FlatBuffer tables front to back: a parent first, then its children, whose offsets are filled in later.
//!
//! Not here: which fields there are ([`ModuleBuilder`](super::ModuleBuilder)).
//!
//! # Invariants
//! - I1: positions count from the size prefix; everything is aligned relative to it.
//! - I2: children lie behind the field that names them, as unsigned offsets demand.

/// A field of a table.
pub(super) enum Field {
    U32(u32),
    U64(u64),
    /// An offset, filled in by [`FlatWriter::point`].
    Child,
}

impl Field {
    fn bytes(&self) -> usize {
        match self {
            Field::U32(_) | Field::Child => 4,
            Field::U64(_) => 8,
        }
    }
}

/// A size-prefixed FlatBuffer in the making.
pub(super) struct FlatWriter {
    bytes: Vec<u8>,
}

/// The position of an offset field that has no target yet.
#[must_use = "an offset without a target is a broken file"]
pub(super) struct Hole(usize);

impl FlatWriter {
    /// Prefix, root offset, identifier; returns the hole of the root.
    pub(super) fn new() -> (FlatWriter, Hole) {
        let mut bytes = vec![0; 8];
        bytes.extend(b"IREE");
        (FlatWriter { bytes }, Hole(4))
    }

    /// Writes a table and its vtable; returns the holes of its children in the order of the fields.
    pub(super) fn table(&mut self, hole: Hole, fields: &[(usize, Field)]) -> Vec<Hole> {
        let slots = fields.iter().map(|(slot, _)| slot + 1).max().unwrap_or(0);
        self.align(4);
        let vtable = self.bytes.len();
        self.bytes.resize(vtable + 4 + 2 * slots, 0);
        // With a 4-byte header in front, 8-byte fields are aligned at 8 modulo the table's own position.
        self.align(8);
        let table = self.bytes.len();
        self.bytes.extend((table as i32 - vtable as i32).to_le_bytes());
        let mut holes = Vec::new();
        for (slot, field) in fields {
            self.align(field.bytes());
            let at = self.bytes.len();
            self.put_u16(vtable + 4 + 2 * slot, (at - table) as u16);
            match field {
                Field::U32(value) => self.bytes.extend(value.to_le_bytes()),
                Field::U64(value) => self.bytes.extend(value.to_le_bytes()),
                Field::Child => {
                    holes.push(Hole(at));
                    self.bytes.extend([0; 4]);
                }
            }
        }
        let table_bytes = (self.bytes.len() - table) as u16;
        self.put_u16(vtable, (4 + 2 * slots) as u16);
        self.put_u16(vtable + 2, table_bytes);
        self.point(hole, table);
        holes
    }

    /// Writes a string.
    pub(super) fn string(&mut self, hole: Hole, text: &str) {
        self.vector(hole, text.as_bytes(), text.len(), 1);
        self.bytes.push(0);
    }

    /// Writes a vector of `count` elements whose bytes start at a multiple of `alignment`.
    pub(super) fn vector(&mut self, hole: Hole, elements: &[u8], count: usize, alignment: usize) {
        let alignment = alignment.max(4);
        while !(self.bytes.len() + 4).is_multiple_of(alignment) {
            self.bytes.push(0);
        }
        let position = self.bytes.len();
        self.bytes.extend((count as u32).to_le_bytes());
        self.bytes.extend_from_slice(elements);
        self.point(hole, position);
    }

    /// Writes a vector of offsets; returns a hole for each.
    pub(super) fn offsets(&mut self, hole: Hole, count: usize) -> Vec<Hole> {
        self.vector(hole, &vec![0; 4 * count], count, 4);
        let start = self.bytes.len() - 4 * count;
        (0..count).map(|index| Hole(start + 4 * index)).collect()
    }

    /// Fills in the size prefix, with the whole padded to this alignment, and returns the bytes.
    pub(super) fn finish(mut self, alignment: usize) -> Vec<u8> {
        self.align(alignment);
        let size = self.bytes.len() as u32 - 4;
        self.bytes[..4].copy_from_slice(&size.to_le_bytes());
        self.bytes
    }

    fn point(&mut self, hole: Hole, target: usize) {
        let distance = (target - hole.0) as u32;
        self.bytes[hole.0..hole.0 + 4].copy_from_slice(&distance.to_le_bytes());
    }

    fn align(&mut self, alignment: usize) {
        let bytes = self.bytes.len().next_multiple_of(alignment);
        self.bytes.resize(bytes, 0);
    }

    fn put_u16(&mut self, at: usize, value: u16) {
        self.bytes[at..at + 2].copy_from_slice(&value.to_le_bytes());
    }
}
