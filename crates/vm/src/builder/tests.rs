//! What the builder writes loads, in both containers, with everything in its place.

use super::ModuleBuilder;
use super::flat::{Field, FlatWriter, Hole};
use crate::isa::{Arg, BYTECODE_VERSION, Encoder, FunctionCode, Op, Reg};
use crate::{Bytes, Module};

fn identity() -> FunctionCode {
    let mut code = Encoder::new();
    code.bind(None).unwrap();
    code.inst(Op::Return, &[Arg::List(vec![Reg::value(0)])]).unwrap();
    code.finish().unwrap()
}

fn sample() -> ModuleBuilder {
    let mut builder = ModuleBuilder::new("m");
    builder.version(7).attr("k", "v").dependency("hal", 6, false).dependency("x", 0, true);
    assert_eq!((builder.ty("!vm.buffer"), builder.ty("i8"), builder.ty("!vm.buffer")), (0, 1, 0));
    builder.import("hal.f", "0iCrD_i", false);
    builder.import("x.y.z", "", true);
    assert_eq!((builder.global(4), builder.global(8)), (0, 8));
    builder.globals(0, 3);
    builder.rodata(*b"inside");
    builder.external_rodata("one.bin", vec![1; 100]);
    builder.rodata(*b"");
    builder.external_rodata("two.bin", vec![2; 5]);
    let first = builder.function("0i_i", identity());
    let second = builder.function("0iI_i", identity());
    builder.export("b", second).export("a", first).function_attr(first, "doc", "it");
    builder.debug_name(first, "one").debug_name(second, "two");
    builder
}

fn check(file: Vec<u8>) -> Module {
    let module = Module::load(file).unwrap();
    assert_eq!(
        (module.name(), module.version(), module.global_bytes(), module.global_refs()),
        ("m", 7, 16, 3)
    );
    assert_eq!(module.attrs().collect::<Vec<_>>(), [("k", "v")]);
    assert_eq!(module.types().iter().map(|name| &**name).collect::<Vec<_>>(), ["!vm.buffer", "i8"]);
    let needs: Vec<_> =
        module.dependencies().iter().map(|d| (&*d.name, d.minimum_version, d.is_optional)).collect();
    assert_eq!(needs, [("hal", 6, false), ("x", 0, true)]);
    let imports: Vec<_> =
        module.imports().iter().map(|i| (&*i.full_name, i.signature.text(), i.is_optional)).collect();
    assert_eq!(imports, [("hal.f", "0iCrD_i", false), ("x.y.z", "", true)]);
    let data: Vec<&[u8]> = module.rodata().iter().map(|segment| &segment[..]).collect();
    assert_eq!(data, [b"inside", &[1; 100][..], b"", &[2; 5]]);
    let exports: Vec<_> = module.exports().iter().map(|export| (&*export.name, export.function)).collect();
    assert_eq!(exports, [("b", 1), ("a", 0)]);
    let function = module.find("b").unwrap();
    assert_eq!((function.value_count(), function.ref_count(), function.block_count()), (4, 0, 1));
    assert_eq!(function.debug_name().as_deref(), Some("two"));
    assert_eq!(module.find("a").unwrap().attrs().collect::<Vec<_>>(), [("doc", "it")]);
    module
}

#[test]
fn everything_loads_from_both_containers() {
    check(sample().build());
    check(sample().build_zip());
}

/// Tables are read wherever they lie in memory: a file says nothing about the place that it is loaded to.
#[test]
fn no_alignment_is_needed() {
    let file = sample().build();
    for shift in 1..8 {
        let shifted = [&vec![0xFF; shift][..], &file].concat();
        let module = Module::load(Bytes::from(shifted).slice(shift..)).unwrap();
        assert_eq!(module.rodata()[3][..], [2; 5]);
    }
}

/// Compilers leave out what has its default: a flag that is absent means required. Of rodata that is inside, only the
/// presence counts, not the length.
#[test]
fn what_a_file_leaves_out_has_its_default() {
    const OUTSIDE: &[u8] = b"outside";
    let (mut flat, root) = FlatWriter::new();
    let mut fields = vec![(13, Field::U32(BYTECODE_VERSION))];
    fields.extend([0, 5, 6, 9].map(|slot| (slot, Field::Child)));
    let mut holes = flat.table(root, &fields).into_iter();
    let mut next = || holes.next().unwrap();
    flat.string(next(), "m");
    for name in ["needed", "needed.f"] {
        let only = flat.offsets(next(), 1);
        named(&mut flat, only, name);
    }
    let place = || [(3, Field::U64(0)), (4, Field::U64(OUTSIDE.len() as u64))];
    let mut segments = flat.offsets(next(), 3).into_iter();
    let [inside, outside] = place();
    let inside = flat.table(segments.next().unwrap(), &[(2, Field::Child), inside, outside]);
    inside.into_iter().for_each(|hole| flat.vector(hole, &[], 0, 16));
    flat.table(segments.next().unwrap(), &place());
    flat.table(segments.next().unwrap(), &[]);
    let module = Module::load([flat.finish(64), OUTSIDE.to_vec()].concat()).unwrap();

    assert!(!module.dependencies()[0].is_optional && !module.imports()[0].is_optional);
    assert_eq!((module.dependencies()[0].minimum_version, module.version()), (0, 0));
    assert_eq!(module.imports()[0].signature.text(), "");
    assert_eq!(module.rodata().iter().map(|segment| &segment[..]).collect::<Vec<_>>(), [b"", OUTSIDE, b""]);
    assert_eq!((module.global_bytes(), module.global_refs(), module.function_count()), (0, 0, 0));
}

/// Tables that have a name and nothing else.
fn named(flat: &mut FlatWriter, tables: Vec<Hole>, name: &str) {
    for table in tables {
        let holes = flat.table(table, &[(0, Field::Child)]);
        holes.into_iter().for_each(|hole| flat.string(hole, name));
    }
}

#[test]
fn rodata_is_not_copied() {
    let file = Bytes::from(sample().build_zip());
    let module = Module::load(file.clone()).unwrap();
    let inside = file.as_ptr_range();
    for segment in module.rodata().iter().filter(|segment| !segment.is_empty()) {
        assert!(inside.contains(&segment.as_ptr()));
    }
}
