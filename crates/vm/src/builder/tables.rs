//! The tables of a module, field by field.
//!
//! Not here: how tables are laid out ([`flat`](super::flat)).

use super::flat::{Field, FlatWriter, Hole};
use super::{FunctionParts, ModuleBuilder};
use crate::isa::{BYTECODE_VERSION, Callee};
use crate::module::{Shape, Signature};

const CODE_ALIGNMENT: usize = 8;
const RODATA_ALIGNMENT: usize = 16;

impl ModuleBuilder {
    /// The size-prefixed tables; `places` are the offsets of external segments from their end.
    pub(super) fn tables(&self, places: &[u64], alignment: usize) -> Vec<u8> {
        let (mut flat, root) = FlatWriter::new();
        let named =
            !self.functions.is_empty() && self.functions.iter().all(|function| function.name.is_some());
        let mut fields = vec![
            (1, Field::U32(self.version)),
            (2, Field::U32(self.requirements)),
            (13, Field::U32(BYTECODE_VERSION)),
            (0, Field::Child),
        ];
        fields.extend([3, 4, 5, 6, 7, 8, 9, 11, 12, 14].map(|slot| (slot, Field::Child)));
        if named {
            fields.push((15, Field::Child));
        }
        let mut holes = flat.table(root, &fields).into_iter();
        let mut next = || holes.next().expect("a hole for each child");
        flat.string(next(), &self.name);
        write_attrs(&mut flat, next(), &self.attrs);
        write_each(&mut flat, next(), &self.types, |flat, hole, name| {
            fill(flat.table(hole, &[(0, Field::Child)]), |hole| flat.string(hole, name));
        });
        write_each(&mut flat, next(), &self.dependencies, |flat, hole, (name, version, optional)| {
            let fields = [(0, Field::Child), (1, Field::U32(*version)), (2, flags(*optional))];
            fill(flat.table(hole, &fields), |hole| flat.string(hole, name));
        });
        write_each(&mut flat, next(), &self.imports, |flat, hole, (name, cconv, optional)| {
            let fields = [(0, Field::Child), (1, Field::Child), (2, flags(*optional))];
            let mut holes = flat.table(hole, &fields).into_iter();
            fill(holes.next(), |hole| flat.string(hole, name));
            fill(holes.next(), |hole| write_signature(flat, hole, cconv, &[]));
        });
        write_each(&mut flat, next(), &self.exports, |flat, hole, (name, function)| {
            let fields = [(0, Field::Child), (1, Field::U32(*function))];
            fill(flat.table(hole, &fields), |hole| flat.string(hole, name));
        });
        write_each(&mut flat, next(), &self.functions, |flat, hole, function| {
            write_signature(flat, hole, &function.signature, &function.attrs);
        });
        self.write_rodata(&mut flat, next(), places);
        let state = [(0, Field::U32(self.global_bytes)), (1, Field::U32(self.global_refs))];
        flat.table(next(), &state);
        let (descriptors, code) = self.code();
        flat.vector(next(), &descriptors, self.functions.len(), 4);
        flat.vector(next(), &code, code.len(), RODATA_ALIGNMENT);
        if named {
            let database = flat.table(next(), &[(2, Field::Child)]);
            fill(database, |hole| {
                write_each(&mut flat, hole, &self.functions, |flat, hole, function| {
                    let name = function.name.as_deref().unwrap_or("");
                    fill(flat.table(hole, &[(0, Field::Child)]), |hole| flat.string(hole, name));
                });
            });
        }
        flat.finish(alignment)
    }

    fn write_rodata(&self, flat: &mut FlatWriter, hole: Hole, places: &[u64]) {
        let segments: Vec<_> = self.rodata.iter().zip(places).collect();
        write_each(flat, hole, &segments, |flat, hole, (segment, place)| {
            let bytes = &segment.bytes;
            if segment.external.is_some() {
                let fields = [(3, Field::U64(**place)), (4, Field::U64(bytes.len() as u64))];
                flat.table(hole, &fields);
            } else {
                fill(flat.table(hole, &[(2, Field::Child)]), |hole| {
                    flat.vector(hole, bytes, bytes.len(), RODATA_ALIGNMENT);
                });
            }
        });
    }

    /// Descriptors and concatenated code.
    fn code(&self) -> (Vec<u8>, Vec<u8>) {
        let parse = |cconv: &String| Signature::parse(cconv).unwrap_or_default();
        let imports: Vec<_> = self.imports.iter().map(|(_, cconv, _)| parse(cconv)).collect();
        let functions: Vec<_> = self.functions.iter().map(|function| parse(&function.signature)).collect();
        let callee = |callee| match callee {
            Callee::Import(ordinal) => imports.get(ordinal as usize),
            Callee::Internal(ordinal) => functions.get(ordinal as usize),
        };
        let (mut descriptors, mut code) = (Vec::new(), Vec::<u8>::new());
        for (FunctionParts { code: function, .. }, signature) in self.functions.iter().zip(&functions) {
            code.resize(code.len().next_multiple_of(CODE_ALIGNMENT), 0);
            let (values, refs) = function.registers.unwrap_or_else(|| {
                let shape = Shape::of(&function.bytes, signature, callee);
                (shape.values as u16, shape.refs as u16)
            });
            descriptors.extend((code.len() as u32).to_le_bytes());
            descriptors.extend((function.bytes.len() as u32).to_le_bytes());
            descriptors.extend(function.requirements.to_le_bytes());
            let blocks = u16::try_from(function.blocks).unwrap_or(u16::MAX);
            for count in [0, blocks, values, refs] {
                descriptors.extend(count.to_le_bytes());
            }
            code.extend_from_slice(&function.bytes);
        }
        code.resize(code.len().next_multiple_of(CODE_ALIGNMENT), 0);
        (descriptors, code)
    }
}

fn flags(optional: bool) -> Field {
    Field::U32(if optional { 2 } else { 1 })
}

fn write_signature(flat: &mut FlatWriter, hole: Hole, cconv: &str, attrs: &[(String, String)]) {
    let mut holes = flat.table(hole, &[(0, Field::Child), (1, Field::Child)]).into_iter();
    fill(holes.next(), |hole| flat.string(hole, cconv));
    fill(holes.next(), |hole| write_attrs(flat, hole, attrs));
}

fn write_attrs(flat: &mut FlatWriter, hole: Hole, attrs: &[(String, String)]) {
    write_each(flat, hole, attrs, |flat, hole, (key, value)| {
        let mut holes = flat.table(hole, &[(0, Field::Child), (1, Field::Child)]).into_iter();
        fill(holes.next(), |hole| flat.string(hole, key));
        fill(holes.next(), |hole| flat.string(hole, value));
    });
}

fn write_each<T>(
    flat: &mut FlatWriter,
    hole: Hole,
    items: &[T],
    mut write: impl FnMut(&mut FlatWriter, Hole, &T),
) {
    for (hole, item) in flat.offsets(hole, items.len()).into_iter().zip(items) {
        write(flat, hole, item);
    }
}

fn fill(holes: impl IntoIterator<Item = Hole>, write: impl FnOnce(Hole)) {
    write(holes.into_iter().next().expect("the table has this child"));
}
