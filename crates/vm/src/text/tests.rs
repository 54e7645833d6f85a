//! Text to module and back, over every instruction, over compiled modules, and over wrong text.

use super::*;
use crate::{Module, sample};
use raddle_status::Code;

const ARITH: &[u8] = include_bytes!("../../../../tests/programs/vm/arith.vmfb");
const STATE: &[u8] = include_bytes!("../../../../tests/programs/vm/state.vmfb");
const HAL_STATE: &[u8] = include_bytes!("../../../../tests/programs/hal/state.vmfb");
const HAL_ASYNC: &[u8] = include_bytes!("../../../../tests/programs/hal/state_async.vmfb");
const HAL_ASSERT: &[u8] = include_bytes!("../../../../tests/programs/hal/assert.vmfb");

/// Everything but the file itself must survive.
fn check_round_trip(first: &Module) -> Module {
    let text = disassemble(first, Listing::default()).unwrap();
    let second =
        Module::load(assemble(&text).unwrap().build()).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(text, disassemble(&second, Listing::default()).unwrap());
    let with_addresses = assemble(&disassemble(first, Listing { addresses: true }).unwrap()).unwrap();
    assert_eq!(second.bytes(), &with_addresses.build());
    assert_eq!(first.types(), second.types());
    assert_eq!(first.imports(), second.imports());
    assert_eq!(first.exports(), second.exports());
    assert_eq!(first.dependencies(), second.dependencies());
    assert_eq!(first.rodata(), second.rodata());
    assert!(first.attrs().eq(second.attrs()));
    let globals = |module: &Module| (module.global_bytes(), module.global_refs());
    assert_eq!(globals(first), globals(&second));
    assert_eq!(first.function_count(), second.function_count());
    for (a, b) in first.functions().zip(second.functions()) {
        assert_eq!(a.code(), b.code(), "{a:?}");
        assert_eq!(a.signature(), b.signature());
        assert_eq!((a.value_count(), a.ref_count()), (b.value_count(), b.ref_count()), "{a:?}");
        assert_eq!((a.block_count(), a.requirements()), (b.block_count(), b.requirements()), "{a:?}");
        assert!(a.attrs().eq(b.attrs()));
    }
    second
}

#[test]
fn every_instruction_survives() {
    let module = Module::load(sample::every_op().build()).unwrap();
    assert_eq!(module.function_count() as usize, crate::isa::Op::COUNT - 1);
    check_round_trip(&module);
}

#[test]
fn compiled_modules_survive() {
    for file in [ARITH, STATE, HAL_STATE, HAL_ASYNC, HAL_ASSERT] {
        check_round_trip(&Module::load(file).unwrap());
    }
}

#[test]
fn names_and_strings_of_all_kinds_survive() {
    let module = Module::load(sample::every_op().build()).unwrap();
    let mut text = disassemble(&module, Listing::default()).unwrap();
    text = text.replacen("\n", "\n//! depends @\"x y\" version 3 optional\nvm.type \"!odd type,>\"\n", 1);
    text.push_str("vm.export @\"a b\" = @fn1\nvm.export @fn0\n//! attr e\"\\x01\\\"\" = e\"\\n\\\\\"\n");
    text.push_str("vm.func @e\"\\n\"() -> () {\n  vm.trace e\"\\xFF\\\"\"\n  vm.return\n}\n");
    let module = Module::load(assemble(&text).unwrap().build()).unwrap();
    assert_eq!(module.find("a b").unwrap().ordinal(), 1);
    let last = module.functions().last().unwrap();
    assert_eq!(last.attrs().next().unwrap(), ("\u{1}\"", "\n\\"));
    assert_eq!(last.instructions().nth(1).unwrap().text(0), b"\xFF\"");
    check_round_trip(&module);
}

fn function(body: &str) -> String {
    format!(
        "vm.module @m\nvm.import @o.f cconv \"0i_i\"\nvm.global.i32 @g\nvm.global.i64 mutable @h = 0 : i64\n\
        vm.export @f\nvm.func @f(%i0: i32) -> (i32) {{ // comment\n{body}\n}}\n"
    )
}

#[test]
fn what_stock_accepts_is_accepted() {
    for body in [
        "vm.return %i0",
        "^bb7:\n [00000001] vm.return %i0 # end",
        "%i1 = vm.global.load.i32 @g\n vm.global.store.i64 %i2:3, @h\n vm.return %i1",
        "%i1 = vm.global.load.i32 .rwdata[0]\n vm.return %i1",
        "%i1 = vm.global.load.indirect.i32 .rwdata[%i0]\n vm.return %i1",
        "%i1 = vm.global.load.indirect.i32 %i0\n vm.return %i1",
        "vm.trace \"a // b\", %i0\n vm.print \"x\"(%i0)\n vm.return %i0",
        "%i0 = vm.call @o.f(%i0)\n %i0 = vm.call @f(%i0)\n %i0 = vm.call @m.f(%i0)\n %i0 = vm.call @m:0(%i0)\n vm.return %i0",
        "vm.br ^bb1\n^bb1:\n vm.return %i0",
        "%i1 = vm.const.i32 0xFFFFFFFF\n %i1 = vm.const.i32 -2147483648\n vm.return %i1",
    ] {
        let built = assemble(&function(body)).unwrap_or_else(|error| panic!("{error}\n{body}")).build();
        check_round_trip(&Module::load(built).unwrap_or_else(|error| panic!("{error}\n{body}")));
    }
}

#[test]
fn wrong_text_says_where() {
    for (body, code, place) in [
        ("vm.retrun %i0", Code::InvalidArgument, "line 7"),
        ("vm.return %i0\n vm.br ^bb9()", Code::NotFound, "label"),
        ("%i0 = vm.call @nobody(%i0)\n vm.return %i0", Code::NotFound, "@nobody"),
        ("vm.add.i32 %i0, %i0\n vm.return %i0", Code::InvalidArgument, "no register takes"),
        ("%i0, %i1 = vm.add.i32 %i0, %i0", Code::InvalidArgument, "fewer results"),
        ("%i0 = vm.add.i64 %i0:2, %i0:1", Code::InvalidArgument, "pair"),
        ("%i0 = vm.add.i32 %i0:1, %i0", Code::InvalidArgument, "pair"),
        ("%i0 = vm.const.i32 4294967296", Code::InvalidArgument, "from -2147483648"),
        ("vm.fail %i0, \"open", Code::InvalidArgument, "closing quote"),
        ("vm.fail %i0, \"é", Code::InvalidArgument, "closing quote"),
        ("^bb1:\n^bb1:\n vm.return %i0", Code::AlreadyExists, "line 8"),
        ("%i0 = vm.add.i32 %i99999, %i0", Code::InvalidArgument, "0 to 32767"),
        ("%i0 = vm.call @import[7](%i0)\n vm.return %i0", Code::InvalidArgument, "import 7"),
        ("é", Code::InvalidArgument, "column 1"),
    ] {
        let error = assemble(&function(body)).and_then(|built| Module::load(built.build())).unwrap_err();
        assert!(error.code() == code && error.to_string().contains(place), "{error}\n{body}");
    }
    for text in [
        "",
        "vm.type i32",
        "vm.module",
        "vm.module @a\nvm.module @b",
        "vm.module @m\nvm.rodata[1] = 00",
        "vm.module @m\nvm.rodata[0] = 0",
        "vm.module @m\nvm.rodata[0] = éé",
        "vm.module @m\nvm.func @f() -> () {",
        "vm.module @m\nvm.func @f(%i1: i32) -> () {\n}",
        "vm.module @m\nvm.export @f",
        "vm.module @m\nvm.global.i32 @g = 1 : i32",
        "vm.module @m\nvm.import @f cconv \"1\"",
        "vm.module @m\nvm.return",
    ] {
        assert!(assemble(text).is_err(), "{text}");
    }
}

#[test]
fn every_damaged_text_is_survived() {
    let text = disassemble(&Module::load(STATE).unwrap(), Listing::default()).unwrap();
    let mut built = 0;
    for at in 0..text.len() {
        assert!(text.is_char_boundary(at));
        for damage in ["", "\"", "9", "\n", "é", "%", "//"] {
            let damaged = format!("{}{damage}{}", &text[..at], &text[at + 1..]);
            built +=
                usize::from(assemble(&damaged).is_ok_and(|builder| Module::load(builder.build()).is_ok()));
        }
        let _ = assemble(&text[..at]);
    }
    assert!(built > 0, "damage to names and constants does no harm");
}
